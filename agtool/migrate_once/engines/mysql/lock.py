"""The lock in MySQL and MariaDB: how it is taken, proved to be held, and released."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pymysql
from pymysql.constants import ER

from agtool.core.process.tree import descendants, local_ports
from agtool.migrate_once.backend import Exhausted, LockLost, NotYet
from agtool.migrate_once.engines.mysql import session as sessions
from agtool.migrate_once.engines.mysql import signs, statements
from agtool.migrate_once.engines.mysql.proof import Counted
from agtool.migrate_once.engines.mysql.tables import MISSING, READ_ONLY, Tables
from agtool.migrate_once.model import REPLY, Attempt, End, Unfinished

if TYPE_CHECKING:
    from pymysql.cursors import Cursor


def take(
    session: sessions.Session,
    tables: Tables,
    attempt: Attempt,
    before: Counted | None = None,
    patience: float = 0.0,
) -> MySQLLock | None:
    """The lock; None: another session has it.

    before, patience: as for `proof`.

    Raises:
        pymysql.Error: the statement failed.
        NotYet: the server could not answer.
        DeniedError: it is a replica.
    """
    with session.cursor() as cursor:
        cursor.execute(f"SELECT {READ_ONLY}, get_lock(%s, 0)", (tables.lock,))
        *read_only, taken = cursor.fetchone() or (0, 0, None)
    tables.refuse_replica(*read_only)
    if taken is None:
        raise NotYet(f"{tables.database} could not answer GET_LOCK")
    return MySQLLock(session, tables, attempt, before, patience) if taken else None


class MySQLLock:
    """The held lock: a session that has it."""

    pooled = False

    def __init__(
        self,
        session: sessions.Session,
        tables: Tables,
        attempt: Attempt,
        before: Counted | None = None,
        patience: float = 0.0,
    ) -> None:
        self._session = session
        self._before = before
        self._patience = patience
        self._since = time.monotonic()
        self.keep_open = session.fileno()
        self.watch: Sequence[int] = (self.keep_open,)
        self._tables = tables
        self._attempt = attempt
        self._own: tuple[str | None, int] | None = None
        self._known: set[str] = set()
        self._noted: set[str] = set()

    def check(self, command: int | None = None) -> None:
        with self._statement() as cursor:
            self._prove(cursor)
            if command is not None:
                self._note_sessions(cursor, command)

    def is_done(self) -> bool:
        """Whether the attempt's key is done."""
        with self._session.cursor() as cursor:
            return self._tables.is_done(cursor, self._attempt)

    def unfinished(self) -> list[Unfinished]:
        tables = self._tables
        with self._translated(), self._session.cursor() as cursor:
            sign = signs.read(cursor, tables.lock)
            found = [sign.unfinished()] if sign is not None else []
            try:
                return found + tables.runs.unfinished(cursor)
            except pymysql.Error as error:
                if sessions.error_number(error) not in MISSING:
                    raise
            if not found and not tables.apart and not signs.has_place(cursor, tables.lock):
                direct = self._own_place(cursor)[0] is not None
                counted = Counted.look(cursor)
                if not (direct and counted.proves(self._before, self._patience)):
                    found.append(Unfinished("", "", self._patience))
            return found

    def exhausted(self) -> Exhausted | None:
        with self._translated(), self._session.cursor() as cursor:
            try:
                return self._tables.runs.exhausted(cursor, self._attempt)
            except pymysql.Error as error:
                if sessions.error_number(error) not in (*MISSING, ER.BAD_FIELD_ERROR):
                    raise
                return None

    def stop_statements(self, run_ids: Sequence[str]) -> int:
        with self._translated(), self._session.cursor() as cursor:
            if list(run_ids) == [self._attempt.run_id]:
                return statements.stop(cursor, self._known)  # not all may be recorded
            known = statements.recorded(cursor, self._tables.runs, run_ids)
            if known is None:
                return statements.unknown(cursor, time.monotonic() - self._since)
            return statements.stop(cursor, known)

    def finish(self, end: End) -> str | None:
        """First the record, then the release: a successor must see the record.

        The session that commits the record is the one that has the lock, and nothing but the
        session's end (or RELEASE_LOCK) takes it away; so what is committed was held. The proof
        within the transaction is against a proxy that changes sessions under our feet. After the
        commit nothing can make the record untrue, so a failing release is no loss.
        """
        try:
            with self._statement() as cursor:
                problem = self._record(cursor, end)
        except LockLost:
            sessions.close(self._session)  # rolls back
            raise
        self.release()
        return problem

    def _record(self, cursor: Cursor, end: End) -> str | None:
        """Record the end; what stands in the way of it."""
        give_up = time.monotonic() + REPLY - 2  # a last try may take so long
        mend = False
        while True:
            try:
                if mend:
                    self._tables.create(cursor)
                cursor.execute("START TRANSACTION")
                if mend:
                    self._tables.runs.restore(cursor)
                recorded = self._tables.runs.record_end(cursor, self._attempt, end)
                self._prove(cursor)
                cursor.execute("COMMIT")
                if self._tables.signed:
                    signs.remove(cursor, self._tables.lock, self._attempt.run_id)
                return None if recorded else f"{self._tables.table.runs} does not take it"
            except pymysql.Error as error:
                if sessions.is_lost(error):
                    raise
                cursor.execute("ROLLBACK")
                # A dump may have the table locked for the moment.
                locked = sessions.locked_by_others(error) and time.monotonic() < give_up
                if mend and not locked:
                    return sessions.text(self._tables.database, error)
                mend = mend or not locked

    def release(self) -> None:
        # The end of a session frees its lock too, but after we have gone on.
        with suppress(pymysql.Error, OSError), self._session.cursor() as cursor:
            cursor.execute("SELECT release_lock(%s)", (self._tables.lock,))
        sessions.close(self._session)

    def _prove(self, cursor: Cursor) -> None:
        cursor.execute("SELECT is_used_lock(%s) = connection_id()", (self._tables.lock,))
        if cursor.fetchone() != (1,):
            raise LockLost("the server says that this session does not hold the lock")

    def _note_sessions(self, cursor: Cursor, command: int) -> None:
        """Record which of the server's sessions belong to the command's processes.

        A session stays recorded until the server has ended it: when its process dies, its
        statement goes on.
        """
        if self._own is None:
            self._own = self._own_place(cursor)
        host, own_port = self._own
        # The command has inherited the lock's own socket.
        ports = local_ports([command, *descendants(command)]) - {own_port}
        if host is not None and ports:
            cursor.execute("SELECT id, host FROM information_schema.processlist")
            places = {f"{host}:{port}" for port in ports}
            self._known = {
                session
                for ident, place in cursor.fetchall()
                if (session := f"{ident}@{place}") in self._known or place in places
            }
        if self._known != self._noted:
            try:
                self._tables.runs.note_sessions(
                    cursor, self._attempt.run_id, " ".join(sorted(self._known))
                )
            except pymysql.Error as error:
                # The command has dropped the table, or a dump has locked it. That must not cost
                # us the lock: later, then.
                if sessions.is_lost(error):
                    raise
            else:
                self._noted = self._known

    def _own_place(self, cursor: Cursor) -> tuple[str | None, int]:
        """Our host as the server sees it, and our port, which is 0 on a Unix socket.

        None as the host: the server sees another port than ours, since somebody stands between.
        """
        cursor.execute("SELECT host FROM information_schema.processlist WHERE id = connection_id()")
        (place,) = cursor.fetchone() or ("",)
        host, _, port = str(place).rpartition(":")
        own = self._session.local_port()
        return (host if port == str(own) or not own else None), own

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            with self._tables.translated():
                yield
        except NotYet as error:
            raise LockLost(error.message) from error

    @contextmanager
    def _statement(self) -> Iterator[Cursor]:
        try:
            with self._session.cursor() as cursor:
                yield cursor
        except pymysql.Error as error:
            raise LockLost(sessions.text(self._tables.database, error)) from error
