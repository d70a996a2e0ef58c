module.exports = class Customers1767225600001 {
  async up(runner) {
    await runner.query("CREATE TABLE customers (id serial PRIMARY KEY, name varchar(100) NOT NULL)");
  }

  async down(runner) {
    await runner.query("DROP TABLE customers");
  }
};
