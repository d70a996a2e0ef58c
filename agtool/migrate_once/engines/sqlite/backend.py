"""The port for SQLite; why it is as it is stands in the package's text."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime, timezone

from agtool.migrate_once.backend import AlreadyDone, Busy
from agtool.migrate_once.engines.sqlite.files import Files
from agtool.migrate_once.engines.sqlite.lock import SQLiteLock, is_held, take
from agtool.migrate_once.model import Attempt, Status, TableName
from agtool.migrate_once.url import Database


class SQLite:
    """The port for SQLite. table names the runs table only: a file has one lock."""

    def __init__(self, database: Database, table: TableName | None) -> None:
        self.files = Files(database, table)
        self._prepared = False

    @property
    def lock_name(self) -> str:
        return f"file {self.files.lock}"

    @property
    def warnings(self) -> Sequence[str]:
        if "KUBERNETES_SERVICE_HOST" not in os.environ:
            return ()
        warning = (
            f"each pod has its own {self.files.database}, and so its own lock, unless the file is "
            "on a volume that the pods share"
        )
        return (warning,)

    def environment(self, attempt: Attempt) -> dict[str, str]:
        """Nothing: there are no sessions to recognise."""
        return {}

    def attempt(self, attempt: Attempt, *, look: bool) -> SQLiteLock | AlreadyDone | Busy:
        if self.files.is_done(attempt):
            return AlreadyDone()
        if not self._prepared:
            with self.files.transaction() as cursor:
                cursor.execute(self.files.table.ddl)
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
            self.files.table.note_waiting(cursor, attempt)
            return Busy(self.files.table.situation(cursor, attempt))

    def record_start(self, attempt: Attempt, patience: float) -> None:
        with self.files.transaction() as cursor:
            self.files.table.record_start(cursor, attempt, patience)

    def record_end(self, run_id: str, state: str, exit_code: int | None) -> None:
        with self.files.transaction() as cursor:
            self.files.table.record_end(cursor, run_id, state, exit_code)

    def stop_statements(self, run_ids: Sequence[str]) -> int:
        """Nothing to stop: statements run inside the command's processes and die with them."""
        return 0

    def status(self, limit: int) -> Status:
        if not self.files.runs.exists():
            return Status(is_held(self.files), datetime.now(timezone.utc), [], [], [])
        with self.files.transaction() as cursor:
            cursor.execute(self.files.table.ddl)
            return self.files.table.status(cursor, limit, held=is_held(self.files))
