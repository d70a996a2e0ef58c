"""agtool's tables in PostgreSQL: one is locked, the other records the runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg2
import psycopg2.errors

from agtool.core.errors import DeniedError
from agtool.migrate_once.backend import NotYet
from agtool.migrate_once.engines.postgresql.session import first_line, refused, transaction
from agtool.migrate_once.engines.runs import Dialect, RunTable
from agtool.migrate_once.model import TableName
from agtool.migrate_once.url import Database

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor

DEFAULT_TABLE = TableName("agtool", "install_locks")

_DIALECT = Dialect(
    quote='"',
    placeholder="%s",
    time_type="timestamptz",
    now="clock_timestamp()",
    ago=lambda seconds: f"clock_timestamp() - interval '{seconds} seconds'",
    read_time=lambda value: value,
)


class Tables:
    """The tables, their names for SQL, and what an error of a statement on them means."""

    def __init__(self, database: Database, table: TableName | None) -> None:
        table = table or DEFAULT_TABLE
        # An unqualified name would mean another table to a role with another search_path.
        self.table = table if table.schema else TableName("public", table.table)
        self.locked = self.table.quoted(_DIALECT.quote)
        self.advisory_name = f"agtool:{self.table}"
        self.runs = RunTable(self.table.runs, _DIALECT)
        self.database = database
        self._prepared = False

    def prepare(self, connection: Connection, application_name: str) -> None:
        """Create schema and tables if missing, without needing CREATE when they are there.

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
            except (
                psycopg2.errors.UniqueViolation,
                psycopg2.errors.DuplicateObject,
                psycopg2.errors.DuplicateSchema,
                psycopg2.errors.DuplicateTable,
                psycopg2.errors.InternalError_,  # tuple concurrently updated
            ):
                continue
        raise NotYet(f"cannot create {self.table}: other replicas create it at the same time")

    def create(self, cursor: Cursor) -> None:
        """Create what is missing, in the cursor's transaction."""
        cursor.execute(
            "SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = %s), "
            "to_regclass(%s), to_regclass(%s)",
            (self.table.schema, self.locked, self.runs.table),
        )
        present = cursor.fetchone() or (False, None, None)
        for statement, is_there in zip(self._ddl, present, strict=True):
            if not is_there:
                cursor.execute(statement)

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Errors of statements -> agtool's."""
        try:
            yield
        except psycopg2.errors.InsufficientPrivilege as error:
            reason = self.database.redact(first_line(error))
            raise self._ask_administrator(reason) from error
        except psycopg2.Error as error:
            raise refused(self.database, error) from error

    @property
    def _ddl(self) -> list[str]:
        return [
            f'CREATE SCHEMA IF NOT EXISTS "{self.table.schema}"',
            f"CREATE TABLE IF NOT EXISTS {self.locked} ()",
            self.runs.ddl,
        ]

    def _ask_administrator(self, reason: str) -> DeniedError:
        user = self.database.user or "THE_USER"
        grants = [
            f'GRANT USAGE ON SCHEMA "{self.table.schema}" TO "{user}"',
            f'GRANT SELECT, INSERT, UPDATE, DELETE ON {self.locked}, {self.runs.table} TO "{user}"',
        ]
        sql = "".join(f"\n  {statement};" for statement in self._ddl + grants)
        return DeniedError(
            f"no right to create or use the lock table {self.table} in {self.database}: {reason}",
            hint=f"Let an administrator run this once in that database:{sql}",
        )
