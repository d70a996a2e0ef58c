"""The port for PostgreSQL; why it is as it is stands in the package's text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING

import psycopg2.errors

from agtool.migrate_once.backend import AlreadyDone, Busy, Session
from agtool.migrate_once.engines.postgresql import session, statements
from agtool.migrate_once.engines.postgresql.lock import PostgreSQLLock, advisory_name, take
from agtool.migrate_once.engines.postgresql.observe import BRIEF
from agtool.migrate_once.engines.postgresql.tables import Tables
from agtool.migrate_once.engines.runs import Recorder
from agtool.migrate_once.model import Attempt, Situation, TableName
from agtool.migrate_once.url import Database

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor

    from agtool.core.process.tree import Process
    from agtool.migrate_once.documents import Status


class PostgreSQL(Recorder):
    """The port for PostgreSQL. Seconds in time_to_die and connect_timeout.

    lock: 'table', or 'advisory' for upgrades that VACUUM the whole database.
    """

    def __init__(
        self,
        database: Database,
        table: TableName | None,
        *,
        lock: str,
        time_to_die: float,
        connect_timeout: float,
    ) -> None:
        self.database = database
        self.tables = Tables(database, table)
        self.runs = self.tables.runs
        self.lock = lock
        self.time_to_die = time_to_die
        self.connect_timeout = connect_timeout
        self.application_name = "agtool migrate-once"
        kind = "table" if lock == "table" else "advisory lock of"
        self.lock_name = f"{kind} {self.tables.table}"
        self.warnings: Sequence[str] = session.warnings(database)

    def environment(self, attempt: Attempt) -> dict[str, str]:
        """PGAPPNAME, which libpq, psycopg, pgx and others send as application_name."""
        return {"PGAPPNAME": statements.TAG + attempt.run_id}

    def attempt(self, attempt: Attempt, *, look: bool) -> PostgreSQLLock | AlreadyDone | Busy:
        self.application_name = f"agtool migrate-once {attempt.place}"[:63]
        connection = session.connect(self.database, self.connect_timeout)
        with ExitStack() as unless_locked, self.tables.translated():
            unless_locked.callback(connection.close)
            if self._is_done(connection, attempt):
                return AlreadyDone()
            self.tables.prepare(connection, self.application_name)
            lock = take(
                connection,
                self.tables,
                attempt,
                application_name=self.application_name,
                lock=self.lock,
                time_to_die=self.time_to_die,
                connect=self._brief,
            )
            if lock is None:
                return Busy(self._look(connection, attempt) if look else None)
            # By another one, between our look and our lock.
            if attempt.key is not None and lock.is_done():
                return AlreadyDone()
            unless_locked.pop_all()
            return lock

    def is_held_by(self, processes: Sequence[Process]) -> bool:
        key = "classid::bigint << 32 | objid::bigint"
        held = (
            f"SELECT pid FROM pg_locks WHERE granted AND locktype = 'advisory' AND objsubid = 1 "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
            f"AND ({key}) IN (SELECT hashtextextended(name, 0) FROM unnest(%s) AS name)"
        )
        with self.transaction() as cursor:
            cursor.execute(
                f"SELECT EXISTS ({held} INTERSECT {held})",
                ([self.tables.advisory_name], list(map(advisory_name, processes))),
            )
            return cursor.fetchone() == (True,)

    def stop_statements(self, run_ids: Sequence[str]) -> list[Session]:
        with self.transaction() as cursor:
            known = statements.recorded(cursor, self.runs, run_ids)
            return statements.stop(cursor, run_ids, known)

    def strangers(
        self, run_ids: Sequence[str], waited: float, horizon: float = 0.0
    ) -> list[Session]:
        with self.transaction() as cursor:
            began = statements.began(cursor, self.runs, run_ids)
            return statements.strangers(cursor, began, waited, horizon)

    def status(self, limit: int) -> Status:
        from agtool.migrate_once.documents import Status

        with self.transaction() as cursor:
            cursor.execute("SELECT to_regclass(%s)", (self.runs.table,))
            if cursor.fetchone() == (None,):
                return Status(self.lock_name, False, self.runs.now(cursor), [], [], [])
            cursor.execute(
                # The table's own lock may be held by somebody with the recipe before agtool.
                "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE granted "
                "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
                "AND (locktype = 'advisory' AND objsubid = 1 "
                "AND (classid::bigint << 32 | objid::bigint) = hashtextextended(%s, 0) "
                "OR locktype = 'relation' AND relation = to_regclass(%s) AND mode IN "
                "('ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')))",
                (self.tables.advisory_name, self.tables.locked),
            )
            (held,) = cursor.fetchone() or (False,)
            return self.runs.status(cursor, limit, lock=self.lock_name, held=held)

    def _is_done(self, connection: Connection, attempt: Attempt) -> bool:
        if attempt.key is None:
            return False
        try:
            with session.transaction(connection, self.application_name) as cursor:
                return self.runs.is_done(cursor, attempt)
        except (psycopg2.errors.UndefinedTable, psycopg2.errors.InvalidSchemaName):
            return False

    def _look(self, connection: Connection, attempt: Attempt) -> Situation:
        try:
            with session.transaction(connection, self.application_name) as cursor:
                self.runs.note_waiting(cursor, attempt)
                return self.runs.situation(cursor, attempt)
        except psycopg2.errors.InsufficientPrivilege:
            raise
        except psycopg2.ProgrammingError:
            # The command has dropped the table, or put another in its place: we wait all the same.
            return Situation(None, 0)

    @contextmanager
    def _brief(self, database: str | None) -> Iterator[Cursor]:
        """The same for who has little time, and perhaps in another database."""
        url = self.database if database is None else self.database._replace(database=database)
        with (
            closing(session.connect(url, BRIEF)) as connection,
            self.tables.translated(),
            session.transaction(connection, self.application_name) as cursor,
        ):
            yield cursor

    @contextmanager
    def transaction(self) -> Iterator[Cursor]:
        """A connection of its own for one short transaction."""
        with (
            closing(session.connect(self.database, self.connect_timeout)) as connection,
            self.tables.translated(),
            session.transaction(connection, self.application_name) as cursor,
        ):
            yield cursor
