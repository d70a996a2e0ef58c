"""The runs table: who waits, who runs, how every run ended, and which keys are done.

The same SQL on every engine, given a DB-API cursor; what differs stands in `Dialect`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from agtool.core.errors import ConfigurationError
from agtool.migrate_once.backend import Exhausted
from agtool.migrate_once.model import SEEN, Attempt, End, Situation, TableName, Unfinished

if TYPE_CHECKING:
    from agtool.migrate_once.documents import Key, Run, Status
    from agtool.migrate_once.engines.sign import Sign

KEEP_DAYS = 30
"""Days for which the history keeps runs without a key; done keys are kept for ever."""

LATER_COLUMNS = {
    "tables_left": "int",
    "for_database": "varchar(300)",
    "retry": "int",
    "counts": "int",
}
"""Columns that the table did not always have: whether there were tables when the key was marked,
and in which database, if the table lies in another one; whether failures are counted from this run
on, and whether this one, if it is not done, is a failure."""

_COLUMNS = (
    "run_id, name, done_key, place, state, waiting_since, started_at, finished_at, exit_code, {now}"
)

_OF_NO_DATABASE = ""
"""As for_database: the database of this mark has lost its tables since, so it does not count."""


_NOT_KNOWN = "not known"
"""As place: of a run of which only the number is left."""


class Cursor(Protocol):
    """What this module needs of a DB-API cursor."""

    @property
    def rowcount(self) -> int: ...
    @property
    def description(self) -> Any: ...
    def execute(self, query: str, parameters: tuple[Any, ...] = ..., /) -> Any: ...
    def fetchone(self) -> Any: ...
    def fetchall(self) -> Any: ...


class Dialect(NamedTuple):
    """How an engine spells things. ago: seconds -> an expression; read_time: its value -> UTC."""

    quote: str
    placeholder: str
    time_type: str
    now: str
    ago: Callable[[float], str]
    read_time: Callable[[Any], datetime]


def key_of(
    attempt: Attempt | None, *, done: bool, failures: Sequence[tuple[str, int | None]]
) -> Key | None:
    """What is known of the attempt's key; None: no attempt, or it has none."""
    from agtool.migrate_once.documents import Key

    if attempt is None or attempt.key is None:
        return None
    failed_on, failed_with = failures[0] if failures else (None, None)
    return Key(attempt.name, attempt.key, done, len(failures), failed_on, failed_with)


def not_ours(table: TableName, reason: str) -> ConfigurationError:
    """That somebody else's table or view has the name of the runs table."""
    return ConfigurationError(
        f"{table} is not a table that agtool has made: {reason}",
        hint="Rename it, or let agtool use another one: --lock-table.",
    )


class RunTable:
    """Statements on one runs table. The caller owns the cursor and its transaction.

    Args:
        has_tables: SQL, whether the database that is upgraded has tables that are not agtool's.
        database: the name of that database, if this table lies in another one.
    """

    def __init__(
        self, name: TableName, dialect: Dialect, has_tables: str, database: str | None = None
    ) -> None:
        self.table = name.quoted(dialect.quote)
        self.dialect = dialect
        self._has_tables = has_tables
        self._database = database
        self._kept: list[tuple[list[str], tuple[object, ...]]] = []

    @property
    def ddl(self) -> str:
        """CREATE TABLE, for us or for an administrator."""
        time = self.dialect.time_type
        later = "".join(f", {name} {kind}" for name, kind in LATER_COLUMNS.items())
        return (
            f"CREATE TABLE IF NOT EXISTS {self.table} ("
            "run_id varchar(32) PRIMARY KEY, name varchar(200) NOT NULL, done_key varchar(500), "
            "place varchar(300) NOT NULL, state varchar(12) NOT NULL, patience double precision, "
            f"waiting_since {time}, seen_at {time}, started_at {time}, finished_at {time}, "
            f"exit_code int, sessions varchar(4000){later})"
        )

    def add_columns(self, present: set[str]) -> list[str]:
        """ALTER TABLE, for a table with these columns, if an older agtool has made it."""
        return [
            f"ALTER TABLE {self.table} ADD COLUMN {name} {kind}"
            for name, kind in LATER_COLUMNS.items()
            if "run_id" in present and name not in present
        ]

    # -- marks ------------------------------------------------------------------------------

    def is_done(self, cursor: Cursor, attempt: Attempt, *, before_columns: bool = False) -> bool:
        """Whether the attempt has a key, and that is done under its name in this database.

        A mark describes a database. It was set when there were tables, and there are none: then
        it describes another one, before it was emptied or made anew.

        Args:
            before_columns: the table is an older agtool's, without LATER_COLUMNS.
        """
        if attempt.key is None:
            return False
        if before_columns and self._database is not None:
            return False  # of which database a mark is, is not known
        where = "name = {p} AND done_key = {p} AND state = 'done'"
        values = [attempt.name, attempt.key]
        if not before_columns:
            mine, more = self._mine
            where += f" AND {mine} AND (coalesce(tables_left, 0) = 0 OR {self._has_tables})"
            values += more
        self._execute(cursor, f"SELECT 1 FROM {{t}} WHERE {where} LIMIT 1", *values)
        return cursor.fetchone() is not None

    def is_first_install(self, cursor: Cursor) -> bool:
        """Whether the database is empty, and no key is done in it."""
        self._void_marks(cursor)
        mine, values = self._mine
        self._execute(
            cursor,
            f"SELECT CASE WHEN {self._has_tables} OR EXISTS (SELECT 1 FROM {{t}} WHERE "
            f"state = 'done' AND done_key IS NOT NULL AND {mine}) THEN 0 ELSE 1 END",
            *values,
        )
        return bool(cursor.fetchone()[0] == 1)

    def _void_marks(self, cursor: Cursor) -> None:
        """Make marks void that do not count: they would again, once there are tables again."""
        mine, values = self._mine
        self._execute(
            cursor,
            f"UPDATE {{t}} SET for_database = {{p}} WHERE tables_left = 1 AND {mine} "
            f"AND NOT {self._has_tables}",
            *(_OF_NO_DATABASE, *values),
        )

    @property
    def _mine(self) -> tuple[str, list[str]]:
        """A condition on marks, with its values: that they are of this database."""
        if self._database is None:
            return "for_database IS NULL", []
        return "for_database = {p}", [self._database]

    # -- one run ----------------------------------------------------------------------------

    def note_waiting(self, cursor: Cursor, attempt: Attempt) -> None:
        """A waiter's sign of life."""
        self._execute(cursor, "UPDATE {t} SET seen_at = {now} WHERE run_id = {p}", attempt.run_id)
        if cursor.rowcount == 0:
            self._insert(cursor, attempt, "waiting")

    def record_start(self, cursor: Cursor, attempt: Attempt, patience: float) -> None:
        """This run has begun; forget what is too old, and marks of what was here before."""
        self._void_marks(cursor)
        self._execute(
            cursor,
            "DELETE FROM {t} WHERE (state = 'waiting' AND seen_at < {stale}) OR "
            "(finished_at < {old} AND (done_key IS NULL OR state <> 'done'))",
        )
        self._execute(
            cursor,
            "UPDATE {t} SET state = 'running', patience = {p}, started_at = {now} "
            "WHERE run_id = {p}",
            patience,
            attempt.run_id,
        )
        if cursor.rowcount == 0:
            self._insert(cursor, attempt, "running", patience, started=self.dialect.now)
        self._note_retry(cursor, attempt)

    def note_sessions(self, cursor: Cursor, run_id: str, sessions: str) -> None:
        """The server's sessions that the run's command has at the moment."""
        self._execute(
            cursor, "UPDATE {t} SET sessions = {p} WHERE run_id = {p}", sessions[:4000], run_id
        )

    def is_recorded(self, cursor: Cursor, run_id: str) -> bool:
        """Whether there is a record of this run."""
        self._execute(cursor, "SELECT 1 FROM {t} WHERE run_id = {p}", run_id)
        return cursor.fetchone() is not None

    def record_end(self, cursor: Cursor, attempt: Attempt, end: End) -> bool:
        """How the run ended; whether that is recorded.

        The table may be new, or the command may have emptied or replaced it.
        """
        ended = (attempt.run_id, end.state, end.exit_code)
        if self.set_end(cursor, *ended, counts=end.counts):
            return True
        ago = self.dialect.ago
        self._insert(
            *(cursor, attempt, "running", None),
            waiting=ago(round(end.waited + end.ran, 3)),
            started=ago(round(end.ran, 3)),
        )
        self._note_retry(cursor, attempt)
        return self.set_end(cursor, *ended, counts=end.counts)

    def set_end(
        self, cursor: Cursor, run_id: str, state: str, exit_code: int | None, *, counts: bool
    ) -> bool:
        """How the run ended, if it is recorded; whether it is. counts: as in End.

        A mark is never taken back: if the answer to the COMMIT that set it is lost, its own agtool
        believes that the lock was lost before.
        """
        mark, values = "", []
        unmarked = " AND state <> 'done'" if state == "lost" else ""
        if state == "done":
            mark = f", tables_left = CASE WHEN {self._has_tables} THEN 1 ELSE 0 END"
            mark += ", for_database = {p}"
            values = [self._database]
        self._execute(
            cursor,
            "UPDATE {t} SET state = {p}, exit_code = {p}, counts = {p}, "
            f"finished_at = {{now}}{mark} WHERE run_id = {{p}}{unmarked}",
            *(state, exit_code, int(counts), *values, run_id),
        )
        if cursor.rowcount == 1 or not unmarked:
            return cursor.rowcount == 1
        self._execute(cursor, "SELECT 1 FROM {t} WHERE run_id = {p}", run_id)
        return cursor.fetchone() is not None

    # -- failures ---------------------------------------------------------------------------

    def failures(self, cursor: Cursor, attempt: Attempt) -> list[tuple[str, int | None]]:
        """Where and with which exit code the attempt's key has failed; the latest first.

        Since it was done, or since the latest run with --retry, that included.
        """
        self._execute(
            cursor,
            "SELECT place, exit_code FROM {t} WHERE name = {p} AND done_key = {p} AND counts = 1 "
            "AND state IN ('failed', 'lost') AND NOT EXISTS (SELECT 1 FROM {t} AS later WHERE "
            "later.name = {t}.name AND later.done_key = {t}.done_key AND "
            "later.run_id <> {t}.run_id AND later.started_at >= {t}.started_at AND "
            "(later.state = 'done' OR later.retry = 1)) ORDER BY finished_at DESC",
            attempt.name,
            attempt.key,
        )
        return [(place, exit_code) for place, exit_code in cursor.fetchall()]

    def failed_before(self, cursor: Cursor, attempt: Attempt) -> int:
        """How many failures of its key count when the attempt begins."""
        if attempt.key is None or attempt.retry:
            return 0
        return len(self.failures(cursor, attempt))

    def record_signed(
        self, cursor: Cursor, sign: Sign, exit_code: int | None, *, counts: bool
    ) -> None:
        """How the run of a sign ended, with the failures before it whose records are gone."""
        self.restore(cursor)
        attempt = sign.attempt()
        end = sign.lost(self.now(cursor), exit_code, counts=counts)
        for number in range(self.failed_before(cursor, attempt), sign.failed):
            gone = attempt._replace(run_id=f"{attempt.run_id}-{number}", place=_NOT_KNOWN)
            self.record_end(cursor, gone, end._replace(exit_code=None, counts=True))
        self.record_end(cursor, attempt, end)

    def exhausted(self, cursor: Cursor, attempt: Attempt) -> Exhausted | None:
        """Whether the attempt's key has failed as often as that allows."""
        if attempt.key is None or attempt.attempts is None or attempt.retry:
            return None
        failures = self.failures(cursor, attempt)
        if len(failures) < attempt.attempts:
            return None
        return Exhausted(len(failures), *failures[0])

    def _note_retry(self, cursor: Cursor, attempt: Attempt) -> None:
        if attempt.retry:
            self._execute(cursor, "UPDATE {t} SET retry = 1 WHERE run_id = {p}", attempt.run_id)

    # -- all of them ------------------------------------------------------------------------

    def keep(self, cursor: Cursor) -> None:
        """Remember the history, for `restore`, before the table is dropped."""
        self._execute(cursor, "SELECT * FROM {t} WHERE finished_at IS NOT NULL")
        names = [column[0] for column in cursor.description]
        # None, if that was done before: this is another attempt of ours.
        self._kept = [(names, tuple(row)) for row in cursor.fetchall()] or self._kept

    def restore(self, cursor: Cursor) -> None:
        """Record again what was remembered."""
        for names, row in self._kept:
            self._execute(cursor, "DELETE FROM {t} WHERE run_id = {p}", row[names.index("run_id")])
            marks = ", ".join(["{p}"] * len(row))
            self._execute(cursor, f"INSERT INTO {{t}} ({', '.join(names)}) VALUES ({marks})", *row)

    def unfinished(self, cursor: Cursor) -> list[Unfinished]:
        """Runs that began and have not said that they ended."""
        self._execute(cursor, "SELECT run_id, place, patience FROM {t} WHERE state = 'running'")
        return [Unfinished(*row) for row in cursor.fetchall()]

    def situation(self, cursor: Cursor, attempt: Attempt) -> Situation:
        """The holder, and how many others wait."""
        running = self._select(cursor, "state = 'running' ORDER BY started_at DESC LIMIT 1")
        self._execute(
            cursor,
            "SELECT count(*) FROM {t} WHERE state = 'waiting' AND seen_at > {seen} "
            "AND run_id <> {p}",
            attempt.run_id,
        )
        return Situation(running[0] if running else None, int(cursor.fetchone()[0]))

    def status(self, cursor: Cursor, limit: int, *, lock: str, held: bool) -> Status:
        """All of them, and the latest `limit` ended runs."""
        from agtool.migrate_once.documents import Status

        return Status(
            lock=lock,
            held=held,
            now=self.now(cursor),
            running=self._select(cursor, "state = 'running'"),
            # Longest first. One whose key is done has gone, or is about to.
            waiting=self._select(
                cursor,
                "state = 'waiting' AND seen_at > {seen} AND NOT EXISTS (SELECT 1 FROM {t} AS d "
                "WHERE d.name = {t}.name AND d.done_key = {t}.done_key AND d.state = 'done' "
                "AND d.finished_at > {t}.waiting_since) ORDER BY waiting_since",
            ),
            history=self._select(
                cursor, f"finished_at IS NOT NULL ORDER BY finished_at DESC LIMIT {int(limit)}"
            ),
        )

    def now(self, cursor: Cursor) -> datetime:
        """The server's clock."""
        self._execute(cursor, "SELECT {now}")
        return self.dialect.read_time(cursor.fetchone()[0])

    # -- in general -------------------------------------------------------------------------

    def _insert(
        self,
        cursor: Cursor,
        attempt: Attempt,
        state: str,
        patience: float | None = None,
        *,
        waiting: str = "{now}",
        started: str = "NULL",
    ) -> None:
        self._execute(
            cursor,
            "INSERT INTO {t} (run_id, name, done_key, place, state, patience, waiting_since, "
            f"seen_at, started_at) VALUES ({{p}}, {{p}}, {{p}}, {{p}}, {{p}}, {{p}}, {waiting}, "
            f"{{now}}, {started})",
            *(attempt.run_id, attempt.name, attempt.key, attempt.place, state, patience),
        )

    def _select(self, cursor: Cursor, where: str) -> list[Run]:
        self._execute(cursor, f"SELECT {_COLUMNS} FROM {{t}} WHERE {where}")
        return [self._run(*row) for row in cursor.fetchall()]

    def _run(self, *row: Any) -> Run:
        from agtool.migrate_once.documents import Run

        run_id, name, key, place, state, *times, exit_code, now = row
        waiting, started, finished = (time and self.dialect.read_time(time) for time in times)
        since = waiting if state == "waiting" else started
        ran = (finished or self.dialect.read_time(now)) - since if since else None
        seconds = None if ran is None else max(0.0, ran.total_seconds())
        return Run(run_id, name, key, place, state, waiting, started, finished, seconds, exit_code)

    def _execute(self, cursor: Cursor, sql: str, *parameters: object) -> None:
        dialect = self.dialect
        cursor.execute(
            sql.format(
                t=self.table,
                p=dialect.placeholder,
                now=dialect.now,
                seen=dialect.ago(SEEN),
                stale=dialect.ago(10 * SEEN),
                old=dialect.ago(KEEP_DAYS * 86400),
            ),
            parameters,
        )
