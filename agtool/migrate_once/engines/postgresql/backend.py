"""The port for PostgreSQL; why it is as it is stands in the package's text.

What takes the lock and what looks after the dead is imported where it is used: who finds nothing to
do needs neither.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

from agtool.migrate_once.backend import AlreadyDone, Busy, Exhausted, Session, Survey
from agtool.migrate_once.engines.current import current
from agtool.migrate_once.engines.postgresql import session
from agtool.migrate_once.engines.postgresql.parameters import warnings
from agtool.migrate_once.engines.postgresql.tables import MISSING, NOT_RECORDED, Tables
from agtool.migrate_once.model import Attempt, Situation, TableName
from agtool.migrate_once.url import Database

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

    from agtool.core.process.tree import Process
    from agtool.migrate_once.documents import Status
    from agtool.migrate_once.engines.postgresql.lock import PostgreSQLLock
    from agtool.migrate_once.engines.sign import Sign

    Transaction = Callable[[], AbstractContextManager[Cursor]]


class PostgreSQL:
    """The port for PostgreSQL. Seconds in time_to_die and connect_timeout.

    lock: 'advisory', or 'table', which excludes others who lock the same table.
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
        self.database = database
        self.tables = Tables(database, table)
        self.runs = self.tables.runs
        self.lock = lock
        self.time_to_die = time_to_die
        self.connect_timeout = connect_timeout
        self.application_name = "agtool migrate-once"
        kind = "table" if lock == "table" else "advisory lock of"
        self.lock_name = f"{kind} {self.tables.table}"
        self.warnings: Sequence[str] = warnings(database)

    def environment(self, attempt: Attempt) -> dict[str, str]:
        """PGAPPNAME, which libpq, psycopg, pgx and others send as application_name."""
        from agtool.migrate_once.engines.postgresql import statements

        return {"PGAPPNAME": statements.TAG + attempt.run_id}

    def attempt(self, attempt: Attempt, *, look: bool) -> PostgreSQLLock | AlreadyDone | Busy:
        self.application_name = f"agtool migrate-once {attempt.place}"[:63]
        connection = session.connect(self.database, self.connect_timeout)
        with ExitStack() as unless_locked, self.tables.translated():
            unless_locked.callback(connection.close)
            transaction = partial(session.transaction, connection, self.application_name)
            if self.tables.is_done(transaction, attempt):
                return AlreadyDone()
            from agtool.migrate_once.engines.postgresql.lock import take

            if self.lock == "table":
                self.tables.prepare(connection, self.application_name)
            lock = take(
                connection,
                self.tables,
                attempt,
                self._read_signs,
                application_name=self.application_name,
                lock=self.lock,
                time_to_die=self.time_to_die,
                connect=self._brief,
            )
            if lock is None:
                return Busy(self._situation(transaction, attempt, trace=True) if look else None)
            # By another one, between our look and our lock.
            if lock.is_done():
                return AlreadyDone()
            unless_locked.pop_all()
            return lock

    def look(self, attempt: Attempt) -> AlreadyDone | Exhausted | Situation:
        self.application_name = f"agtool migrate-once {attempt.place}"[:63]
        with (
            closing(session.connect(self.database, self.connect_timeout)) as connection,
            self.tables.translated(reading=True),
        ):
            name = self.application_name
            transaction = partial(session.transaction, connection, name, "READ ONLY")
            if self.tables.is_done(transaction, attempt):
                return AlreadyDone()
            exhausted = self.tables.exhausted(transaction, attempt)
            return exhausted or self._situation(transaction, attempt, trace=False)

    def survey(self) -> Survey:
        from agtool.migrate_once.engines.postgresql.survey import survey

        with (
            closing(session.connect(self.database, self.connect_timeout)) as connection,
            self.tables.translated(),
        ):
            return survey(connection, self.tables, self.application_name)

    def is_held_by(self, processes: Sequence[Process]) -> bool:
        from agtool.migrate_once.engines.postgresql.lock import name_of_holder

        key = "classid::bigint << 32 | objid::bigint"
        held = (
            f"SELECT pid FROM pg_locks WHERE granted AND locktype = 'advisory' AND objsubid = 1 "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
            f"AND ({key}) IN (SELECT hashtextextended(name, 0) FROM unnest(%s) AS name)"
        )
        with self.transaction("READ ONLY") as cursor:
            cursor.execute(
                f"SELECT EXISTS ({held} INTERSECT {held})",
                (
                    [self.tables.advisory_name],
                    [name_of_holder(self.tables, process) for process in processes],
                ),
            )
            return cursor.fetchone() == (True,)

    def record_start(self, attempt: Attempt, patience: float) -> None:
        """In the runs table; but an empty database stays so, and a sign is left elsewhere.

        Advisory locks only: a locked table is there.
        """
        from agtool.migrate_once.engines.postgresql import signs
        from agtool.migrate_once.engines.sign import Sign

        with self.transaction() as cursor:
            self.tables.create(cursor)
            if self.lock == "advisory" and self.runs.is_first_install(cursor):
                self.runs.keep(cursor)
                now = self.runs.now(cursor)
                failed = self.runs.failed_before(cursor, attempt)
                sign = Sign.of(self.tables.advisory_name, attempt, patience, now, failed)
                number = signs.write(cursor, sign)
                if number is not None and self.tables.clear(cursor):
                    self.tables.sign = number
                    return
                if number is not None:
                    signs.remove(cursor, number)
            self.runs.record_start(cursor, attempt, patience)

    def record_lost(self, run_id: str, exit_code: int | None, *, counts: bool = True) -> None:
        """In the runs table, which is made for a run that has left a sign, as at its own end."""
        from agtool.migrate_once.engines.postgresql import signs

        with self.transaction() as cursor:
            signed: Sign | None = None
            for number, sign in signs.read(cursor, self.tables.advisory_name).items():
                if sign.run_id == run_id:
                    signs.remove(cursor, number)
                    signed = sign
            with suppress(*NOT_RECORDED), session.savepoint(cursor):
                if signed is None:
                    self.runs.set_end(cursor, run_id, "lost", exit_code, counts=counts)
                else:
                    self.tables.create(cursor)
                    self.runs.record_signed(cursor, signed, exit_code, counts=counts)

    def stop_statements(self, run_ids: Sequence[str]) -> list[Session]:
        from agtool.migrate_once.engines.postgresql import statements

        with self.transaction() as cursor:
            known, _ = statements.of_signs(self._signs(cursor), run_ids)
            known |= statements.recorded(cursor, self.runs, run_ids)
            return statements.stop(cursor, run_ids, known)

    def strangers(
        self, run_ids: Sequence[str], waited: float, horizon: float = 0.0
    ) -> list[Session]:
        from agtool.migrate_once.engines.postgresql import statements

        with self.transaction() as cursor:
            _, signed = statements.of_signs(self._signs(cursor), run_ids)
            began = signed or statements.began(cursor, self.runs, run_ids)
            return statements.strangers(cursor, began, waited, horizon)

    def status(self, limit: int, attempt: Attempt | None = None) -> Status:
        from dataclasses import replace

        from agtool.migrate_once.documents import Status

        with self.transaction() as cursor:
            cursor.execute(
                # The table's own lock may be held by somebody with the recipe before agtool.
                "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE granted "
                "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
                "AND (locktype = 'advisory' AND objsubid = 1 "
                "AND (classid::bigint << 32 | objid::bigint) = hashtextextended(%s, 0) "
                "OR locktype = 'relation' AND relation = to_regclass(%s) AND mode IN "
                "('ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock'))), "
                "to_regclass(%s) IS NOT NULL",
                (self.tables.advisory_name, self.tables.locked, self.runs.table),
            )
            held, recorded = cursor.fetchone() or (False, False)
            now = self.runs.now(cursor)
            running = [sign.run(now) for sign in self._signs(cursor)]
            key = self.tables.key(partial(session.savepoint, cursor), attempt)
            if not recorded:
                return Status(self.lock_name, held, now, running, None if held else [], [], key)
            status = self.runs.status(cursor, limit, lock=self.lock_name, held=held)
            return replace(status, running=running + status.running, key=key)

    def _signs(self, cursor: Cursor) -> list[Sign]:
        from agtool.migrate_once.engines.postgresql import signs

        return list(signs.read(cursor, self.tables.advisory_name).values())

    def _read_signs(self) -> list[Sign]:
        with self.transaction() as cursor:
            return self._signs(cursor)

    def _situation(self, transaction: Transaction, attempt: Attempt, *, trace: bool) -> Situation:
        """Who holds the lock; trace: also leave a sign of life."""
        try:
            with transaction() as cursor:
                if trace:
                    self.runs.note_waiting(cursor, attempt)
                return self.runs.situation(cursor, attempt)
        except MISSING:
            # Not made yet, or the command has dropped it, or put another in its place.
            with transaction() as cursor:
                now = self.runs.now(cursor)
                holders = [sign.run(now) for sign in self._signs(cursor)]
            return Situation(holders[-1] if holders else None, None)

    @contextmanager
    def _brief(self, database: str | None) -> Iterator[Cursor]:
        """The same for who has little time, and perhaps in another database."""
        from agtool.migrate_once.engines.postgresql.observe import BRIEF

        url = self.database
        if database is not None:
            # As it is now, and not read again: that would give back its own database.
            url = current(url, BRIEF)._replace(database=database, renewal=None)
        with (
            closing(session.connect(url, BRIEF)) as connection,
            self.tables.translated(),
            session.transaction(connection, self.application_name) as cursor,
        ):
            yield cursor

    @contextmanager
    def transaction(self, access: session.Access = "READ WRITE") -> Iterator[Cursor]:
        """A connection of its own for one short transaction."""
        with (
            closing(session.connect(self.database, self.connect_timeout)) as connection,
            self.tables.translated(),
            session.transaction(connection, self.application_name, access) as cursor,
        ):
            yield cursor
