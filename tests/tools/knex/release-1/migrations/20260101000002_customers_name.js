// PostgreSQL refuses CONCURRENTLY in a transaction.
exports.config = { transaction: false };

exports.up = (knex) => knex.raw("@index@");

exports.down = (knex) =>
  knex.schema.table("customers", (table) => table.dropIndex([], "customers_name"));
