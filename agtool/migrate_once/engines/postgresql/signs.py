"""Where PostgreSQL keeps the signs of runs in an empty database: in large objects.

They are neither a table nor in a schema, any role may make them, they are written and removed in
transactions, a crash and a failover keep them, and no migration tool looks at them.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import psycopg2.errors

from agtool.migrate_once.engines.sign import Sign

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

_FIRST, _LAST = 0xA67_00000, 0xA67_FFFFF
"""Numbers that ours have. Another's may too, so what it holds decides."""

_ROOM = 8000
"""Bytes of a sign, filled up with spaces, so that a later text covers all of an earlier one."""

ANY = f"EXISTS (SELECT 1 FROM pg_largeobject_metadata WHERE oid BETWEEN {_FIRST} AND {_LAST})"
"""Whether there may be one. Reading them would keep a lock until the transaction's end."""


def write(cursor: Cursor, sign: Sign) -> int | None:
    """Leave a sign that every role can read; its number, None: an administrator forbids it."""
    while True:
        number = _FIRST + int.from_bytes(os.urandom(3), "big") % (_LAST - _FIRST + 1)
        cursor.execute("SAVEPOINT sign")
        try:
            content = str(sign).encode().ljust(_ROOM)
            cursor.execute("SELECT lo_from_bytea(%s, %s)", (number, content))
        except psycopg2.errors.UniqueViolation:
            cursor.execute("ROLLBACK TO SAVEPOINT sign")
        except psycopg2.errors.InsufficientPrivilege:
            cursor.execute("ROLLBACK TO SAVEPOINT sign")
            return None
        else:
            cursor.execute(f"GRANT SELECT ON LARGE OBJECT {number} TO PUBLIC")
            return number


def note_sessions(cursor: Cursor, number: int, lock: str, sessions: str) -> None:
    """Add to a sign which sessions its command has at the moment, if it is still there."""
    sign = read(cursor, lock).get(number)
    if sign is not None:
        content = str(sign._replace(sessions=sessions[:4000])).encode()
        cursor.execute("SELECT lo_put(%s, 0, %s)", (number, content.ljust(_ROOM)))


def read(cursor: Cursor, lock: str) -> dict[int, Sign]:
    """The signs of runs under this lock, by their numbers."""
    cursor.execute(
        f"SELECT oid FROM pg_largeobject_metadata WHERE oid BETWEEN {_FIRST} AND {_LAST}"
    )
    signs: dict[int, Sign] = {}
    for (number,) in cursor.fetchall():
        cursor.execute("SAVEPOINT sign")
        try:
            cursor.execute("SELECT lo_get(%s, 0, %s)", (number, 2 * _ROOM))
        except (psycopg2.errors.InsufficientPrivilege, psycopg2.errors.UndefinedObject):
            cursor.execute("ROLLBACK TO SAVEPOINT sign")  # another's, or gone meanwhile
            continue
        (content,) = cursor.fetchone() or (b"",)
        sign = Sign.parse(bytes(content).decode(errors="replace"))
        if sign is not None and sign.lock == lock:
            signs[number] = sign
    return signs


def remove(cursor: Cursor, number: int) -> None:
    """Remove a sign, if it is there. One of another role's stays, which does no harm."""
    cursor.execute(
        "SELECT lo_unlink(oid) FROM pg_largeobject_metadata WHERE oid = %s "
        "AND pg_has_role(lomowner, 'USAGE')",
        (number,),
    )
