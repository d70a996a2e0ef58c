module.exports = class Late1767225600004 {
  async up(runner) {
    await runner.query("@late@");
  }

  async down(runner) {
    await runner.query("DROP TABLE late");
  }
};
