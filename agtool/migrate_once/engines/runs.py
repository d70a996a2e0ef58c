"""The runs table: who waits, who runs, how every run ended, and which keys are done.

The same SQL on every engine, given a DB-API cursor; what differs stands in `Dialect`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from agtool.migrate_once.model import SEEN, Attempt, Run, Situation, Status, TableName

KEEP_DAYS = 30
"""Days for which the history keeps runs without a key; done keys are kept for ever."""

_COLUMNS = (
    "run_id, name, done_key, place, state, patience, "
    "waiting_since, started_at, finished_at, exit_code, sessions"
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
        """Whether the attempt's key is done under its name."""
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
            "SELECT count(*), {now} FROM {t} WHERE state = 'waiting' AND seen_at > {seen} "
            "AND run_id <> {p}",
            attempt.run_id,
        )
        waiters, now = cursor.fetchone()
        return Situation(running[0] if running else None, int(waiters), self.dialect.read_time(now))

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

    def record_end(self, cursor: Cursor, run_id: str, state: str, exit_code: int | None) -> None:
        """How the run ended."""
        self._execute(
            cursor,
            "UPDATE {t} SET state = {p}, exit_code = {p}, finished_at = {now} WHERE run_id = {p}",
            state,
            exit_code,
            run_id,
        )

    def unfinished(self, cursor: Cursor) -> list[Run]:
        """Runs that began and have not said that they ended."""
        return self._select(cursor, "state = 'running'")

    def note_sessions(self, cursor: Cursor, run_id: str, sessions: str) -> None:
        """The server's sessions that the run's command has at the moment."""
        self._execute(
            cursor, "UPDATE {t} SET sessions = {p} WHERE run_id = {p}", sessions[:4000], run_id
        )

    def status(self, cursor: Cursor, limit: int, *, held: bool) -> Status:
        """All of them, and the latest `limit` ended runs."""
        return Status(
            held=held,
            now=self.now(cursor),
            running=self.unfinished(cursor),
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
        fixed = list(row)
        for i in (6, 7, 8):
            fixed[i] = None if row[i] is None else self.dialect.read_time(row[i])
        return Run(*fixed)

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
