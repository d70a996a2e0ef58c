// An upgrade that works long, in no transaction.
exports.config = { transaction: false };

exports.up = (knex) => knex.raw("@late@");

exports.down = (knex) => knex.schema.dropTable("late");
