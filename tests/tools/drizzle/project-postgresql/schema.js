const { index, pgTable, serial, varchar } = require("drizzle-orm/pg-core");

exports.customers = pgTable(
  "customers",
  { id: serial().primaryKey(), name: varchar({ length: 100 }).notNull() },
  (table) => [index("customers_name").on(table.name)],
);
