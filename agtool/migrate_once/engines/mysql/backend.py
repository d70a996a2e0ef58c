"""The port for MySQL and MariaDB; why it is as it is stands in the package's text."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pymysql

from agtool.migrate_once.backend import AlreadyDone, Busy, Session
from agtool.migrate_once.engines.mysql import session, statements
from agtool.migrate_once.engines.mysql.lock import MySQLLock, name_of_holder, take
from agtool.migrate_once.engines.mysql.session import error_number
from agtool.migrate_once.engines.mysql.tables import MISSING, Tables
from agtool.migrate_once.engines.runs import Recorder
from agtool.migrate_once.model import Attempt, Situation, TableName
from agtool.migrate_once.url import Database

if TYPE_CHECKING:
    from pymysql.cursors import Cursor

    from agtool.core.process.tree import Process
    from agtool.migrate_once.documents import Status


class MySQL(Recorder):
    """The port for MySQL and MariaDB. Seconds in time_to_die and connect_timeout."""

    def __init__(
        self,
        database: Database,
        table: TableName | None,
        *,
        time_to_die: float,
        connect_timeout: float = 10.0,
    ) -> None:
        self.database = database
        # Rounded up: never sooner than a silent holder's command is dead.
        self.silence = math.ceil(time_to_die)
        self.connect_timeout = connect_timeout
        self.tables = Tables(database, table, self._connect)
        self.runs = self.tables.runs
        self.lock_name = f"lock of {self.tables.table}"
        self.warnings: Sequence[str] = session.warnings(database)

    def attempt(self, attempt: Attempt, *, look: bool) -> MySQLLock | AlreadyDone | Busy:
        connection = self._connect()
        with ExitStack() as unless_locked, self.tables.translated(), connection.cursor() as cursor:
            unless_locked.callback(session.close, connection)
            if self._is_done(cursor, attempt):
                return AlreadyDone()
            self.tables.prepare(cursor)
            lock = take(connection, self.tables, attempt)
            if lock is None:
                return Busy(self._look(cursor, attempt) if look else None)
            unless_locked.callback(lock.release)
            # By another one, between our look and our lock.
            if self.runs.is_done(cursor, attempt):
                return AlreadyDone()
            unless_locked.pop_all()
            return lock

    def is_held_by(self, processes: Sequence[Process]) -> bool:
        holders = ", ".join(["is_used_lock(%s)"] * len(processes))
        with self._session() as cursor:
            names = map(name_of_holder, processes)
            cursor.execute(f"SELECT is_used_lock(%s) IN ({holders})", (self.tables.lock, *names))
            return cursor.fetchone() == (1,)

    def stop_statements(self, run_ids: Sequence[str]) -> list[Session]:
        with self._session() as cursor:
            return statements.stop(cursor, statements.recorded(cursor, self.runs, run_ids))

    def strangers(
        self, run_ids: Sequence[str], waited: float, horizon: float = 0.0
    ) -> list[Session]:
        with self._session() as cursor:
            known = statements.recorded(cursor, self.runs, run_ids)
            age = statements.age(cursor, self.runs, run_ids)
            return statements.strangers(cursor, known, waited, age, horizon)

    def status(self, limit: int) -> Status:
        from agtool.migrate_once.documents import Status

        with self._session() as cursor:
            try:
                cursor.execute("SELECT is_used_lock(%s) IS NOT NULL", (self.tables.lock,))
                (held,) = cursor.fetchone() or (False,)
                return self.runs.status(cursor, limit, lock=self.lock_name, held=bool(held))
            except pymysql.Error as error:
                if error_number(error) not in MISSING:
                    raise
                return Status(self.lock_name, False, self.runs.now(cursor), [], [], [])

    def _is_done(self, cursor: Cursor, attempt: Attempt) -> bool:
        try:
            return self.runs.is_done(cursor, attempt)
        except pymysql.Error as error:
            if error_number(error) in MISSING:
                return False
            raise

    def _look(self, cursor: Cursor, attempt: Attempt) -> Situation:
        with self._whatever_became_of_it():
            self.runs.note_waiting(cursor, attempt)
        with self._whatever_became_of_it():
            return self.runs.situation(cursor, attempt)
        return Situation(None, 0)

    @contextmanager
    def _whatever_became_of_it(self) -> Iterator[None]:
        """A dump holds the table, or the command has dropped or replaced it: wait all the same."""
        try:
            yield
        except pymysql.Error as error:
            if session.is_lost(error) or error_number(error) in session.NO_RIGHT:
                raise

    def _connect(self) -> session.Session:
        return session.connect(self.database, self.silence, self.connect_timeout)

    @contextmanager
    def _session(self) -> Iterator[Cursor]:
        connection = self._connect()
        try:
            with self.tables.translated(), connection.cursor() as cursor:
                yield cursor
        finally:
            session.close(connection)

    @contextmanager
    def transaction(self) -> Iterator[Cursor]:
        """Both or all of the statements inside, or none: an error ends the session."""
        with self._session() as cursor:
            cursor.execute("START TRANSACTION")
            yield cursor
            cursor.execute("COMMIT")
