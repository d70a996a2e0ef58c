"""What a command, dead or dying, still executes on PostgreSQL: found by its tag, and stopped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import psycopg2.errors

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

TAG = "agtool:"
"""What the application_name of a command's sessions begins with; the run's id follows."""


def stop(cursor: Cursor, run_ids: Sequence[str]) -> int:
    """pg_terminate_backend on every session with the tag of one of the runs; how many there are.

    Idle ones too, since what a dead process has sent may still be on its way to them; but not
    behind a pooler, where an idle session may be somebody else's by now. What is at work and not
    ours to terminate counts too: the caller waits for it. At work is what has a lock on its
    virtual transaction: pg_stat_activity hides the state of another role's sessions, pg_locks
    hides nothing.
    """
    # A transaction sees the sessions as they were when it first looked, and ours may be long.
    cursor.execute("SELECT pg_stat_clear_snapshot()")
    cursor.execute(
        "SELECT pid, at_work FROM (SELECT pid, EXISTS (SELECT 1 FROM pg_locks WHERE "
        "pg_locks.pid = activity.pid AND locktype = 'virtualxid' AND granted) AS at_work "
        # In any database. PgBouncer's application_name_add_host appends to the name.
        "FROM pg_stat_activity AS activity WHERE application_name LIKE ANY(%s)) AS tagged "
        # A pooler makes up the process id that it gives to a client.
        "WHERE at_work OR pg_backend_pid() = %s",
        ([f"{TAG}{run_id}%" for run_id in run_ids], cursor.connection.get_backend_pid()),
    )
    found = cursor.fetchall()
    count = len(found)
    for pid, at_work in found:
        cursor.execute("SAVEPOINT one")
        try:
            cursor.execute("SELECT pg_terminate_backend(%s)", (pid,))
        except psycopg2.errors.InsufficientPrivilege:
            cursor.execute("ROLLBACK TO SAVEPOINT one")
            count -= not at_work
    return count
