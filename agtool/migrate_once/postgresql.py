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

import hashlib
import re
import select
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import psycopg2
import psycopg2.errors
from psycopg2.extensions import POLL_OK, POLL_READ, make_dsn

from agtool.core.errors import AgtoolError, ConfigurationError, DeniedError
from agtool.migrate_once.backend import AlreadyDone, Busy, LockLost, NotYet
from agtool.migrate_once.model import Attempt, Run, Status, TableName
from agtool.migrate_once.runs import Dialect, RunTable
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

# A try to connect gives up after this many seconds, per address; the caller tries again.
_CONNECT_TIMEOUT = 10


class PostgreSQL:
    """The port for PostgreSQL. lock: 'table', or 'advisory' for upgrades that VACUUM."""

    def __init__(
        self, database: Database, table: TableName | None, *, lock: str, time_to_die: float
    ) -> None:
        table = table or DEFAULT_TABLE
        # An unqualified name would mean another table to a role with another search_path.
        self.table = table if table.schema else TableName("public", table.table)
        self.database = database
        self.lock = lock
        self.time_to_die = time_to_die
        self.runs = RunTable(self.table.runs, _DIALECT)
        digest = hashlib.sha256(f"agtool:{self.table}".encode()).digest()
        self.advisory_key = int.from_bytes(digest[:8], "big", signed=True)
        self.tag = f"agtool:{digest[:6].hex()}:"
        self.application_name = "agtool migrate-once"
        self.prepared = False
        self.warnings: Sequence[str] = ()

    @property
    def lock_name(self) -> str:
        return f"table {self.table}" if self.lock == "table" else f"advisory lock of {self.table}"

    def environment(self, attempt: Attempt) -> dict[str, str]:
        """PGAPPNAME, which libpq, psycopg, pgx and others send as application_name."""
        return {"PGAPPNAME": self.tag + attempt.run_id}

    def attempt(self, attempt: Attempt, *, look: bool) -> PostgreSQLLock | AlreadyDone | Busy:
        self.application_name = f"agtool migrate-once {attempt.place}"[:63]
        connection = self._connect()
        try:
            with self._translated():
                if attempt.key is not None and self._is_done(connection, attempt.name, attempt.key):
                    connection.close()
                    return AlreadyDone()
                if not self.prepared:
                    self._prepare(connection)
                if self._take(connection):
                    lock = PostgreSQLLock(self, connection, attempt)
                    # Done by another one between our look and our lock.
                    if attempt.key is not None:
                        with connection.cursor() as cursor, _leaving_no_lock(cursor):
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
        """pg_terminate_backend on every session with the tag of one of the runs that is at work.

        At work: in a transaction, and so with a lock on its virtual transaction, which pg_locks
        shows of every role's sessions, where pg_stat_activity hides their state. A session that
        is idle does nothing for a dead process, and behind a pooler it may be somebody else's by
        now. What we may not terminate counts too: the caller waits for it.
        """
        with self._session() as cursor:
            cursor.execute(
                "SELECT DISTINCT pid FROM pg_stat_activity JOIN pg_locks USING (pid) "
                "WHERE datname = current_database() AND locktype = 'virtualxid' AND granted "
                # PgBouncer's application_name_add_host appends to the name.
                "AND application_name LIKE ANY(%s)",
                ([f"{self.tag}{run_id}%" for run_id in run_ids],),
            )
            pids = [pid for (pid,) in cursor.fetchall()]
            for pid in pids:
                cursor.execute("SAVEPOINT one")
                try:
                    cursor.execute("SELECT pg_terminate_backend(%s)", (pid,))
                except psycopg2.errors.InsufficientPrivilege:
                    cursor.execute("ROLLBACK TO SAVEPOINT one")
            return len(pids)

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
                "AND (classid::bigint << 32 | objid::bigint) = %s "
                "OR locktype = 'relation' AND relation = to_regclass(%s) AND mode IN "
                "('ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')))",
                (self.advisory_key, self.table.quoted(_DIALECT.quote)),
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
            self._begin(cursor)
            cursor.execute(
                f"SET LOCAL tcp_keepalives_idle = {max(1, silence - 6)}; "
                "SET LOCAL tcp_keepalives_interval = 2; SET LOCAL tcp_keepalives_count = 3; "
                f"SET LOCAL tcp_user_timeout = {silence * 1000}; "
                f"SELECT pg_try_advisory_xact_lock({self.advisory_key})"
            )
            (taken,) = cursor.fetchone() or (False,)
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
                raise self._ask_administrator(_first_line(error)) from error
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
            with self._translated(), self._transaction(connection) as cursor:
                yield cursor
        finally:
            connection.close()

    @contextmanager
    def _transaction(self, connection: Connection) -> Iterator[Cursor]:
        with connection.cursor() as cursor:
            self._begin(cursor)
            try:
                yield cursor
                cursor.execute("COMMIT")
            except BaseException:
                with suppress(psycopg2.Error):
                    cursor.execute("ROLLBACK")
                raise

    def _begin(self, cursor: Cursor) -> None:
        """BEGIN, untouched by what the role or the database set as defaults."""
        timeouts = [
            "statement_timeout",
            "lock_timeout",
            "idle_in_transaction_session_timeout",
        ]
        if cursor.connection.server_version >= 170000:
            timeouts.append("transaction_timeout")
        cursor.execute(
            "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
            + "".join(f"; SET LOCAL {name} = 0" for name in timeouts)
            # Given when connecting, it would stay with a pooler's session and name the next client.
            + "; SET LOCAL application_name = %s",
            (self.application_name,),
        )

    def _connect(self) -> Connection:
        try:
            connection: Connection = psycopg2.connect(**self._parameters())
        except psycopg2.Error as error:
            raise self._cannot_connect(error) from None
        connection.autocommit = True  # transactions are begun by hand, with their settings
        return connection

    def _parameters(self) -> dict[str, Any]:
        """libpq's keywords, translated as SQLAlchemy's psycopg2 dialect does."""
        database = self.database
        query = {key: values[-1] for key, values in database.query.items()}
        # asyncpg's and pg8000's word for libpq's sslmode.
        if "ssl" in query:
            query.setdefault("sslmode", {"true": "require"}.get(query["ssl"], query["ssl"]))
        parameters: dict[str, Any] = {
            "host": database.host,
            "port": database.port,
            "user": database.user,
            "password": database.password,
            "dbname": database.database,
            "connect_timeout": _CONNECT_TIMEOUT,
            # Our packets unanswered for so long mean that the connection is gone.
            "tcp_user_timeout": 5000,
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 3,
        }
        if "host" in database.query:
            hosts = [host.rpartition(":") for host in database.query["host"]]
            query["host"] = ",".join(h if p.isdigit() and h else h + c + p for h, c, p in hosts)
            if any(p.isdigit() and h for h, _, p in hosts):
                query["port"] = ",".join(p if p.isdigit() and h else "" for h, _, p in hosts)
        for key, value in query.items():
            if key == "application_name":
                continue
            try:
                make_dsn(**{key: value})
            except psycopg2.ProgrammingError:
                # Another driver's option, such as asyncpg's prepared_statement_cache_size. For
                # libpq's own drivers it is a mistake, which the application would stumble over.
                if self.database.driver in (None, "psycopg2", "psycopg"):
                    raise ConfigurationError(
                        f"the database URL has the unknown option {key!r}"
                    ) from None
                continue
            parameters[key] = value
        if "," in str(parameters["host"]):
            parameters.setdefault("target_session_attrs", "read-write")
        return {key: value for key, value in parameters.items() if value is not None}

    def _pools_statements(self) -> bool:
        """Whether a pooler answers BEGIN with its error about statement pooling mode.

        It then closes the connection, and psycopg2's blocking calls know only about that; its
        asynchronous ones tell the server's last words.
        """
        give_up = time.monotonic() + _CONNECT_TIMEOUT
        connection: Connection | None = None
        try:
            connection = psycopg2.connect(**self._parameters(), async_=True)
            if _poll(connection, give_up):
                connection.cursor().execute("BEGIN")
                _poll(connection, give_up)
        except psycopg2.Error as error:
            return "statement pooling mode" in str(error)
        finally:
            if connection is not None:
                connection.close()
        return False

    # -- errors ---------------------------------------------------------------------------

    def _cannot_connect(self, error: psycopg2.Error) -> AgtoolError:
        """libpq gives no SQLSTATE here, so the text decides; unknown texts are worth a retry."""
        text = self.database.redact(str(error)).strip()
        where = str(self.database)
        if re.match(r'invalid \S+ value: "', text):
            return ConfigurationError(f"the database URL has an {text.splitlines()[0]}")
        for clue, hint in _PERMANENT.items():
            if clue in text:
                line = next(line for line in text.splitlines() if clue in line)
                return DeniedError(f"cannot log in to {where}: {_strip(line)}", hint=hint)
        return NotYet(
            f"cannot connect to {where}: {_strip(text.splitlines()[0] if text else 'no answer')}",
            hint="Check that host and port are right and that the server is up and reachable.",
        )

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Errors of statements -> agtool's."""
        try:
            yield
        except psycopg2.Error as error:
            text = self.database.redact(_first_line(error))
            where = str(self.database)
            if "closed the connection" in text and self._pools_statements():
                raise _statement_pooling(where) from error
            if "recovery" in text or isinstance(error, psycopg2.errors.ReadOnlySqlTransaction):
                raise DeniedError(
                    f"{where} is a standby or read-only: {text}",
                    hint="A lock on a standby excludes nobody. Give the URL of the primary.",
                ) from error
            if isinstance(error, psycopg2.errors.InsufficientPrivilege):
                raise self._ask_administrator(text) from error
            if isinstance(
                error, (psycopg2.OperationalError, psycopg2.InterfaceError)
            ) or _is_closed(error):
                raise NotYet(f"lost the connection to {where}: {text}") from error
            raise ConfigurationError(f"{where} refused a statement: {text}") from error


class PostgreSQLLock:
    """The held lock: an open transaction on its own connection."""

    def __init__(self, backend: PostgreSQL, connection: Connection, attempt: Attempt) -> None:
        self._backend = backend
        self._connection = connection
        self._attempt = attempt

    @property
    def keep_open(self) -> int:
        return self._connection.fileno()

    @property
    def watch(self) -> Sequence[int]:
        return (self._connection.fileno(),)

    def check(self, command: int | None = None) -> None:
        with self._statement() as cursor:
            cursor.execute("SHOW transaction_isolation")

    def unfinished(self) -> list[Run]:
        with self._statement() as cursor, _leaving_no_lock(cursor):
            return self._backend.runs.unfinished(cursor)

    def finish(self, state: str, exit_code: int) -> None:
        with self._statement() as cursor:
            self._backend.runs.record_end(cursor, self._attempt.run_id, state, exit_code)
            cursor.execute("COMMIT")
            # A transaction that had failed answers COMMIT with ROLLBACK, without an error.
            if cursor.statusmessage != "COMMIT":
                raise LockLost(f"the server answered COMMIT with {cursor.statusmessage}")
        self._connection.close()

    def release(self) -> None:
        with suppress(psycopg2.Error):
            self._connection.close()

    @contextmanager
    def _statement(self) -> Iterator[Cursor]:
        try:
            with self._connection.cursor() as cursor:
                yield cursor
        except psycopg2.Error as error:
            text = self._backend.database.redact(_first_line(error))
            raise LockLost(text) from error


@contextmanager
def _leaving_no_lock(cursor: Cursor) -> Iterator[None]:
    """Read a table inside the lock's transaction without keeping ACCESS SHARE on it.

    The command's own VACUUM FULL or REINDEX DATABASE would wait for that for ever. What was
    locked since a savepoint is unlocked by rolling back to it.
    """
    cursor.execute("SAVEPOINT look")
    yield
    cursor.execute("ROLLBACK TO SAVEPOINT look; RELEASE SAVEPOINT look")


_PERMANENT = {
    "password authentication failed": "Check user and password in the database URL.",
    # PgBouncer's words for the same.
    "SASL authentication failed": "Check user and password in the database URL.",
    "no password supplied": "The database URL holds no password.",
    "fe_sendauth": "The database URL holds no password.",
    "authentication failed": "Check how pg_hba.conf lets this user in.",
    "no pg_hba.conf entry": "Check pg_hba.conf: user, database, address, and whether it wants SSL.",
    "does not exist": "Check the database's and the user's name in the database URL.",
    "permission denied": "Grant this user CONNECT on the database.",
    "is not permitted to log in": "Give this role LOGIN.",
    "server does not support SSL": "Change sslmode in the database URL, or enable SSL.",
    "certificate verify failed": "Check sslrootcert in the database URL.",
    "no such database": "PgBouncer does not know this database.",
    "no such user": "PgBouncer does not know this user.",
    "is not read-write": "Give the URL of the primary.",
    "session is read-only": "Give the URL of the primary.",
}


def _poll(connection: Connection, give_up: float) -> bool:
    """Go on with an asynchronous connection's work; whether it was done before `give_up`."""
    while (state := connection.poll()) != POLL_OK:
        ends = [connection.fileno()]
        read, write = (ends, []) if state == POLL_READ else ([], ends)
        if not any(select.select(read, write, [], max(0.0, give_up - time.monotonic()))):
            return False
    return True


def _statement_pooling(where: str) -> ConfigurationError:
    return ConfigurationError(
        f"the pooler at {where} is in statement pooling mode, where no transaction is possible",
        hint="Use pool_mode transaction or session, or the address of PostgreSQL itself.",
    )


def _is_closed(error: psycopg2.Error) -> bool:
    return isinstance(error, psycopg2.DatabaseError) and error.pgcode is None


def _first_line(error: psycopg2.Error) -> str:
    diagnosis = error.diag.message_primary
    return diagnosis or (str(error).strip().splitlines() or ["the connection was closed"])[0]


def _strip(line: str) -> str:
    """libpq's line without its own preamble, which repeats the address."""
    return line.rpartition("FATAL:")[2].strip() or line.strip()
