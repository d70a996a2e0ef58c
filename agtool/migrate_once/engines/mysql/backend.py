"""The port for MySQL and MariaDB; why it is as it is stands in the package's text.

What takes the lock is imported where it is used: who finds nothing to do does not need it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING, TypeVar

import pymysql

from agtool.migrate_once.backend import AlreadyDone, Busy, Exhausted, Session, Survey
from agtool.migrate_once.engines.mysql import session, signs, statements
from agtool.migrate_once.engines.mysql.parameters import warnings
from agtool.migrate_once.engines.mysql.proof import Counted
from agtool.migrate_once.engines.mysql.session import error_number
from agtool.migrate_once.engines.mysql.tables import Tables
from agtool.migrate_once.engines.runs import key_of
from agtool.migrate_once.engines.sign import Sign
from agtool.migrate_once.model import Attempt, Situation, TableName
from agtool.migrate_once.url import Database

if TYPE_CHECKING:
    from pymysql.cursors import Cursor

    from agtool.core.process.tree import Process
    from agtool.migrate_once.documents import Key, Status
    from agtool.migrate_once.engines.mysql.lock import MySQLLock

T = TypeVar("T")


class MySQL:
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
        self._before: Counted | None = None
        self.lock_name = f"lock of {self.tables.table}"
        self.warnings: Sequence[str] = warnings(database)

    def attempt(self, attempt: Attempt, *, look: bool) -> MySQLLock | AlreadyDone | Busy:
        connection = self._connect()
        with ExitStack() as unless_locked, self.tables.translated(), connection.cursor() as cursor:
            unless_locked.callback(session.close, connection)
            if self.tables.is_done(cursor, attempt):
                return AlreadyDone()
            from agtool.migrate_once.engines.mysql.lock import take

            self.tables.warn(cursor)
            lock = take(connection, self.tables, attempt, self._before, self.silence)
            if lock is None:
                return Busy(self._look(cursor, attempt) if look else None)
            unless_locked.callback(lock.release)
            # By another one, between our look and our lock.
            if lock.is_done():
                return AlreadyDone()
            unless_locked.pop_all()
            return lock

    def look(self, attempt: Attempt) -> AlreadyDone | Exhausted | Situation:
        with self._session(reading=True) as cursor:
            if self.tables.is_done(cursor, attempt, reading=True):
                return AlreadyDone()
            exhausted = _if_there(lambda: self.runs.exhausted(cursor, attempt))
            return exhausted or self._situation(cursor, attempt)

    def survey(self) -> Survey:
        from agtool.migrate_once.engines.mysql.survey import survey

        with closing(self._connect()) as connection, self.tables.translated():
            return survey(connection, self.tables)

    def is_held_by(self, processes: Sequence[Process]) -> bool:
        from agtool.migrate_once.engines.mysql.lock import name_of_holder

        holders = ", ".join(["is_used_lock(%s)"] * len(processes))
        with self._session(reading=True) as cursor:
            names = [name_of_holder(self.tables, process) for process in processes]
            cursor.execute(f"SELECT is_used_lock(%s) IN ({holders})", (self.tables.lock, *names))
            return cursor.fetchone() == (1,)

    def environment(self, _attempt: Attempt) -> dict[str, str]:
        """Nothing: sessions carry no name."""
        return {}

    def record_start(self, attempt: Attempt, patience: float) -> None:
        """In the table; but an empty database stays so, and a sign is left elsewhere, if it can."""
        tables = self.tables
        with self._session() as cursor:
            tables.create(cursor)
            if not tables.apart and self.runs.is_first_install(cursor):
                self.runs.keep(cursor)
                now = self.runs.now(cursor)
                failed = self.runs.failed_before(cursor, attempt)
                sign = Sign.of(tables.lock, attempt, patience, now, failed)
                tables.signed = signs.write(cursor, sign)
                silent = not signs.has_place(cursor, tables.lock)
                if (tables.signed or silent) and tables.clear(cursor):
                    tables.unsigned = not tables.signed
                    return
                signs.remove(cursor, tables.lock, attempt.run_id)
            cursor.execute("START TRANSACTION")
            self.runs.record_start(cursor, attempt, patience)
            cursor.execute("COMMIT")

    def record_lost(self, run_id: str, exit_code: int | None, *, counts: bool = True) -> None:
        """In the table, which is made for a run that has left a sign, as at its own end."""
        with self._session() as cursor:
            sign = signs.read(cursor, self.tables.lock)
            if sign is None or sign.run_id != run_id:
                _if_there(
                    lambda: self.runs.set_end(cursor, run_id, "lost", exit_code, counts=counts)
                )
                return
            _if_there(lambda: self.tables.create(cursor))
            _if_there(lambda: self.runs.record_signed(cursor, sign, exit_code, counts=counts))
            signs.remove(cursor, self.tables.lock, run_id)

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

    def status(self, limit: int, attempt: Attempt | None = None) -> Status:
        from dataclasses import replace

        from agtool.migrate_once.documents import Status

        with self._session() as cursor:
            cursor.execute("SELECT is_used_lock(%s) IS NOT NULL", (self.tables.lock,))
            held = cursor.fetchone() == (1,)
            now = self.runs.now(cursor)
            sign = signs.read(cursor, self.tables.lock)
            running = [sign.run(now)] if sign is not None else []
            status = _if_there(
                lambda: self.runs.status(cursor, limit, lock=self.lock_name, held=held)
            ) or Status(self.lock_name, held, now, [], None if held else [], [])
            return replace(status, running=running + status.running, key=self._key(cursor, attempt))

    def _key(self, cursor: Cursor, attempt: Attempt | None) -> Key | None:
        if attempt is None:
            return None
        failures = _if_there(lambda: self.runs.failures(cursor, attempt)) or []
        return key_of(attempt, done=self.tables.is_done(cursor, attempt), failures=failures)

    def _look(self, cursor: Cursor, attempt: Attempt) -> Situation:
        """Leave a sign of life; who holds the lock, and what that proves if there is no table."""
        _if_there(lambda: self.runs.note_waiting(cursor, attempt))
        situation = self._situation(cursor, attempt)
        if situation.waiters is None:
            counted = Counted.look(cursor)
            cursor.execute("SELECT is_used_lock(%s) IS NOT NULL", (self.tables.lock,))
            if cursor.fetchone() == (1,):
                self._before = counted
        return situation

    def _situation(self, cursor: Cursor, attempt: Attempt) -> Situation:
        if situation := _if_there(lambda: self.runs.situation(cursor, attempt)):
            return situation
        sign = signs.read(cursor, self.tables.lock)
        return Situation(sign.run(self.runs.now(cursor)) if sign is not None else None, None)

    def _connect(self) -> session.Session:
        return session.connect(self.database, self.silence, self.connect_timeout)

    @contextmanager
    def _session(self, *, reading: bool = False) -> Iterator[Cursor]:
        connection = self._connect()
        try:
            with self.tables.translated(reading=reading), connection.cursor() as cursor:
                yield cursor
        finally:
            session.close(connection)


def _if_there(call: Callable[[], T]) -> T | None:
    """The result; None: our table is not there yet, or a dump holds it, or it is another."""
    try:
        return call()
    except pymysql.Error as error:
        if session.is_lost(error) or error_number(error) in session.NO_RIGHT:
            raise
        return None
