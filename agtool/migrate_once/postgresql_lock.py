"""The lock that a run holds in PostgreSQL; how it is taken stands in `postgresql`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import psycopg2

from agtool.migrate_once.backend import LockLost, NotYet
from agtool.migrate_once.model import Attempt, Run
from agtool.migrate_once.postgresql_session import first_line, leaving_no_lock

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor

    from agtool.migrate_once.postgresql import PostgreSQL


class PostgreSQLLock:
    """The held lock: an open transaction on its own connection."""

    def __init__(self, backend: PostgreSQL, connection: Connection, attempt: Attempt) -> None:
        self._backend = backend
        self._connection = connection
        self._attempt = attempt

    @property
    def keep_open(self) -> int:
        return self._connection.fileno()

    @property
    def watch(self) -> Sequence[int]:
        return (self._connection.fileno(),)

    def check(self, command: int | None = None) -> None:
        with self._statement() as cursor:
            cursor.execute("SHOW transaction_isolation")

    def unfinished(self) -> list[Run]:
        try:
            with (
                self._backend.translated(),
                self._connection.cursor() as cursor,
                leaving_no_lock(cursor),
            ):
                return self._backend.runs.unfinished(cursor)
        except NotYet as error:
            raise LockLost(error.message) from error

    def finish(self, state: str, exit_code: int) -> None:
        with self._statement() as cursor:
            self._backend.runs.record_end(cursor, self._attempt.run_id, state, exit_code)
            cursor.execute("COMMIT")
            # A transaction that had failed answers COMMIT with ROLLBACK, without an error.
            if cursor.statusmessage != "COMMIT":
                raise LockLost(f"the server answered COMMIT with {cursor.statusmessage}")
        self._connection.close()

    def release(self) -> None:
        with suppress(psycopg2.Error):
            self._connection.close()

    @contextmanager
    def _statement(self) -> Iterator[Cursor]:
        try:
            with self._connection.cursor() as cursor:
                yield cursor
        except psycopg2.Error as error:
            text = self._backend.database.redact(first_line(error))
            raise LockLost(text) from error
