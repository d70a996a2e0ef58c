"""What a command, dead or dying, still executes on MySQL: the sessions known to be its own."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, NamedTuple

import pymysql
from pymysql.constants import ER

from agtool.migrate_once.backend import Session
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


def age(cursor: Cursor, runs: RunTable, run_ids: Sequence[str]) -> float:
    """Seconds since the first of these runs began; infinite: that is not recorded."""
    marks = ", ".join(["%s"] * len(run_ids))
    try:
        cursor.execute(
            "SELECT max(timestampdiff(microsecond, started_at, utc_timestamp(6))) / 1e6 "
            f"FROM {runs.table} WHERE run_id IN ({marks})",
            tuple(run_ids),
        )
    except pymysql.Error as error:
        if error_number(error) not in MISSING:
            raise
        return math.inf
    (seconds,) = cursor.fetchone() or (None,)
    return math.inf if seconds is None else float(seconds)


def stop(cursor: Cursor, known: Collection[str]) -> list[Session]:
    """KILL every one of these sessions, but idle ones; what was found.

    The server ends an idle session of a dead process by itself. One that is being killed counts
    until it is gone, for its statement may take long to roll back; what we may not kill counts
    too: the caller waits for it.
    """
    found = []
    for one in _active(cursor) if known else ():
        if one.place not in known:
            continue
        session = one.session
        refused = False
        try:
            cursor.execute(f"KILL {session.place}")
        except pymysql.Error as error:
            if error_number(error) not in (ER.NO_SUCH_THREAD, ER.KILL_DENIED_ERROR):
                raise
            refused = error_number(error) == ER.KILL_DENIED_ERROR
        found.append(session._replace(refused=refused))
    return found


def strangers(
    cursor: Cursor, known: Collection[str], waited: float, age: float, horizon: float
) -> list[Session]:
    """Sessions like the command's, in their present statement for `waited` to `age` seconds.

    Args:
        known: sessions of the command, which are ended.
        horizon: the number of a session; others up to it are not the command's. They are counted.
    """
    return [
        one.session
        for one in _active(cursor)
        # The server counts whole seconds.
        if one.like_ours and one.place not in known and waited - 1 <= one.seconds <= age + 1
        if int(one.session.place) > horizon
    ]


class _Active(NamedTuple):
    """A session at work. like_ours: of our account, and in our database or in none."""

    session: Session
    place: str
    seconds: int
    like_ours: bool


def _active(cursor: Cursor) -> list[_Active]:
    cursor.execute(
        "SELECT id, host, user, time, date_format(utc_timestamp() - INTERVAL time SECOND, "
        "'%H:%i:%s UTC'), user = substring_index(user(), '@', 1) "
        "AND (db IS NULL OR db = database()) FROM information_schema.processlist "
        "WHERE command NOT IN ('Sleep', 'Daemon') AND id <> connection_id()"
    )
    return [
        _Active(
            Session(str(ident), user, "", since or ""), f"{ident}@{host}", seconds or 0, bool(like)
        )
        for ident, host, user, seconds, since, like in cursor.fetchall()
    ]
