"""What a command, dead or dying, still executes on MySQL: the sessions known to be its own."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import pymysql
from pymysql.constants import ER

from agtool.migrate_once.engines.mysql.session import error_number
from agtool.migrate_once.engines.mysql.tables import MISSING
from agtool.migrate_once.engines.runs import RunTable

if TYPE_CHECKING:
    from pymysql.cursors import Cursor


def recorded(cursor: Cursor, runs: RunTable, run_ids: Sequence[str]) -> set[str] | None:
    """The sessions that are recorded for the runs, each as `ID@HOST:PORT`; None: no run is."""
    marks = ", ".join(["%s"] * len(run_ids))
    try:
        cursor.execute(
            f"SELECT coalesce(sessions, '') FROM {runs.table} WHERE run_id IN ({marks})",
            tuple(run_ids),
        )
    except pymysql.Error as error:
        if error_number(error) not in MISSING:
            raise
        return None
    rows = cursor.fetchall()
    return {one for (sessions,) in rows for one in sessions.split()} if rows else None


def unknown(cursor: Cursor, seconds: float) -> int:
    """How many statements of our account run in the database for at least so many seconds.

    Where nothing is recorded of a run, one of these may be its own. They are not stopped.
    """
    cursor.execute(
        "SELECT count(*) FROM information_schema.processlist WHERE id <> connection_id() "
        "AND user = substring_index(user(), '@', 1) AND db = database() "
        "AND command NOT IN ('Sleep', 'Killed') AND time >= %s",
        (int(seconds),),
    )
    (number,) = cursor.fetchone() or (0,)
    return int(number)


def stop(cursor: Cursor, known: Collection[str]) -> int:
    """KILL every one of these sessions, but idle ones; how many there are.

    The server ends an idle session of a dead process by itself. One that is being killed counts
    until it is gone, for its statement may take long to roll back; what we may not kill counts
    too: the caller waits for it.
    """
    if not known:
        return 0
    cursor.execute("SELECT id, host, command FROM information_schema.processlist")
    active = [
        int(ident)
        for ident, host, command in cursor.fetchall()
        if f"{ident}@{host}" in known and command != "Sleep"
    ]
    for ident in active:
        try:
            cursor.execute(f"KILL {ident}")
        except pymysql.Error as error:
            if error_number(error) not in (ER.NO_SUCH_THREAD, ER.KILL_DENIED_ERROR):
                raise
    return len(active)
