"""What a command, dead or dying, still executes on PostgreSQL: found, and stopped.

Sessions of a command are known by their tag, the application_name that PGAPPNAME gives them; those
of a connector that ignores it (JDBC, asyncpg, pg8000) by their ports, which `observe` has noted.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import psycopg2.errors

from agtool.migrate_once.backend import Session
from agtool.migrate_once.engines.sign import Sign

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

    from agtool.migrate_once.engines.runs import RunTable

TAG = "agtool:"
"""What the application_name of a command's sessions begins with; the run's id follows."""

OWN = "agtool migrate-once"
"""What that of our own sessions begins with."""

IDENTITY = "pid || '@' || extract(epoch FROM backend_start)"
"""A session's, which no later one has."""

_SINCE = "coalesce(to_char(xact_start AT TIME ZONE 'UTC', 'HH24:MI:SS.US UTC'), '')"


def act_as_login(cursor: Cursor) -> None:
    """Until the transaction's or savepoint's end, act as the role that has logged in.

    Who may see and end whose session is decided by that role (PGPROC.roleId), not by the one that
    `ALTER ROLE ... SET role` makes current. And a transaction sees the sessions as they were when
    it first looked, and ours may be long.
    """
    cursor.execute("SET LOCAL ROLE NONE; SELECT pg_stat_clear_snapshot()")


def recorded(cursor: Cursor, runs: RunTable, run_ids: Sequence[str]) -> set[str]:
    """The sessions that are recorded for the runs, as `IDENTITY`."""
    cursor.execute("SELECT to_regclass(%s)", (runs.table,))
    if cursor.fetchone() == (None,):
        return set()
    cursor.execute(
        f"SELECT sessions FROM {runs.table} WHERE sessions IS NOT NULL AND run_id = ANY(%s)",
        (list(run_ids),),
    )
    return {one for (sessions,) in cursor.fetchall() for one in sessions.split()}


def stop(cursor: Cursor, run_ids: Sequence[str], known: Collection[str]) -> list[Session]:
    """pg_terminate_backend on every session of the runs, by tag or `known`; what was found.

    Idle ones too, since what a dead process has sent may still be on its way to them; but not
    behind a pooler, where an idle session may be somebody else's by now. What is at work and not
    ours to terminate counts too: the caller waits for it. At work is what has a lock on its
    virtual transaction: pg_stat_activity hides the state of another role's sessions, pg_locks
    hides nothing.
    """
    act_as_login(cursor)
    cursor.execute(
        "SELECT pid, usename, application_name, since, at_work FROM (SELECT pid, usename, "
        f"application_name, {_SINCE} AS since, EXISTS (SELECT 1 FROM pg_locks WHERE "
        "pg_locks.pid = activity.pid AND locktype = 'virtualxid' AND granted) AS at_work "
        # In any database. PgBouncer's application_name_add_host appends to the name.
        "FROM pg_stat_activity AS activity WHERE application_name LIKE ANY(%s) "
        f"OR {IDENTITY} = ANY(%s)) AS found "
        # A pooler makes up the process id that it gives to a client.
        "WHERE at_work OR pg_backend_pid() = %s",
        (
            [f"{TAG}{run_id}%" for run_id in run_ids],
            list(known),
            cursor.connection.get_backend_pid(),
        ),
    )
    found = []
    for pid, user, application, since, at_work in cursor.fetchall():
        cursor.execute("SAVEPOINT one")
        refused = False
        try:
            cursor.execute("SELECT pg_terminate_backend(%s)", (pid,))
        except psycopg2.errors.InsufficientPrivilege:
            cursor.execute("ROLLBACK TO SAVEPOINT one")
            refused = True
        if at_work or not refused:
            found.append(Session(str(pid), user or "", application or "", since, refused))
    return found


def began(cursor: Cursor, runs: RunTable, run_ids: Sequence[str]) -> float:
    """When the first of these runs began, by the server's clock; 0: that is not recorded."""
    cursor.execute("SELECT to_regclass(%s)", (runs.table,))
    if cursor.fetchone() == (None,):
        return 0.0
    cursor.execute(
        f"SELECT extract(epoch FROM min(started_at)) FROM {runs.table} WHERE run_id = ANY(%s)",
        (list(run_ids),),
    )
    (moment,) = cursor.fetchone() or (None,)
    return float(moment or 0)


def of_signs(signs: Collection[Sign], run_ids: Sequence[str]) -> tuple[set[str], float | None]:
    """The same two of runs that have left a sign: their sessions, and when the first began."""
    found = [sign for sign in signs if sign.run_id in run_ids]
    sessions = {one for sign in found for one in sign.sessions.split()}
    starts = [datetime.fromisoformat(sign.started_at).timestamp() for sign in found]
    return sessions, min(starts, default=None)


def strangers(
    cursor: Cursor, since: float, waited: float, horizon: float, lock: int = 0
) -> list[Session]:
    """Sessions like the command's, without its tag, that began to work at `since` or later.

    And `waited` seconds ago or earlier.

    Only those that execute something: of one that waits for its client in an open transaction,
    the client is alive.

    Args:
        since: seconds of the server's clock, as is `horizon`.
        horizon: only sessions that were made then or later; earlier ones are known.
        lock: the process id of the lock's session.
    """
    act_as_login(cursor)
    cursor.execute(
        f"SELECT pid, usename, application_name, {_SINCE} FROM pg_stat_activity "
        "WHERE datname = current_database() AND usename = session_user AND state = 'active' "
        "AND backend_type = 'client backend' "
        "AND xact_start BETWEEN to_timestamp(%s) AND clock_timestamp() - %s * interval '1 second' "
        "AND backend_start >= to_timestamp(%s) "
        "AND pid NOT IN (pg_backend_pid(), %s) AND application_name NOT LIKE ALL(%s)",
        (since, waited, horizon, lock, [f"{TAG}%", f"{OWN}%"]),
    )
    return [Session(str(pid), user, name, begun) for pid, user, name, begun in cursor.fetchall()]
