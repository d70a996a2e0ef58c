module.exports = class CustomersName1767225600002 {
  // PostgreSQL refuses CONCURRENTLY in a transaction.
  transaction = false;

  async up(runner) {
    await runner.query("@index@");
  }

  async down(runner) {
    await runner.dropIndex("customers", "customers_name");
  }
};
