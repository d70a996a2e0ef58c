const url = process.env.DATABASE_URL;

module.exports = {
  dialect: url.startsWith("mysql") ? "mysql" : "postgresql",
  schema: "./schema.js",
  out: "./migrations",
  dbCredentials: { url },
  // agtool's tables are none of the application's: push would drop them.
  tablesFilter: ["!agtool*"],
};
