"""PostgreSQL: an advisory lock, polled, in a transaction that ends with the command.

Why so, measured on PostgreSQL 15 and told in docs/explanation/lock.md:

* A locked table would make VACUUM of the database wait for it. --lock table locks it as well, in
  SHARE ROW EXCLUSIVE, which conflicts with itself and lets readers (pg_dump, --status) through.
* An empty database stays so until the first command has ended: `signs` says what stands for the
  table meanwhile.
* A waiter that blocks holds a snapshot, and CREATE INDEX CONCURRENTLY waits for all snapshots;
  a waiter that polls holds none for longer than a statement. READ COMMITTED for the same reason.
* A transaction, not a session, carries the lock: PgBouncer's transaction mode keeps it on one
  server connection, and SET LOCAL does not leak to the pooler's next client.
* The heartbeat is SHOW, which takes no snapshot (PlannedStmtRequiresSnapshot in pquery.c): a
  SELECT could be the very snapshot that CREATE INDEX CONCURRENTLY then waits for, for ever.
"""
