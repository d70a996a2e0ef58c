"""agtool's table in MySQL and MariaDB, which records the runs; and the name of the lock."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import timezone
from typing import TYPE_CHECKING

import pymysql
from pymysql.constants import ER

from agtool.core.errors import AgtoolError, ConfigurationError, DeniedError
from agtool.core.output import say
from agtool.migrate_once.engines.mysql import session as sessions
from agtool.migrate_once.engines.runs import Dialect, RunTable, not_ours
from agtool.migrate_once.model import Attempt, TableName
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

MISSING = {ER.NO_SUCH_TABLE, ER.BAD_DB_ERROR, ER.NO_DB_ERROR}
"""Error numbers: no such table, no such database, the session's own was dropped."""

_ANOTHERS = {ER.BAD_FIELD_ERROR, ER.WRONG_OBJECT, ER.NON_UPDATABLE_TABLE}
"""Error numbers of a statement on another's table or view that has the name of ours."""

READ_ONLY = "@@global.read_only, @@global.innodb_read_only"
"""What refuse_replica wants to know."""

_HAS_TABLES = """EXISTS (SELECT 1 FROM information_schema.tables AS t
 WHERE t.table_schema = database() AND NOT (right(t.table_name, 5) = '_runs' AND EXISTS (
  SELECT 1 FROM information_schema.columns AS c WHERE c.table_schema = t.table_schema
  AND c.table_name = t.table_name AND c.column_name = 'done_key')))"""
"""Whether the URL's database has tables that are not agtool's, this one or another."""

_SEES_ALL = """(EXISTS (SELECT 1 FROM information_schema.schema_privileges AS s
 WHERE database() LIKE s.table_schema) OR EXISTS (SELECT 1
 FROM information_schema.user_privileges AS u WHERE u.privilege_type <> 'USAGE'))"""
"""Whether this account has a right on all of them, and so sees them. A role's are not counted."""

# Transactions for the marker; and keys that differ in case or accents are different keys.
_STORAGE = "ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"


class Tables:
    """The table, and what an error of a statement on it means.

    Attributes:
        apart: the table lies in another database than the URL's.
        signed: this run has left a sign, which stands for the table in an empty database.
        unsigned: it has left none, since there is no place for it.

    Args:
        connect: gives a session of its own.
    """

    def __init__(
        self, database: Database, table: TableName | None, connect: Callable[[], sessions.Session]
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
        self.apart = schema != database.database
        # Unqualified in the URL's database, whose name may hold anything.
        self.runs = self._run_table(table.runs)
        self._seen_by_a_reader = self._run_table(table.runs, f"({_HAS_TABLES} OR NOT {_SEES_ALL})")
        # Names of locks ignore case (and have 64 characters at most); so do some servers' tables.
        digest = hashlib.sha256(str(self.table).lower().encode()).hexdigest()
        self.lock = f"agtool:{digest[:40]}"
        self._connect = connect
        self.signed = self.unsigned = False
        self._warned = False
        self._later: list[str] = []  # statements that an older agtool's table needs

    def _run_table(self, name: TableName, has_tables: str = _HAS_TABLES) -> RunTable:
        marks_of = self.database.database if self.apart else None
        return RunTable(name, _DIALECT, has_tables, marks_of)

    def is_done(self, cursor: Cursor, attempt: Attempt, *, reading: bool = False) -> bool:
        """Whether the attempt's key is done.

        reading: for an account that may see no table but agtool's. Its view is no proof that the
        database is empty, so that the mark counts.
        """
        runs = self._seen_by_a_reader if reading else self.runs
        for before_columns in (False, True):
            try:
                return runs.is_done(cursor, attempt, before_columns=before_columns)
            except pymysql.Error as error:
                if sessions.error_number(error) not in (*MISSING, ER.BAD_FIELD_ERROR):
                    raise
        return False

    def warn(self, cursor: Cursor) -> None:
        """Say once what the server cannot do."""
        if self._warned:
            return
        cursor.execute("SHOW GLOBAL VARIABLES LIKE 'wsrep_on'")
        if cursor.fetchone() == ("wsrep_on", "ON"):
            say(
                f"{self.database} is a node of a Galera cluster, whose nodes do not share locks. "
                "Give every replica the address of the same node",
                "galera",
                level="warning",
            )
        self._warned = True

    def create(self, cursor: Cursor) -> None:
        """Create table and columns that are missing; needs no CREATE when they are there."""
        try:
            cursor.execute(f"SELECT * FROM {self.runs.table} LIMIT 0", ())
        except pymysql.Error as error:
            if sessions.error_number(error) not in MISSING:
                raise
            statements = self._ddl(self.runs)
        else:
            present = {column[0] for column in cursor.description}
            statements = self.missing_columns(present)
        for statement in statements:
            cursor.execute(statement, ())

    def missing_columns(self, present: set[str]) -> list[str]:
        """Statements that add the columns which a table of an older agtool has not got."""
        self._later = self._run_table(self.table.runs).add_columns(present)
        return self.runs.add_columns(present)

    def clear(self, cursor: Cursor) -> bool:
        """Leave no table of ours in the database, if it can be made again later; whether so.

        It is there.
        """
        try:
            cursor.execute(f"DROP TABLE {self.runs.table}", ())
        except pymysql.Error as error:
            if sessions.is_lost(error):
                raise
            return False  # not our right, or somebody dumps it
        return True

    def refuse_replica(self, *read_only: object) -> None:
        """Also to those with SUPER, who could write there: others have their lock elsewhere."""
        if any(str(value) not in ("0", "OFF") for value in read_only):
            raise sessions.replica(self.database, "read_only is on")

    @contextmanager
    def translated(self, *, reading: bool = False) -> Iterator[None]:
        """Errors of statements -> agtool's; reading: of somebody who only reads the runs."""
        try:
            yield
        except pymysql.Error as error:
            if sessions.error_number(error) in sessions.NO_RIGHT:
                ask = self._ask_to_read if reading else self.ask_administrator
                raise ask(sessions.text(self.database, error)) from error
            if sessions.error_number(error) in _ANOTHERS:
                raise not_ours(self.table.runs, sessions.text(self.database, error)) from error
            raise sessions.refused(self.database, error) from error

    def _ddl(self, runs: RunTable) -> list[str]:
        schema = TableName(None, self.schema).quoted("`") if self.schema else None
        return [
            *([f"CREATE DATABASE IF NOT EXISTS {schema}"] if schema else []),
            f"{runs.ddl} {_STORAGE}",
        ]

    def _ask_to_read(self, reason: str) -> DeniedError:
        return DeniedError(
            f"no right to read {self.table.runs} in {self.database}: {reason}",
            hint=f"Let an administrator run this once:\n  {self._grant('SELECT')};",
        )

    def _grant(self, rights: str) -> str:
        user, _, host = (self._account() or "THE_USER@%").rpartition("@")
        table = self.table.runs.quoted("`")
        return f"GRANT {rights} ON {table} TO {_literal(user)}@{_literal(host)}"

    def ask_administrator(self, reason: str) -> DeniedError:
        """That a right is missing, with what gives it."""
        # Qualified, since an administrator's session may have another database.
        qualified = self._run_table(self.table.runs)
        grant = self._grant("SELECT, INSERT, UPDATE, DELETE")
        sql = "".join(
            f"\n  {statement};" for statement in (*self._ddl(qualified), *self._later, grant)
        )
        return DeniedError(
            f"no right to create or use the table {self.table.runs} in {self.database}: {reason}",
            hint=f"Let an administrator run this once:{sql}",
        )

    def _account(self) -> str | None:
        """The account that the server took us for; it may be another than the URL's user."""
        with suppress(AgtoolError, pymysql.Error, OSError), closing(self._connect()) as session:
            cursor = session.cursor()
            cursor.execute("SELECT current_user()")
            return str((cursor.fetchone() or (None,))[0])
        return None


def _literal(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"
