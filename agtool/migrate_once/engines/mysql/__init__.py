"""MySQL and MariaDB: GET_LOCK, polled, held by a session that proves each second to be alive.

Why so, measured on MariaDB 10.11 and told in docs/explanation/lock.md:

* Schema changes commit implicitly, which ends every transaction's and LOCK TABLES' lock. A named
  lock belongs to the session: commits leave it alone, and it blocks no statement and no dump.
* Its name is the whole server's, so it is a hash of the database's and the table's name. No
  table is needed for it; one records the runs.
* The server frees it when the session has been silent for wait_timeout, so we set that to the
  time in which the holder has noticed and its command is dead (model.time_to_die), not sooner.
  Descendants of a dead agtool hold the socket open, but cannot speak on it: they keep the lock
  for that time, and no longer.
* Sessions carry no tag. Those of the command are found by the ports of its sockets, at each
  heartbeat, and recorded; `stop_statements` knows no others. A session younger than a heartbeat,
  on a Unix socket, or behind a proxy or a network that rewrites ports stays unknown.
* An empty database stays so until the first command has ended: `signs` and `proof` stand for the
  table meanwhile.
* A replica, or another node of a Galera cluster, has locks of its own, which exclude nobody.
"""
