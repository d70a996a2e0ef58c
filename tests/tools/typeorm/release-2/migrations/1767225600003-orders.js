module.exports = class Orders1767225600003 {
  async up(runner) {
    await runner.query("CREATE TABLE orders (id serial PRIMARY KEY, goods varchar(100) NOT NULL)");
    await runner.query("INSERT INTO orders (goods) VALUES ('pears'), ('plums')");
  }

  async down(runner) {
    await runner.query("DROP TABLE orders");
  }
};
