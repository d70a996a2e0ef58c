exports.up = (knex) =>
  knex.schema.createTable("customers", (table) => {
    table.increments("id");
    table.string("name", 100).notNullable();
  });

exports.down = (knex) => knex.schema.dropTable("customers");
