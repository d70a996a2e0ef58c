"""The lock in MySQL and MariaDB: how it is taken, proved to be held, and released."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pymysql
from pymysql.constants import ER

from agtool.core.finding import Finding
from agtool.core.process.connections import connection_of, connections_of
from agtool.core.process.tree import Process, descendants, this_process
from agtool.migrate_once.backend import Exhausted, LockLost, NotYet, Session
from agtool.migrate_once.engines.mysql import session as sessions
from agtool.migrate_once.engines.mysql import signs, statements
from agtool.migrate_once.engines.mysql.proof import Counted
from agtool.migrate_once.engines.mysql.tables import MISSING, READ_ONLY, Tables
from agtool.migrate_once.findings import not_seen
from agtool.migrate_once.model import REPLY, Attempt, End, Unfinished, new_run_id

if TYPE_CHECKING:
    from pymysql.cursors import Cursor


_RIGHTS = "PROCESS and the right to end other accounts' sessions, CONNECTION_ADMIN"
"""What lets us see and end the sessions of other accounts."""


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
        # The second says who has the first: see `MySQL.is_held_by`.
        cursor.execute(
            f"SELECT {READ_ONLY}, CASE get_lock(%s, 0) WHEN 1 THEN get_lock(%s, 0) WHEN 0 THEN 0 "
            "END",
            (tables.lock, name_of_holder(tables, this_process())),
        )
        *read_only, taken = cursor.fetchone() or (0, 0, None)
    tables.refuse_replica(*read_only)
    if taken is None:
        raise NotYet(f"{tables.database} could not answer GET_LOCK")
    return MySQLLock(session, tables, attempt, before, patience) if taken else None


def name_of_holder(tables: Tables, process: Process | None) -> str:
    """The name of the lock that a holder has beside the lock itself."""
    name = f"{tables.lock} {process.name if process else new_run_id()}"
    return f"agtool:{hashlib.sha256(name.encode()).hexdigest()[:40]}"


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
        self.keep_open = session.fileno()
        self.watch: Sequence[int] = (self.keep_open,)
        self._tables = tables
        self._attempt = attempt
        self._began = time.monotonic()
        self._own = connection_of(self.keep_open)
        self._host: str | None = None
        self._known: set[str] = set()
        self._noted: set[str] = set()
        # The number of the server's latest session when all of the command's were known.
        self.horizon: float = 0
        self._latest = 0
        self._unseen: set[str] = set()
        self._told = False
        self._doubts = False  # whether an earlier command may be alive, of which nothing tells
        self._findings: list[Finding] = []

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
                counted = Counted.look(cursor)
                if not (self._is_direct(cursor) and counted.proves(self._before, self._patience)):
                    self._doubts = True
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

    def observe(self, command: int) -> list[Finding]:
        """What `check` found, whose session may look. Nothing waits for one that has GET_LOCK."""
        found, self._findings = self._findings, []
        return found

    def stop_statements(self, run_ids: Sequence[str]) -> list[Session]:
        with self._translated(), self._session.cursor() as cursor:
            if list(run_ids) == [self._attempt.run_id]:
                return statements.stop(cursor, self._known)  # not all may be recorded
            return statements.stop(cursor, statements.recorded(cursor, self._tables.runs, run_ids))

    def strangers(self, run_ids: Sequence[str], waited: float) -> list[Session]:
        with self._translated(), self._session.cursor() as cursor:
            if list(run_ids) == [self._attempt.run_id]:
                age, known = time.monotonic() - self._began, self._known
                horizon = self.horizon
            else:
                age = statements.age(cursor, self._tables.runs, run_ids)
                known = statements.recorded(cursor, self._tables.runs, run_ids)
                horizon = 0.0
            return statements.strangers(cursor, known, waited, age, horizon)

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
        self._end_in_order()
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
        """Where only the server's count tells of a run, it has to tell of this one, too.

        Else who saw us hold the lock would take its end in order for the end of all before it.
        """
        if self._doubts or self._tables.unsigned:
            sessions.abandon(self._session)
        else:
            self._end_in_order()

    def _end_in_order(self) -> None:
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
        own = self._own
        if self._host is None:
            self._is_direct(cursor)
        if own is None or not self._host:
            return
        # The command has inherited the lock's own socket.
        found = connections_of([command, *descendants(command)]) - {own}
        places = {f"{self._host}:{one.port}" for one in found if one[1:] == own[1:]}
        if places or self._known:
            cursor.execute("SELECT id, host FROM information_schema.processlist")
            rows = cursor.fetchall()
            self._known = {
                session
                for ident, place in rows
                if (session := f"{ident}@{place}") in self._known or place in places
            }
            # Not this look's: its latest may have come after we looked for connections.
            self.horizon, self._latest = self._latest, max(ident for ident, _ in rows)
            self._tell_unseen(places - {place for _, place in rows})
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

    def _tell_unseen(self, places: set[str]) -> None:
        """Of connections that were made twice a heartbeat ago; a new one has no session yet."""
        if (again := places & self._unseen) and not self._told:
            self._told = True
            ports = sorted(int(place.rpartition(":")[2]) for place in again)
            self._findings.append(not_seen(ports, _RIGHTS))
        self._unseen = places

    def _is_direct(self, cursor: Cursor) -> bool:
        """Whether nobody stands between us and the server; if so, how it calls our host is known.

        Somebody does if the server sees another port than ours.
        """
        if self._own is None:  # a Unix socket
            return True
        cursor.execute(
            "SELECT id, host FROM information_schema.processlist WHERE id = connection_id()"
        )
        ident, place = cursor.fetchone() or (0, "")
        host, _, port = str(place).rpartition(":")
        self._host = host if port == str(self._own.port) else ""
        # The command's sessions are later ones.
        self.horizon = self._latest = ident if self._host else 0
        return bool(self._host)

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
