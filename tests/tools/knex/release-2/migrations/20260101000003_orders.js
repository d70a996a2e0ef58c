exports.up = async (knex) => {
  await knex.schema.createTable("orders", (table) => {
    table.increments("id");
    table.string("goods", 100).notNullable();
  });
  await knex("orders").insert([{ goods: "pears" }, { goods: "plums" }]);
};

exports.down = (knex) => knex.schema.dropTable("orders");
