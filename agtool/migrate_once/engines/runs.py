"""The runs table: who waits, who runs, how every run ended, and which keys are done.

The same SQL on every engine, given a DB-API cursor; what differs stands in `Dialect`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from agtool.migrate_once.model import SEEN, Attempt, End, Situation, TableName, Unfinished

if TYPE_CHECKING:
    from agtool.migrate_once.documents import Run, Status

KEEP_DAYS = 30
"""Days for which the history keeps runs without a key; done keys are kept for ever."""

_COLUMNS = (
    "run_id, name, done_key, place, state, waiting_since, started_at, finished_at, exit_code, {now}"
)


class Cursor(Protocol):
    """What this module needs of a DB-API cursor."""

    @property
    def rowcount(self) -> int: ...
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


class Recorder:
    """What all ports have: a table of runs, and short transactions on it."""

    runs: RunTable
    warnings: Sequence[str] = ()
    transaction: Callable[[], AbstractContextManager[Cursor]]

    def environment(self, _attempt: Attempt) -> dict[str, str]:
        """Nothing: there are no sessions, or their clients have no variable in common."""
        return {}

    def record_start(self, attempt: Attempt, patience: float) -> None:
        with self.transaction() as cursor:
            self.runs.record_start(cursor, attempt, patience)

    def record_lost(self, run_id: str, exit_code: int | None) -> None:
        with self.transaction() as cursor:
            self.runs.set_end(cursor, run_id, "lost", exit_code)


class RunTable:
    """Statements on one runs table. The caller owns the cursor and its transaction."""

    def __init__(self, name: TableName, dialect: Dialect) -> None:
        self.table = name.quoted(dialect.quote)
        self.dialect = dialect

    @property
    def ddl(self) -> str:
        """CREATE TABLE, for us or for an administrator."""
        time = self.dialect.time_type
        return (
            f"CREATE TABLE IF NOT EXISTS {self.table} ("
            "run_id varchar(32) PRIMARY KEY, name varchar(200) NOT NULL, done_key varchar(500), "
            "place varchar(300) NOT NULL, state varchar(12) NOT NULL, patience double precision, "
            f"waiting_since {time}, seen_at {time}, started_at {time}, finished_at {time}, "
            "exit_code int, sessions varchar(4000))"
        )

    def is_done(self, cursor: Cursor, attempt: Attempt) -> bool:
        """Whether the attempt has a key, and that is done under its name."""
        if attempt.key is None:
            return False
        self._execute(
            cursor,
            "SELECT 1 FROM {t} WHERE name = {p} AND done_key = {p} AND state = 'done' LIMIT 1",
            attempt.name,
            attempt.key,
        )
        return cursor.fetchone() is not None

    def note_waiting(self, cursor: Cursor, attempt: Attempt) -> None:
        """A waiter's sign of life."""
        self._execute(cursor, "UPDATE {t} SET seen_at = {now} WHERE run_id = {p}", attempt.run_id)
        if cursor.rowcount == 0:
            self._insert(cursor, attempt, "waiting", None)

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

    def record_start(self, cursor: Cursor, attempt: Attempt, patience: float) -> None:
        """This run has begun; forget what is too old."""
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
            self._insert(cursor, attempt, "running", patience)

    def record_end(self, cursor: Cursor, attempt: Attempt, end: End) -> bool:
        """How the run ended; whether that is recorded.

        The command may have emptied the table, or put another in its place.
        """
        if self.set_end(cursor, attempt.run_id, end.state, end.exit_code):
            return True
        self._execute(
            cursor,
            "INSERT INTO {t} (run_id, name, done_key, place, state, exit_code, waiting_since, "
            f"started_at, finished_at) VALUES ({{p}}, {{p}}, {{p}}, {{p}}, {{p}}, {{p}}, "
            f"{self.dialect.ago(end.waited + end.ran)}, {self.dialect.ago(end.ran)}, {{now}})",
            *(attempt.run_id, attempt.name, attempt.key, attempt.place),
            *(end.state, end.exit_code),
        )
        return cursor.rowcount == 1

    def set_end(self, cursor: Cursor, run_id: str, state: str, exit_code: int | None) -> bool:
        """How the run ended, if it is recorded; whether it is."""
        self._execute(
            cursor,
            "UPDATE {t} SET state = {p}, exit_code = {p}, finished_at = {now} WHERE run_id = {p}",
            state,
            exit_code,
            run_id,
        )
        return cursor.rowcount == 1

    def unfinished(self, cursor: Cursor) -> list[Unfinished]:
        """Runs that began and have not said that they ended."""
        self._execute(cursor, "SELECT run_id, place, patience FROM {t} WHERE state = 'running'")
        return [Unfinished(*row) for row in cursor.fetchall()]

    def note_sessions(self, cursor: Cursor, run_id: str, sessions: str) -> None:
        """The server's sessions that the run's command has at the moment."""
        self._execute(
            cursor, "UPDATE {t} SET sessions = {p} WHERE run_id = {p}", sessions[:4000], run_id
        )

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
                "WHERE d.name = {t}.name AND d.done_key = {t}.done_key AND d.state = 'done') "
                "ORDER BY waiting_since",
            ),
            history=self._select(
                cursor, f"finished_at IS NOT NULL ORDER BY finished_at DESC LIMIT {int(limit)}"
            ),
        )

    def now(self, cursor: Cursor) -> datetime:
        """The server's clock."""
        self._execute(cursor, "SELECT {now}")
        return self.dialect.read_time(cursor.fetchone()[0])

    def _insert(self, cursor: Cursor, attempt: Attempt, state: str, patience: float | None) -> None:
        started = "{now}" if state == "running" else "NULL"
        self._execute(
            cursor,
            "INSERT INTO {t} (run_id, name, done_key, place, state, patience, waiting_since, "
            f"seen_at, started_at) VALUES ({{p}}, {{p}}, {{p}}, {{p}}, {{p}}, {{p}}, {{now}}, "
            f"{{now}}, {started})",
            attempt.run_id,
            attempt.name,
            attempt.key,
            attempt.place,
            state,
            patience,
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
