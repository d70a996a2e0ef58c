"""SQLite: flock(2) on a file beside the database, polled; the runs in another file beside it.

Why so, measured and told in docs/explanation/lock.md:

* BEGIN IMMEDIATE would block the command's own writes, so the database itself is never opened.
* The kernel frees the lock when the last descriptor of it is closed: not before the keeper and
  every process of the command that inherited it have gone.
* The lock file is never deleted: a waiter could hold the lock of a file that nobody finds any
  more. Somebody else may delete it, so each heartbeat looks whether the path is still our file.
* A transaction on the runs is short, so that nobody waits for it for long.
"""
