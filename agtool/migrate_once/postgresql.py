"""PostgreSQL: LOCK TABLE ... NOWAIT, polled, in a transaction that ends with the command.

Why so, measured on PostgreSQL 15 and told in docs/explanation/lock.md:

* SHARE ROW EXCLUSIVE conflicts with itself and lets readers (pg_dump, --status) through.
* A waiter that blocks holds a snapshot, and CREATE INDEX CONCURRENTLY waits for all snapshots;
  a waiter that polls holds none for longer than a statement. READ COMMITTED for the same reason.
* A transaction, not a session, carries the lock: PgBouncer's transaction mode keeps it on one
  server connection, and SET LOCAL does not leak to the pooler's next client.
* The heartbeat is SHOW, which takes no snapshot (PlannedStmtRequiresSnapshot in pquery.c): a
  SELECT could be the very snapshot that CREATE INDEX CONCURRENTLY then waits for, for ever.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

import psycopg2
import psycopg2.errors

from agtool.core.errors import DeniedError
from agtool.migrate_once import postgresql_session
from agtool.migrate_once.backend import AlreadyDone, Busy, NotYet
from agtool.migrate_once.model import Attempt, Status, TableName
from agtool.migrate_once.postgresql_lock import PostgreSQLLock
from agtool.migrate_once.postgresql_session import first_line, leaving_no_lock
from agtool.migrate_once.runs import Dialect, RunTable
from agtool.migrate_once.url import Database

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor

DEFAULT_TABLE = TableName("agtool", "install_locks")

_TAG = "agtool:"
"""What the application_name of a command's sessions begins with; the run's id follows."""

_DIALECT = Dialect(
    quote='"',
    placeholder="%s",
    time_type="timestamptz",
    now="clock_timestamp()",
    ago=lambda seconds: f"clock_timestamp() - interval '{seconds} seconds'",
    read_time=lambda value: value,
)


class PostgreSQL:
    """The port for PostgreSQL. Seconds in time_to_die and connect_timeout.

    lock: 'table', or 'advisory' for upgrades that VACUUM the whole database.
    """

    def __init__(
        self,
        database: Database,
        table: TableName | None,
        *,
        lock: str,
        time_to_die: float,
        connect_timeout: float,
    ) -> None:
        table = table or DEFAULT_TABLE
        # An unqualified name would mean another table to a role with another search_path.
        self.table = table if table.schema else TableName("public", table.table)
        self.database = database
        self.lock = lock
        self.time_to_die = time_to_die
        self.connect_timeout = connect_timeout
        self.runs = RunTable(self.table.runs, _DIALECT)
        self.advisory_name = f"agtool:{self.table}"
        self.application_name = "agtool migrate-once"
        self.prepared = False
        self.pooled = False
        self.warnings: Sequence[str] = ()

    @property
    def lock_name(self) -> str:
        return f"table {self.table}" if self.lock == "table" else f"advisory lock of {self.table}"

    def environment(self, attempt: Attempt) -> dict[str, str]:
        """PGAPPNAME, which libpq, psycopg, pgx and others send as application_name."""
        return {"PGAPPNAME": _TAG + attempt.run_id}

    def attempt(self, attempt: Attempt, *, look: bool) -> PostgreSQLLock | AlreadyDone | Busy:
        self.application_name = f"agtool migrate-once {attempt.place}"[:63]
        connection = self._connect()
        try:
            with self.translated():
                if attempt.key is not None and self._is_done(connection, attempt.name, attempt.key):
                    connection.close()
                    return AlreadyDone()
                if not self.prepared:
                    self._prepare(connection)
                if self._take(connection):
                    lock = PostgreSQLLock(self, connection, attempt)
                    # Done by another one between our look and our lock.
                    if attempt.key is not None:
                        with connection.cursor() as cursor, leaving_no_lock(cursor):
                            if self.runs.is_done(cursor, attempt.name, attempt.key):
                                lock.release()
                                return AlreadyDone()
                    return lock
                situation = None
                if look:
                    with self._transaction(connection) as cursor:
                        self.runs.note_waiting(cursor, attempt)
                        situation = self.runs.situation(cursor, attempt)
        except BaseException:
            connection.close()
            raise
        connection.close()
        return Busy(situation)

    def record_start(self, attempt: Attempt, patience: float) -> None:
        with self._session() as cursor:
            self.runs.record_start(cursor, attempt, patience)

    def record_end(self, run_id: str, state: str, exit_code: int | None) -> None:
        with self._session() as cursor:
            self.runs.record_end(cursor, run_id, state, exit_code)

    def stop_statements(self, run_ids: Sequence[str]) -> int:
        """pg_terminate_backend on every session with the tag of one of the runs.

        Idle ones too, since what a dead process has sent may still be on its way to them; but not
        behind a pooler, where an idle session may be somebody else's by now. What is at work and
        not ours to terminate counts too: the caller waits for it. At work is what has a lock on
        its virtual transaction: pg_stat_activity hides the state of another role's sessions,
        pg_locks hides nothing.
        """
        with self._session() as cursor:
            cursor.execute(
                "SELECT pid, at_work FROM (SELECT pid, EXISTS (SELECT 1 FROM pg_locks WHERE "
                "pg_locks.pid = activity.pid AND locktype = 'virtualxid' AND granted) AS at_work "
                # In any database. PgBouncer's application_name_add_host appends to the name.
                "FROM pg_stat_activity AS activity WHERE application_name LIKE ANY(%s)) AS tagged "
                # A pooler makes up the process id that it gives to a client.
                "WHERE at_work OR pg_backend_pid() = %s",
                (
                    [f"{_TAG}{run_id}%" for run_id in run_ids],
                    cursor.connection.get_backend_pid(),
                ),
            )
            found = cursor.fetchall()
            count = len(found)
            for pid, at_work in found:
                cursor.execute("SAVEPOINT one")
                try:
                    cursor.execute("SELECT pg_terminate_backend(%s)", (pid,))
                except psycopg2.errors.InsufficientPrivilege:
                    cursor.execute("ROLLBACK TO SAVEPOINT one")
                    count -= not at_work
            return count

    def status(self, limit: int) -> Status:
        with self._session() as cursor:
            cursor.execute("SELECT to_regclass(%s)", (self.runs.table,))
            if cursor.fetchone() == (None,):
                return Status(False, self.runs.now(cursor), [], [], [])
            cursor.execute(
                # The table's own lock may be held by somebody with the recipe before agtool.
                "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE granted "
                "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
                "AND (locktype = 'advisory' AND objsubid = 1 "
                "AND (classid::bigint << 32 | objid::bigint) = hashtextextended(%s, 0) "
                "OR locktype = 'relation' AND relation = to_regclass(%s) AND mode IN "
                "('ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')))",
                (self.advisory_name, self.table.quoted(_DIALECT.quote)),
            )
            (held,) = cursor.fetchone() or (False,)
            return Status(
                held=held,
                now=self.runs.now(cursor),
                running=self.runs.unfinished(cursor),
                waiting=self.runs.waiting(cursor),
                history=self.runs.history(cursor, limit),
            )

    # -- the lock -------------------------------------------------------------------------

    def _is_done(self, connection: Connection, name: str, key: str) -> bool:
        try:
            with self._transaction(connection) as cursor:
                return self.runs.is_done(cursor, name, key)
        except (psycopg2.errors.UndefinedTable, psycopg2.errors.InvalidSchemaName):
            return False

    def _take(self, connection: Connection) -> bool:
        """Begin the lock's transaction and lock, or roll back and return False.

        The advisory lock is taken in both modes, so that replicas with different --lock
        exclude each other; without the table's lock VACUUM of the database does not wait.
        The server is told to keep a silent client's lock until its command is dead.
        """
        silence = int(self.time_to_die)
        with connection.cursor() as cursor:
            postgresql_session.begin(cursor, self.application_name)
            cursor.execute(
                f"SET LOCAL tcp_keepalives_idle = {max(1, silence - 6)}; "
                "SET LOCAL tcp_keepalives_interval = 2; SET LOCAL tcp_keepalives_count = 3; "
                f"SET LOCAL tcp_user_timeout = {silence * 1000}; "
                "SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0)), pg_backend_pid()",
                (self.advisory_name,),
            )
            taken, pid = cursor.fetchone() or (False, 0)
            # A pooler makes up the process id that it gives to a client.
            self.pooled = pid != connection.get_backend_pid()
            if taken and self.lock == "table":
                table = self.table.quoted('"')
                try:
                    cursor.execute(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE NOWAIT")
                except psycopg2.errors.LockNotAvailable:
                    taken = False
            if not taken:
                cursor.execute("ROLLBACK")
        return bool(taken)

    # -- the tables -----------------------------------------------------------------------

    def _prepare(self, connection: Connection) -> None:
        """Create schema and tables if missing, without needing CREATE when they are there.

        CREATE ... IF NOT EXISTS fails in a race (23505 on pg_type or pg_namespace), so look
        first, and look again after a failure.
        """
        for _ in range(50):
            missing = self._missing(connection)
            if not missing:
                self.prepared = True
                return
            try:
                with self._transaction(connection) as cursor:
                    for statement in missing:
                        cursor.execute(statement)
            except psycopg2.errors.InsufficientPrivilege as error:
                raise self._ask_administrator(first_line(error)) from error
            except (
                psycopg2.errors.UniqueViolation,
                psycopg2.errors.DuplicateObject,
                psycopg2.errors.DuplicateSchema,
                psycopg2.errors.DuplicateTable,
                psycopg2.errors.InternalError_,  # tuple concurrently updated
            ):
                continue
        raise NotYet(f"cannot create {self.table}: others keep creating it at the same time")

    def _missing(self, connection: Connection) -> list[str]:
        with self._transaction(connection) as cursor:
            cursor.execute(
                "SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = %(schema)s), "
                "to_regclass(%(lock)s), to_regclass(%(runs)s)",
                {
                    "schema": self.table.schema,
                    "lock": self.table.quoted('"'),
                    "runs": self.runs.table,
                },
            )
            schema, lock, runs = cursor.fetchone() or (False, None, None)
        statements = self._ddl
        return [s for s, there in zip(statements, (schema, lock, runs), strict=True) if not there]

    @property
    def _ddl(self) -> list[str]:
        return [
            f'CREATE SCHEMA IF NOT EXISTS "{self.table.schema}"',
            f"CREATE TABLE IF NOT EXISTS {self.table.quoted(_DIALECT.quote)} ()",
            self.runs.ddl,
        ]

    def _ask_administrator(self, reason: str) -> DeniedError:
        user = self.database.user or "THE_USER"
        table = self.table.quoted(_DIALECT.quote)
        grants = [
            f'GRANT USAGE ON SCHEMA "{self.table.schema}" TO "{user}"',
            f'GRANT SELECT, INSERT, UPDATE, DELETE ON {table}, {self.runs.table} TO "{user}"',
        ]
        sql = "".join(f"\n  {statement};" for statement in self._ddl + grants)
        return DeniedError(
            f"no right to create or use the lock table {self.table} in {self.database}: {reason}",
            hint=f"Let an administrator run this once in that database:{sql}",
        )

    # -- connections ----------------------------------------------------------------------

    @contextmanager
    def _session(self) -> Iterator[Cursor]:
        """A connection of its own for one short transaction."""
        connection = self._connect()
        try:
            with self.translated(), self._transaction(connection) as cursor:
                yield cursor
        finally:
            connection.close()

    def _connect(self) -> Connection:
        return postgresql_session.connect(self.database, self.connect_timeout)

    def _transaction(self, connection: Connection) -> AbstractContextManager[Cursor]:
        return postgresql_session.transaction(connection, self.application_name)

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Errors of statements -> agtool's."""
        try:
            yield
        except psycopg2.errors.InsufficientPrivilege as error:
            raise self._ask_administrator(first_line(error)) from error
        except psycopg2.Error as error:
            raise postgresql_session.refused(self.database, error) from error
