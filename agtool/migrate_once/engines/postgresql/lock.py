"""The lock in PostgreSQL: how it is taken, proved to be held, and released."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import psycopg2
import psycopg2.errors

from agtool.core.process.connections import connection_of, plain
from agtool.core.process.tree import Process, this_process
from agtool.migrate_once.backend import Exhausted, LockLost, NotYet, Session
from agtool.migrate_once.engines.postgresql import signs, statements
from agtool.migrate_once.engines.postgresql.observe import Connect, Observer, Place
from agtool.migrate_once.engines.postgresql.session import begin, first_line
from agtool.migrate_once.engines.postgresql.tables import MISSING, Tables
from agtool.migrate_once.engines.sign import Sign
from agtool.migrate_once.model import REPLY, Attempt, End, Unfinished, new_run_id

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor


def take(
    connection: Connection,
    tables: Tables,
    attempt: Attempt,
    read_signs: Callable[[], list[Sign]],
    *,
    application_name: str,
    lock: str,
    time_to_die: float,
    connect: Connect,
) -> PostgreSQLLock | None:
    """Begin the lock's transaction and lock, or roll back and return None.

    The advisory lock is taken in both modes, so that replicas with different --lock exclude each
    other; without the table's lock VACUUM of the database does not wait. The server is told to
    keep a silent client's lock until its command is dead.

    connect: for looking at what the command does.
    """
    silence = int(time_to_die)
    with connection.cursor() as cursor:
        begin(cursor, application_name)
        cursor.execute(
            f"SET LOCAL tcp_keepalives_idle = {max(1, silence - 6)}; "
            "SET LOCAL tcp_keepalives_interval = 2; SET LOCAL tcp_keepalives_count = 3; "
            f"SET LOCAL tcp_user_timeout = {silence * 1000}; "
            # The second says who has the first: see `PostgreSQL.is_held_by`.
            "SELECT CASE WHEN pg_try_advisory_xact_lock(hashtextextended(%s, 0)) "
            "THEN pg_try_advisory_xact_lock(hashtextextended(%s, 0)) END, pg_backend_pid(), "
            "extract(epoch FROM now()), host(inet_client_addr()), inet_client_port(), "
            "current_database()",
            (tables.advisory_name, name_of_holder(tables, this_process())),
        )
        row = cursor.fetchone() or (False, 0, 0, None, None, None)
        taken, pid, began, client, port, database = row
        if taken and lock == "table":
            try:
                cursor.execute(f"LOCK TABLE {tables.locked} IN SHARE ROW EXCLUSIVE MODE NOWAIT")
            except psycopg2.errors.LockNotAvailable:
                taken = False
        if not taken:
            cursor.execute("ROLLBACK")
            return None
    # A pooler makes up the process id that it gives to a client.
    pooled = pid != connection.get_backend_pid()
    own = connection_of(connection.fileno())
    seen = client is not None and own is not None and port == own.port and not pooled
    place = Place(pid, plain(client) if seen else None, own, pooled, float(began))
    observer = Observer(
        place,
        tables=tables,
        attempt=attempt,
        patience=time_to_die,
        lock=lock,
        database=database,
        connect=connect,
    )
    return PostgreSQLLock(connection, tables, attempt, observer, read_signs)


def name_of_holder(tables: Tables, process: Process | None) -> str:
    """The name of the advisory lock that a holder has beside the lock itself."""
    return f"{tables.advisory_name} {process.name if process else new_run_id()}"


class PostgreSQLLock:
    """The held lock: an open transaction on its own connection.

    read_signs: gives the runs that have left a sign, by a session of its own.
    """

    def __init__(
        self,
        connection: Connection,
        tables: Tables,
        attempt: Attempt,
        observer: Observer,
        read_signs: Callable[[], list[Sign]],
    ) -> None:
        self._connection = connection
        self.keep_open = connection.fileno()
        self.watch: Sequence[int] = (self.keep_open,)
        self._tables = tables
        self._attempt = attempt
        self._observer = observer
        self.observe = observer.look
        self._read_signs = read_signs
        self._signs: list[Sign] = []
        self.pooled = observer.place.pooled

    @property
    def horizon(self) -> float:
        return self._observer.complete_until

    def check(self, command: int | None = None) -> None:
        with self._statement() as cursor:
            cursor.execute("SHOW transaction_isolation")

    def is_done(self) -> bool:
        return self._tables.is_done(self._looking, self._attempt)

    def exhausted(self) -> Exhausted | None:
        try:
            with self._tables.translated():
                return self._tables.exhausted(self._looking, self._attempt)
        except NotYet as error:
            raise LockLost(error.message) from error

    def unfinished(self) -> list[Unfinished]:
        found: list[Unfinished] = []
        any_sign = False
        with self._translated(), suppress(*MISSING), self._looking() as cursor:
            cursor.execute(f"SELECT {signs.ANY}")
            (any_sign,) = cursor.fetchone() or (False,)
            found = self._tables.runs.unfinished(cursor)
        self._signs = self._read_signs() if any_sign else []
        return found + [sign.unfinished() for sign in self._signs]

    def stop_statements(self, run_ids: Sequence[str]) -> list[Session]:
        with self._translated(), self._looking() as cursor:
            if list(run_ids) == [self._attempt.run_id]:
                # What is recorded is no more, and the command may have dropped the table.
                return statements.stop(cursor, run_ids, self._observer.known)
            known, _ = statements.of_signs(self._signs, run_ids)
            known |= statements.recorded(cursor, self._tables.runs, run_ids)
            return statements.stop(cursor, run_ids, known)

    def strangers(self, run_ids: Sequence[str], waited: float) -> list[Session]:
        with self._translated(), self._looking() as cursor:
            place = self._observer.place
            if list(run_ids) == [self._attempt.run_id]:
                return statements.strangers(cursor, place.began, waited, self.horizon, place.pid)
            _, signed = statements.of_signs(self._signs, run_ids)
            began = signed or statements.began(cursor, self._tables.runs, run_ids)
            return statements.strangers(cursor, began, waited, 0.0, place.pid)

    def finish(self, end: End) -> str | None:
        with self._statement() as cursor:
            problem = self._record(cursor, end)
            cursor.execute("COMMIT")
            # A transaction that had failed answers COMMIT with ROLLBACK, without an error.
            if cursor.statusmessage != "COMMIT":
                raise LockLost(f"the server answered COMMIT with {cursor.statusmessage}")
        self._connection.close()
        return problem

    def _record(self, cursor: Cursor, end: End) -> str | None:
        """Record the end in this transaction; what stands in the way of it."""
        tables = self._tables
        problem = f"{tables.table.runs} does not take it"
        # Again, since another replica may create the tables as well.
        for mend in (tables.sign is not None, True, True):
            # Somebody's lock on our table must not keep us for longer than we have.
            cursor.execute(f"SET LOCAL lock_timeout = {round(REPLY * 250)}; SAVEPOINT record")
            try:
                if mend:
                    tables.create(cursor)
                    tables.runs.restore(cursor)
                if tables.runs.record_end(cursor, self._attempt, end):
                    if tables.sign is not None:
                        signs.remove(cursor, tables.sign)
                    return None
            except psycopg2.Error as error:
                if error.pgcode is None:  # the connection's, not the server's
                    raise
                problem = tables.database.redact(first_line(error))
            cursor.execute("ROLLBACK TO SAVEPOINT record")
        return problem

    def release(self) -> None:
        with suppress(psycopg2.Error):
            self._connection.close()

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
            with self._connection.cursor() as cursor:
                yield cursor
        except psycopg2.Error as error:
            text = self._tables.database.redact(first_line(error))
            raise LockLost(text) from error

    @contextmanager
    def _looking(self) -> Iterator[Cursor]:
        """Read a table inside the lock's transaction without keeping ACCESS SHARE on it.

        The command's own VACUUM FULL or REINDEX DATABASE would wait for that for ever. What was
        locked since a savepoint is unlocked by rolling back to it.
        """
        with self._connection.cursor() as cursor:
            cursor.execute("SAVEPOINT look")
            try:
                yield cursor
            finally:
                if not self._connection.closed:
                    cursor.execute("ROLLBACK TO SAVEPOINT look; RELEASE SAVEPOINT look")
