const { DataSource, EntitySchema } = require("typeorm");

const url = process.env.DATABASE_URL;

module.exports = new DataSource({
  type: url.startsWith("mysql") ? "mysql" : "postgres",
  url,
  entities: [
    new EntitySchema({
      name: "customers",
      columns: {
        id: { type: Number, primary: true, generated: "increment" },
        name: { type: String, length: 100 },
      },
      indices: [{ name: "customers_name", columns: ["name"] }],
    }),
  ],
  migrations: ["migrations/*.js"],
  // One transaction for all of them, the default, has no room for an index built concurrently.
  migrationsTransactionMode: "each",
});
