"""agtool's tables in PostgreSQL: one is locked, the other records the runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import TYPE_CHECKING

import psycopg2
import psycopg2.errors

from agtool.core.errors import DeniedError
from agtool.migrate_once.backend import Exhausted, NotYet
from agtool.migrate_once.engines.postgresql.session import first_line, refused, transaction
from agtool.migrate_once.engines.runs import Dialect, RunTable, key_of, not_ours
from agtool.migrate_once.model import Attempt, TableName
from agtool.migrate_once.url import Database

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor

    from agtool.migrate_once.documents import Key

DEFAULT_TABLE = TableName("agtool", "install_locks")

_DIALECT = Dialect(
    quote='"',
    placeholder="%s",
    time_type="timestamptz",
    now="clock_timestamp()",
    ago=lambda seconds: f"clock_timestamp() - interval '{seconds} seconds'",
    read_time=lambda value: value,
)


MISSING = (
    psycopg2.errors.UndefinedTable,
    psycopg2.errors.InvalidSchemaName,
    psycopg2.errors.UndefinedColumn,
    psycopg2.errors.InternalError_,
)
"""Errors of a statement on a table that is not there, is another, or is being dropped."""

_RACES = (
    psycopg2.errors.UniqueViolation,
    psycopg2.errors.DuplicateObject,
    psycopg2.errors.DuplicateSchema,
    psycopg2.errors.DuplicateTable,
    psycopg2.errors.InternalError_,  # tuple concurrently updated
)

NOT_RECORDED = (*MISSING, *_RACES, psycopg2.errors.InsufficientPrivilege)
"""Errors that leave the end of another's run without a record, which is no reason not to go on."""

_ANOTHERS = (
    psycopg2.errors.UndefinedColumn,
    psycopg2.errors.WrongObjectType,
    psycopg2.errors.ObjectNotInPrerequisiteState,
)
"""Errors of a statement on another's table or view that has the name of ours."""

# The numbers of objects of users begin with 16384.
_HAS_TABLES = """EXISTS (SELECT 1 FROM pg_catalog.pg_class AS c
 WHERE c.oid >= 16384 AND c.relkind IN ('r', 'p', 'f') AND c.relpersistence <> 't'
 AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_attribute AS a WHERE a.attname = 'done_key'
  AND a.attrelid IN (c.oid, (SELECT runs.oid FROM pg_catalog.pg_class AS runs
   WHERE runs.relnamespace = c.relnamespace AND runs.relname = c.relname || '_runs')))
 AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend AS d
  WHERE d.classid = 1259 AND d.objid = c.oid AND d.deptype = 'e'))"""
"""Whether there are tables that are not the system's, nor agtool's (this one or another pair),
nor an extension's."""


class Tables:
    """The tables, their names for SQL, and what an error of a statement on them means.

    Attributes:
        sign: the number of this run's sign, which stands for them in an empty database.
    """

    def __init__(self, database: Database, table: TableName | None) -> None:
        table = table or DEFAULT_TABLE
        # An unqualified name would mean another table to a role with another search_path.
        self.table = table if table.schema else TableName("public", table.table)
        self.locked = self.table.quoted(_DIALECT.quote)
        self.advisory_name = f"agtool:{self.table}"
        self.runs = RunTable(self.table.runs, _DIALECT, _HAS_TABLES)
        self.database = database
        self.sign: int | None = None
        self._prepared = False
        self._later: list[str] = []  # statements that an older agtool's table needs

    def is_done(self, look: Callable[[], AbstractContextManager[Cursor]], attempt: Attempt) -> bool:
        """Whether the attempt's key is done; look: gives a cursor, and cleans up after an error."""
        if attempt.key is None:
            return False
        try:
            with suppress(psycopg2.errors.UndefinedColumn), look() as cursor:
                return self.runs.is_done(cursor, attempt)
            with look() as cursor:
                return self.runs.is_done(cursor, attempt, before_columns=True)
        except MISSING:
            return False

    def exhausted(
        self, look: Callable[[], AbstractContextManager[Cursor]], attempt: Attempt
    ) -> Exhausted | None:
        """Whether the attempt's key has failed too often; look: as for is_done."""
        if attempt.attempts is not None:
            with suppress(*MISSING), look() as cursor:
                return self.runs.exhausted(cursor, attempt)
        return None

    def key(
        self, look: Callable[[], AbstractContextManager[Cursor]], attempt: Attempt | None
    ) -> Key | None:
        """What is known of the attempt's key; look: as for is_done."""
        if attempt is None:
            return None
        failures: list[tuple[str, int | None]] = []
        with suppress(*MISSING), look() as cursor:
            failures = self.runs.failures(cursor, attempt)
        return key_of(attempt, done=self.is_done(look, attempt), failures=failures)

    def prepare(self, connection: Connection, application_name: str) -> None:
        """Create the tables in a transaction of its own.

        CREATE ... IF NOT EXISTS fails in a race (23505 on pg_type or pg_namespace), so look
        first, and look again after a failure.
        """
        if self._prepared:
            return
        for _ in range(50):
            try:
                with transaction(connection, application_name) as cursor:
                    self.create(cursor)
                self._prepared = True
                return
            except _RACES:
                continue
        raise self._raced()

    def create(self, cursor: Cursor) -> None:
        """Create schema, tables and columns that are missing, in the cursor's transaction.

        Needs no right to create when they are there.
        """
        cursor.execute(
            "SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = %s), "
            "to_regclass(%s), to_regclass(%s), "
            "ARRAY(SELECT attname::text FROM pg_attribute WHERE attrelid = to_regclass(%s))",
            (self.table.schema, self.locked, self.runs.table, self.runs.table),
        )
        *present, columns = cursor.fetchone() or (False, None, None, [])
        statements = [
            statement
            for statement, is_there in zip(self._ddl, present, strict=True)
            if not is_there
        ]
        if columns:
            statements += self.missing_columns(set(columns))
        if statements:
            cursor.execute("; ".join(statements))

    def missing_columns(self, present: set[str]) -> list[str]:
        """Statements that add the columns which a table of an older agtool has not got."""
        self._later = self.runs.add_columns(present)
        return self._later

    def clear(self, cursor: Cursor) -> bool:
        """Leave nothing of ours in the database, if it can be made again later; whether so."""
        cursor.execute("SAVEPOINT clear; SET LOCAL lock_timeout = '2s'")
        try:
            cursor.execute(f"DROP TABLE IF EXISTS {self.runs.table}, {self.locked}")
            self._drop_schema(cursor)
            cursor.execute("SAVEPOINT made")
            self.create(cursor)
            cursor.execute("ROLLBACK TO SAVEPOINT made")
        except (
            psycopg2.errors.InsufficientPrivilege,
            psycopg2.errors.DependentObjectsStillExist,
            psycopg2.errors.LockNotAvailable,  # somebody dumps the database
        ):
            cursor.execute("ROLLBACK TO SAVEPOINT clear")
            return False
        return True

    def _drop_schema(self, cursor: Cursor) -> None:
        """Drop our own schema, if nothing else is in it."""
        if self.table.schema != DEFAULT_TABLE.schema:
            return
        cursor.execute("SAVEPOINT schema")
        try:
            cursor.execute(f"DROP SCHEMA IF EXISTS {DEFAULT_TABLE.schema}")
        except (
            psycopg2.errors.InsufficientPrivilege,
            psycopg2.errors.DependentObjectsStillExist,
        ):
            cursor.execute("ROLLBACK TO SAVEPOINT schema")

    @contextmanager
    def translated(self, *, reading: bool = False) -> Iterator[None]:
        """Errors of statements -> agtool's; reading: of somebody who only reads the runs."""
        try:
            yield
        except psycopg2.errors.InsufficientPrivilege as error:
            ask = self._ask_to_read if reading else self.ask_administrator
            raise ask(self.database.redact(first_line(error))) from error
        except _RACES as error:
            raise self._raced() from error
        except _ANOTHERS as error:
            raise not_ours(self.table.runs, self.database.redact(first_line(error))) from error
        except psycopg2.Error as error:
            raise refused(self.database, error) from error

    def _raced(self) -> NotYet:
        return NotYet(f"cannot create {self.table}: other replicas create it at the same time")

    @property
    def _ddl(self) -> list[str]:
        return [
            f'CREATE SCHEMA IF NOT EXISTS "{self.table.schema}"',
            f"CREATE TABLE IF NOT EXISTS {self.locked} ()",
            self.runs.ddl,
        ]

    def _ask_to_read(self, reason: str) -> DeniedError:
        user = self.database.user or "THE_USER"
        return DeniedError(
            f"no right to read {self.table.runs} in {self.database}: {reason}",
            hint="Let its owner run this once in that database:"
            f'\n  GRANT USAGE ON SCHEMA "{self.table.schema}" TO "{user}";'
            f'\n  GRANT SELECT ON {self.runs.table} TO "{user}";',
        )

    def ask_administrator(self, reason: str) -> DeniedError:
        """That a right is missing, with what gives it."""
        user = self.database.user or "THE_USER"
        grants = [
            f'GRANT USAGE ON SCHEMA "{self.table.schema}" TO "{user}"',
            f'GRANT SELECT, INSERT, UPDATE, DELETE ON {self.locked}, {self.runs.table} TO "{user}"',
        ]
        statements = self._ddl + self._later + grants
        sql = "".join(f"\n  {statement};" for statement in statements)
        return DeniedError(
            f"no right to create or use the lock table {self.table} in {self.database}: {reason}",
            hint=f"Let an administrator run this once in that database:{sql}",
        )
