"""MySQL and MariaDB: GET_LOCK, polled, held by a session that proves each second to be alive.

Why so, measured on MariaDB 10.11 and told in docs/explanation/lock.md:

* Schema changes commit implicitly, which ends every transaction's and LOCK TABLES' lock. A named
  lock belongs to the session: commits leave it alone, and it blocks no statement and no dump.
* Its name is the whole server's, so it is a hash of the database's and the table's name. No
  table is needed for it; one records the runs.
* The server frees it when the session has been silent for wait_timeout, so we set that to the
  time in which the holder has noticed and its command is dead (model.time_to_die), not sooner.
  Descendants of a dead agtool hold the socket open, but cannot speak on it: they keep the lock
  for that time, and no longer.
* Sessions carry no tag. Those of the command are found by the ports of its sockets, at each
  heartbeat, and recorded; `stop_statements` knows no others. A session younger than a heartbeat,
  on a Unix socket, or behind a proxy or a network that rewrites ports stays unknown.
* A replica, or another node of a Galera cluster, has locks of its own, which exclude nobody.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timezone
from typing import TYPE_CHECKING

import pymysql
from pymysql.constants import ER

from agtool.core.errors import AgtoolError, ConfigurationError, DeniedError
from agtool.core.output import say
from agtool.core.sockets import local_ports
from agtool.core.tree import descendants
from agtool.migrate_once import mysql_session
from agtool.migrate_once.backend import AlreadyDone, Busy, LockLost, NotYet
from agtool.migrate_once.model import REPLY, Attempt, Run, Situation, Status, TableName
from agtool.migrate_once.mysql_session import LOCKED_BY_OTHERS, Session, error_number
from agtool.migrate_once.runs import Dialect, RunTable
from agtool.migrate_once.url import Database

if TYPE_CHECKING:
    from pymysql.cursors import Cursor

DEFAULT_TABLE = "agtool_install_locks"

_DIALECT = Dialect(
    quote="`",
    placeholder="%s",
    time_type="datetime(6)",
    now="utc_timestamp(6)",
    ago=lambda seconds: f"(utc_timestamp(6) - interval {seconds} second)",
    read_time=lambda value: value.replace(tzinfo=timezone.utc),
)

_READ_ONLY = "@@global.read_only, @@global.innodb_read_only"

# Transactions for the marker; and keys that differ in case or accents are different keys.
_STORAGE = "ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"


class MySQL:
    """The port for MySQL and MariaDB."""

    def __init__(
        self,
        database: Database,
        table: TableName | None,
        *,
        time_to_die: float,
        connect_timeout: float = 10.0,
    ) -> None:
        table = table or TableName(None, DEFAULT_TABLE)
        schema = table.schema or database.database
        if schema is None:
            raise ConfigurationError(
                "the database URL names no database",
                hint="Add it to the URL, or give --lock-table DATABASE.TABLE.",
            )
        self.database = database
        self.schema = table.schema
        self.table = TableName(schema, table.table)
        # Unqualified in the URL's database, whose name may hold anything.
        self.runs = RunTable(table.runs, _DIALECT)
        # Names of locks ignore case (and have 64 characters at most); so do some servers' tables.
        digest = hashlib.sha256(str(self.table).lower().encode()).hexdigest()
        self.name = f"agtool:{digest[:40]}"
        # Rounded up: never sooner than a silent holder's command is dead.
        self.silence = math.ceil(time_to_die)
        self.prepared = False
        self.pooled = False
        self.connect_timeout = connect_timeout
        self.warnings: Sequence[str] = ()

    @property
    def lock_name(self) -> str:
        return f"lock of {self.table}"

    def environment(self, attempt: Attempt) -> dict[str, str]:
        """Nothing: clients have no variable in common that marks a session."""
        return {}

    def attempt(self, attempt: Attempt, *, look: bool) -> MySQLLock | AlreadyDone | Busy:
        session = mysql_session.connect(self.database, self.silence, self.connect_timeout)
        try:
            with self.translated(), session.cursor() as cursor:
                if attempt.key is not None and self._is_done(cursor, attempt.name, attempt.key):
                    mysql_session.close(session)
                    return AlreadyDone()
                if not self.prepared:
                    self._prepare(cursor)
                if self._take(cursor):
                    lock = MySQLLock(self, session, attempt)
                    # Done by another one between our look and our lock.
                    if attempt.key is not None and self.runs.is_done(
                        cursor, attempt.name, attempt.key
                    ):
                        lock.release()
                        return AlreadyDone()
                    return lock
                situation = self._look(cursor, attempt) if look else None
        except BaseException:
            mysql_session.close(session)
            raise
        mysql_session.close(session)
        return Busy(situation)

    def record_start(self, attempt: Attempt, patience: float) -> None:
        with self._transaction() as cursor:
            self.runs.record_start(cursor, attempt, patience)

    def record_end(self, run_id: str, state: str, exit_code: int | None) -> None:
        with self._transaction() as cursor:
            self.runs.record_end(cursor, run_id, state, exit_code)

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
            known = {session for (sessions,) in cursor.fetchall() for session in sessions.split()}
            if not known:
                return 0
            cursor.execute("SELECT id, host, command FROM information_schema.processlist")
            active = [
                int(ident)
                for ident, host, command in cursor.fetchall()
                if f"{ident}@{host}" in known and command != "Sleep"
            ]
            for session in active:
                try:
                    cursor.execute(f"KILL {session}")
                except pymysql.Error as error:
                    if error_number(error) not in (ER.NO_SUCH_THREAD, ER.KILL_DENIED_ERROR):
                        raise
            return len(active)

    def status(self, limit: int) -> Status:
        with self._session() as cursor:
            try:
                cursor.execute("SELECT is_used_lock(%s) IS NOT NULL", (self.name,))
                (held,) = cursor.fetchone() or (False,)
                return Status(
                    held=bool(held),
                    now=self.runs.now(cursor),
                    running=self.runs.unfinished(cursor),
                    waiting=self.runs.waiting(cursor),
                    history=self.runs.history(cursor, limit),
                )
            except pymysql.Error as error:
                if error_number(error) not in _MISSING:
                    raise
                return Status(False, self.runs.now(cursor), [], [], [])

    # -- the lock -------------------------------------------------------------------------

    def _is_done(self, cursor: Cursor, name: str, key: str) -> bool:
        try:
            return self.runs.is_done(cursor, name, key)
        except pymysql.Error as error:
            if error_number(error) in _MISSING:
                return False
            raise

    def _take(self, cursor: Cursor) -> bool:
        cursor.execute(f"SELECT {_READ_ONLY}, get_lock(%s, 0)", (self.name,))
        *read_only, taken = cursor.fetchone() or (0, 0, None)
        self._refuse_replica(*read_only)
        if taken is None:
            raise NotYet(f"{self.database} could not answer GET_LOCK")
        return bool(taken)

    def _refuse_replica(self, *read_only: object) -> None:
        """Also to those with SUPER, who could write there: others have their lock elsewhere."""
        if any(str(value) not in ("0", "OFF") for value in read_only):
            raise mysql_session.replica(self.database, "read_only is on")

    def _look(self, cursor: Cursor, attempt: Attempt) -> Situation:
        try:
            self.runs.note_waiting(cursor, attempt)
        except pymysql.Error as error:
            # A dump holds the table for longer than we want to wait. We can still look.
            if error_number(error) not in LOCKED_BY_OTHERS:
                raise
        return self.runs.situation(cursor, attempt)

    # -- the table ------------------------------------------------------------------------

    def _prepare(self, cursor: Cursor) -> None:
        """Create the runs table if missing, without needing CREATE when it is there."""
        cursor.execute(f"SELECT {_READ_ONLY}")
        self._refuse_replica(*(cursor.fetchone() or ()))
        try:
            cursor.execute(f"SELECT 1 FROM {self.runs.table} LIMIT 0", ())
        except pymysql.Error as error:
            if error_number(error) not in _MISSING:
                raise
            for statement in self._ddl(self.runs):
                cursor.execute(statement, ())
        cursor.execute("SHOW GLOBAL VARIABLES LIKE 'wsrep_on'")
        if cursor.fetchone() == ("wsrep_on", "ON"):
            say(
                f"warning: {self.database} is a node of a Galera cluster, which does not share "
                "locks: give every replica the address of the same node"
            )
        self.prepared = True

    def _ddl(self, runs: RunTable) -> list[str]:
        schema = TableName(None, self.schema).quoted("`") if self.schema else None
        return [
            *([f"CREATE DATABASE IF NOT EXISTS {schema}"] if schema else []),
            f"{runs.ddl} {_STORAGE}",
        ]

    def _ask_administrator(self, reason: str) -> DeniedError:
        # Qualified, since an administrator's session may have another database.
        qualified = RunTable(self.table.runs, _DIALECT)
        user, _, host = (self._account() or "THE_USER@%").rpartition("@")
        grant = (
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON {qualified.table} "
            f"TO {_literal(user)}@{_literal(host)}"
        )
        sql = "".join(f"\n  {statement};" for statement in (*self._ddl(qualified), grant))
        return DeniedError(
            f"no right to create or use the table {self.table.runs} in {self.database}: {reason}",
            hint=f"Let an administrator run this once:{sql}",
        )

    def _account(self) -> str | None:
        """The account that the server took us for; it may be another than the URL's user."""
        try:
            session = mysql_session.connect(self.database, self.silence, self.connect_timeout)
        except AgtoolError:
            return None
        try:
            with session.cursor() as cursor:
                cursor.execute("SELECT current_user()")
                return str((cursor.fetchone() or (None,))[0])
        except pymysql.Error:
            return None
        finally:
            mysql_session.close(session)

    # -- sessions -------------------------------------------------------------------------

    @contextmanager
    def _session(self) -> Iterator[Cursor]:
        session = mysql_session.connect(self.database, self.silence, self.connect_timeout)
        try:
            with self.translated(), session.cursor() as cursor:
                yield cursor
        finally:
            mysql_session.close(session)

    @contextmanager
    def _transaction(self) -> Iterator[Cursor]:
        """Both or all of the statements inside, or none: an error ends the session."""
        with self._session() as cursor:
            cursor.execute("START TRANSACTION")
            yield cursor
            cursor.execute("COMMIT")

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Errors of statements -> agtool's."""
        try:
            yield
        except pymysql.Error as error:
            if mysql_session.lacks_right(error):
                reason = mysql_session.text(self.database, error)
                raise self._ask_administrator(reason) from error
            raise mysql_session.refused(self.database, error) from error


class MySQLLock:
    """The held lock: a session that has it."""

    def __init__(self, backend: MySQL, session: Session, attempt: Attempt) -> None:
        self._backend = backend
        self._session = session
        self._attempt = attempt
        self._own: tuple[str | None, int] | None = None
        self._known: set[str] = set()
        self._noted: set[str] = set()

    @property
    def keep_open(self) -> int:
        return self._session.fileno()

    @property
    def watch(self) -> Sequence[int]:
        return (self._session.fileno(),)

    def check(self, command: int | None = None) -> None:
        with self._statement() as cursor:
            self._prove(cursor)
            if command is not None:
                self._note_sessions(cursor, command)

    def unfinished(self) -> list[Run]:
        try:
            with self._backend.translated(), self._session.cursor() as cursor:
                return self._backend.runs.unfinished(cursor)
        except NotYet as error:
            raise LockLost(error.message) from error

    def finish(self, state: str, exit_code: int) -> None:
        """First the record, then the release: a successor must see the record.

        The session that commits the record is the one that has the lock, and nothing but the
        session's end (or RELEASE_LOCK) takes it away; so what is committed was held. The proof
        within the transaction is against a proxy that changes sessions under our feet. After the
        commit nothing can make the record untrue, so a failing release is no loss.
        """
        give_up = time.monotonic() + REPLY
        while True:
            try:
                with self._statement() as cursor:
                    cursor.execute("START TRANSACTION")
                    self._backend.runs.record_end(cursor, self._attempt.run_id, state, exit_code)
                    self._prove(cursor)
                    cursor.execute("COMMIT")
                break
            except LockLost as error:
                # A dump may have the runs table locked for the moment.
                if not _is_locked_by_others(error.__cause__) or time.monotonic() > give_up:
                    mysql_session.close(self._session)  # rolls back
                    raise
        self.release()

    def release(self) -> None:
        # The end of a session frees its lock too, but after we have gone on.
        with suppress(pymysql.Error, OSError), self._session.cursor() as cursor:
            cursor.execute("SELECT release_lock(%s)", (self._backend.name,))
        mysql_session.close(self._session)

    def _prove(self, cursor: Cursor) -> None:
        cursor.execute("SELECT is_used_lock(%s) = connection_id()", (self._backend.name,))
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
                self._backend.runs.note_sessions(
                    cursor, self._attempt.run_id, " ".join(sorted(self._known))
                )
            except pymysql.Error as error:
                # A dump has locked the table. That must not cost us the lock: later, then.
                if error_number(error) not in LOCKED_BY_OTHERS:
                    raise
            else:
                self._noted = self._known

    def _own_place(self, cursor: Cursor) -> tuple[str | None, int]:
        """Our host as the server sees it (None: it sees another port than ours), and our port."""
        cursor.execute("SELECT host FROM information_schema.processlist WHERE id = connection_id()")
        (place,) = cursor.fetchone() or ("",)
        host, _, port = str(place).rpartition(":")
        own = self._session.local_port()
        return (host if port == str(own) else None), own

    @contextmanager
    def _statement(self) -> Iterator[Cursor]:
        try:
            with self._session.cursor() as cursor:
                yield cursor
        except pymysql.Error as error:
            raise LockLost(mysql_session.text(self._backend.database, error)) from error


_MISSING = {ER.NO_SUCH_TABLE, ER.BAD_DB_ERROR}
"""Error numbers: no such table, no such database."""


def _is_locked_by_others(error: BaseException | None) -> bool:
    return isinstance(error, pymysql.Error) and error_number(error) in LOCKED_BY_OTHERS


def _literal(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"
