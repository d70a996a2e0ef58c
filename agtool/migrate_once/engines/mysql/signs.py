"""Where MariaDB keeps the sign of a run in an empty database: in the comment on the database.

It is no table, it survives a crash and is replicated, and no migration tool looks at it. MariaDB
before 10.5 and MySQL have no such comment, and somebody else may have written one: see `proof`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pymysql

from agtool.migrate_once.engines.mysql.session import is_lost
from agtool.migrate_once.engines.sign import Sign

if TYPE_CHECKING:
    from pymysql.cursors import Cursor


def read(cursor: Cursor, lock: str) -> Sign | None:
    """The sign of a run under this lock, if there is one."""
    sign = Sign.parse(_comment(cursor) or "")
    return sign if sign is not None and sign.lock == lock else None


def has_place(cursor: Cursor, lock: str) -> bool:
    """Whether a run under this lock would have a place for its sign."""
    comment = _comment(cursor)
    return comment == "" or read(cursor, lock) is not None


def write(cursor: Cursor, sign: Sign) -> bool:
    """Leave a sign; whether it is there."""
    if not has_place(cursor, sign.lock):
        return False
    try:
        cursor.execute("ALTER DATABASE COMMENT = %s", (str(sign),))
    except pymysql.Error as error:
        if is_lost(error):
            raise
        return False  # not our right, or somebody is changing the database
    return True


def remove(cursor: Cursor, lock: str, run_id: str) -> None:
    """Remove the run's sign, if it is there."""
    sign = read(cursor, lock)
    if sign is not None and sign.run_id == run_id:
        cursor.execute("ALTER DATABASE COMMENT = ''")


def _comment(cursor: Cursor) -> str | None:
    """The comment on the URL's database; None: the server has none, or the database is gone."""
    cursor.execute(
        "SELECT '' /*M!100500 , schema_comment */ FROM information_schema.schemata "
        "WHERE schema_name = database()"
    )
    row = cursor.fetchone() or ()
    return str(row[1]) if len(row) > 1 else None
