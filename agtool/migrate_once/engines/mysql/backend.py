"""The port for MySQL and MariaDB; why it is as it is stands in the package's text."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pymysql
from pymysql.constants import ER

from agtool.migrate_once.backend import AlreadyDone, Busy
from agtool.migrate_once.engines.mysql import session
from agtool.migrate_once.engines.mysql.lock import MySQLLock, take
from agtool.migrate_once.engines.mysql.parameters import warnings
from agtool.migrate_once.engines.mysql.session import error_number, locked_by_others
from agtool.migrate_once.engines.mysql.tables import MISSING, Tables
from agtool.migrate_once.engines.runs import Recorder
from agtool.migrate_once.model import Attempt, Situation, TableName
from agtool.migrate_once.url import Database

if TYPE_CHECKING:
    from pymysql.cursors import Cursor

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
        self.warnings: Sequence[str] = warnings(database)

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

    def stop_statements(self, run_ids: Sequence[str]) -> int:
        """KILL every session recorded for one of the runs, but idle ones.

        The server ends an idle session of a dead process by itself. One that is being killed
        counts until it is gone, for its statement may take long to roll back; what we may not
        kill counts too: the caller waits for it.
        """
        with self._session() as cursor:
            marks = ", ".join(["%s"] * len(run_ids))
            cursor.execute(
                f"SELECT sessions FROM {self.runs.table} "
                f"WHERE sessions IS NOT NULL AND run_id IN ({marks})",
                tuple(run_ids),
            )
            known = {one for (sessions,) in cursor.fetchall() for one in sessions.split()}
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
        try:
            self.runs.note_waiting(cursor, attempt)
        except pymysql.Error as error:
            # A dump holds the table for longer than we want to wait. We can still look.
            if not locked_by_others(error):
                raise
        return self.runs.situation(cursor, attempt)

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
