"""The port for SQLite; why it is as it is stands in the package's text."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from agtool.migrate_once.backend import AlreadyDone, Busy, Session, Survey
from agtool.migrate_once.engines.runs import key_of
from agtool.migrate_once.engines.sqlite.files import Files
from agtool.migrate_once.engines.sqlite.lock import SQLiteLock, is_held, is_open, take
from agtool.migrate_once.model import Attempt
from agtool.migrate_once.url import Database

if TYPE_CHECKING:
    from agtool.core.process.tree import Process
    from agtool.migrate_once.documents import Status


class SQLite:
    """The port for SQLite."""

    def __init__(self, database: Database) -> None:
        self.files = Files(database)
        self.runs = self.files.table
        self.look = self.files.look
        self.warnings: Sequence[str] = ()
        self._prepared = False
        self.lock_name = f"file {self.files.lock}"
        if "KUBERNETES_SERVICE_HOST" in os.environ:
            warning = (
                f"each pod has its own {self.files.database}, and so its own lock, unless the file "
                "is on a volume that the pods share"
            )
            self.warnings = (warning,)

    def attempt(self, attempt: Attempt, *, look: bool) -> SQLiteLock | AlreadyDone | Busy:
        if self.files.is_done(attempt):
            return AlreadyDone()
        if not self._prepared:
            with self.files.transaction():
                self._prepared = True
        if (lock := take(self.files, attempt)) is not None:
            with ExitStack() as unless_locked:
                unless_locked.callback(lock.release)
                # By another one, between our look and our lock.
                if self.files.is_done(attempt):
                    return AlreadyDone()
                unless_locked.pop_all()
            return lock
        if not look:
            return Busy(None)
        with self.files.transaction() as cursor:
            self.runs.note_waiting(cursor, attempt)
            return Busy(self.runs.situation(cursor, attempt))

    def survey(self) -> Survey:
        from agtool.migrate_once.engines.sqlite.survey import survey

        return survey(self.files)

    def is_held_by(self, processes: Sequence[Process]) -> bool:
        """Whether one has the lock file open: only holders have, and who has started them."""
        return any(is_open(self.files.lock, process.pid) for process in processes)

    def environment(self, _attempt: Attempt) -> dict[str, str]:
        """Nothing: there are no sessions."""
        return {}

    def record_start(self, attempt: Attempt, patience: float) -> None:
        with self.files.transaction() as cursor:
            self.runs.record_start(cursor, attempt, patience)

    def record_lost(self, run_id: str, exit_code: int | None, *, counts: bool = True) -> None:
        with self.files.transaction() as cursor:
            self.runs.set_end(cursor, run_id, "lost", exit_code, counts=counts)

    def stop_statements(self, run_ids: Sequence[str]) -> list[Session]:
        """None: statements run inside the command's processes and die with them."""
        return []

    def strangers(
        self, run_ids: Sequence[str], waited: float, horizon: float = 0.0
    ) -> list[Session]:
        """None, for the same reason."""
        return []

    def status(self, limit: int, attempt: Attempt | None = None) -> Status:
        from dataclasses import replace

        from agtool.migrate_once.documents import Status

        has_runs = self.files.has_runs()
        held = is_held(self.files)
        if not has_runs:
            key = key_of(attempt, done=False, failures=())
            return Status(self.lock_name, held, datetime.now(timezone.utc), [], [], [], key)
        with self.files.transaction() as cursor:
            status = self.runs.status(cursor, limit, lock=self.lock_name, held=held)
            if attempt is None:
                return status
            failures = self.runs.failures(cursor, attempt)
            done = self.runs.is_done(cursor, attempt)
            return replace(status, key=key_of(attempt, done=done, failures=failures))
