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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timezone
from typing import TYPE_CHECKING

import pymysql
from pymysql.constants import ER

from agtool.core.errors import AgtoolError, ConfigurationError, DeniedError
from agtool.core.output import say
from agtool.migrate_once import mysql_session
from agtool.migrate_once.backend import AlreadyDone, Busy, NotYet
from agtool.migrate_once.model import Attempt, Situation, Status, TableName
from agtool.migrate_once.mysql_lock import MySQLLock
from agtool.migrate_once.mysql_session import LOCKED_BY_OTHERS, error_number
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

_MISSING = {ER.NO_SUCH_TABLE, ER.BAD_DB_ERROR}
"""Error numbers: no such table, no such database."""

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


def _literal(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"
