const { DataSource } = require("typeorm");

const url = process.env.DATABASE_URL;

module.exports = new DataSource({
  type: url.startsWith("mysql") ? "mysql" : "postgres",
  url,
  migrations: ["migrations/*.js"],
  // One transaction for all of them, the default, has no room for an index built concurrently.
  migrationsTransactionMode: "each",
});
