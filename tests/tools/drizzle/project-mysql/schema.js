const { index, mysqlTable, serial, varchar } = require("drizzle-orm/mysql-core");

exports.customers = mysqlTable(
  "customers",
  { id: serial().primaryKey(), name: varchar({ length: 100 }).notNull() },
  (table) => [index("customers_name").on(table.name)],
);
