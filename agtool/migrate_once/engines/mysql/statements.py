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


def recorded(cursor: Cursor, runs: RunTable, run_ids: Sequence[str]) -> set[str]:
    """The sessions that are recorded for the runs, each as `ID@HOST:PORT`."""
    marks = ", ".join(["%s"] * len(run_ids))
    try:
        cursor.execute(
            f"SELECT sessions FROM {runs.table} WHERE sessions IS NOT NULL AND run_id IN ({marks})",
            tuple(run_ids),
        )
    except pymysql.Error as error:
        if error_number(error) not in MISSING:
            raise
        return set()
    return {one for (sessions,) in cursor.fetchall() for one in sessions.split()}


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
