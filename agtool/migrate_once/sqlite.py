"""SQLite: flock(2) on a file beside the database, polled; the runs in another file beside it.

Why so, measured and told in docs/explanation/lock.md:

* BEGIN IMMEDIATE would block the command's own writes, so the database itself is never opened.
* The kernel frees the lock when the last descriptor of it is closed: not before the keeper and
  every process of the command that inherited it have gone.
* The lock file is never deleted: a waiter could hold the lock of a file that nobody finds any
  more. Somebody else may delete it, so each heartbeat looks whether the path is still our file.
* A transaction on the runs is short, so that nobody waits for it for long.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import datetime, timezone
from pathlib import Path
from urllib.parse import unquote, urlsplit

from agtool.core.errors import AgtoolError, ConfigurationError, DeniedError
from agtool.migrate_once.backend import AlreadyDone, Busy, LockLost, NotYet
from agtool.migrate_once.model import REPLY, Attempt, Run, Status, TableName
from agtool.migrate_once.runs import Dialect, RunTable
from agtool.migrate_once.url import Database

DEFAULT_TABLE = "install_locks"

_NOW = "strftime('%Y-%m-%d %H:%M:%f', 'now'{})"

_DIALECT = Dialect(
    quote='"',
    placeholder="?",
    time_type="text",
    now=_NOW.format(""),
    ago=lambda seconds: _NOW.format(f", '-{seconds} seconds'"),
    read_time=lambda value: datetime.fromisoformat(value).replace(tzinfo=timezone.utc),
)


class SQLite:
    """The port for SQLite. table names the runs table only: a file has one lock."""

    def __init__(self, database: Database, table: TableName | None) -> None:
        # Without its symbolic links, so that all who use the file find the same lock.
        self.path = Path(os.path.realpath(_file(database)))
        self.lock_file = self.path.with_name(f"{self.path.name}.agtool-lock")
        self.runs_file = self.path.with_name(f"{self.path.name}.agtool-runs")
        name = TableName(None, table.table if table else DEFAULT_TABLE)
        self.runs = RunTable(name.runs, _DIALECT)
        self.prepared = False
        self.pooled = False

    @property
    def lock_name(self) -> str:
        return f"file {self.lock_file}"

    @property
    def warnings(self) -> Sequence[str]:
        if "KUBERNETES_SERVICE_HOST" not in os.environ:
            return ()
        warning = (
            f"each pod has its own {self.path}, and so its own lock: other pods are not excluded, "
            "unless the file is on a volume that they share"
        )
        return (warning,)

    def environment(self, attempt: Attempt) -> dict[str, str]:
        """Nothing: there are no sessions to recognise."""
        return {}

    def attempt(self, attempt: Attempt, *, look: bool) -> SQLiteLock | AlreadyDone | Busy:
        if attempt.key is not None and self._is_done(attempt.name, attempt.key):
            return AlreadyDone()
        if not self.prepared:
            with self.transaction() as cursor:
                cursor.execute(self.runs.ddl)
            self.prepared = True
        descriptor = self._take()
        if descriptor is not None:
            lock = SQLiteLock(self, descriptor, attempt)
            # Done by another one between our look and our lock.
            try:
                if attempt.key is not None and self._is_done(attempt.name, attempt.key):
                    lock.release()
                    return AlreadyDone()
            except BaseException:
                lock.release()
                raise
            return lock
        if not look:
            return Busy(None)
        with self.transaction() as cursor:
            self.runs.note_waiting(cursor, attempt)
            return Busy(self.runs.situation(cursor, attempt))

    def record_start(self, attempt: Attempt, patience: float) -> None:
        with self.transaction() as cursor:
            self.runs.record_start(cursor, attempt, patience)

    def record_end(self, run_id: str, state: str, exit_code: int | None) -> None:
        with self.transaction() as cursor:
            self.runs.record_end(cursor, run_id, state, exit_code)

    def stop_statements(self, run_ids: Sequence[str]) -> int:
        """Nothing to stop: statements run inside the command's processes and die with them."""
        return 0

    def status(self, limit: int) -> Status:
        if not self.runs_file.exists():
            return Status(self._is_held(), datetime.now(timezone.utc), [], [], [])
        with self.transaction() as cursor:
            cursor.execute(self.runs.ddl)
            return Status(
                held=self._is_held(),
                now=self.runs.now(cursor),
                running=self.runs.unfinished(cursor),
                waiting=self.runs.waiting(cursor),
                history=self.runs.history(cursor, limit),
            )

    # -- the lock -------------------------------------------------------------------------

    def _take(self) -> int | None:
        """The locked descriptor; None: somebody else has the lock."""
        while True:
            descriptor = self._open()
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if self.is_lock_file(descriptor):
                    return descriptor
            except BlockingIOError:
                os.close(descriptor)
                return None
            except OSError as error:
                os.close(descriptor)
                raise self._cannot(f"lock {self.lock_file}", error) from error
            os.close(descriptor)  # deleted between our open and our lock

    def _open(self) -> int:
        try:
            return os.open(self.lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            # Another user's file: reading is enough to lock it.
            with suppress(OSError):
                return os.open(self.lock_file, os.O_RDONLY | os.O_CLOEXEC)
            raise self._cannot(f"create {self.lock_file}", error) from error

    def is_lock_file(self, descriptor: int) -> bool:
        """Whether others who look for the lock file find the one with this descriptor."""
        try:
            return os.path.samestat(os.fstat(descriptor), self.lock_file.stat())
        except OSError:
            return False

    def _is_held(self) -> bool:
        try:
            descriptor = os.open(self.lock_file, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            # Shared, and for no time: a waiter that meets us tries again in a moment.
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(descriptor)
        return False

    # -- the runs -------------------------------------------------------------------------

    def _is_done(self, name: str, key: str) -> bool:
        if not self.runs_file.exists():
            return False
        with self._translated(), closing(self.connect()) as connection:
            try:
                return self.runs.is_done(connection.cursor(), name, key)
            except sqlite3.OperationalError as error:
                if "no such table" in str(error):
                    return False
                raise

    def connect(self) -> sqlite3.Connection:
        """The file of the runs, created if missing; transactions are begun by hand."""
        return sqlite3.connect(self.runs_file, timeout=REPLY, isolation_level=None)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Cursor]:
        """One short transaction on the runs.

        Raises:
            NotYet, AgtoolError: as the port says.
        """
        with self._translated(), closing(self.connect()) as connection:
            cursor = connection.cursor()
            cursor.execute("BEGIN IMMEDIATE")
            yield cursor
            cursor.execute("COMMIT")  # after an error, closing rolls back

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            reason = str(error)
            if "locked" in reason:
                raise NotYet(f"{self.runs_file} is busy: {reason}") from error
            if not self.path.parent.is_dir():
                missing = FileNotFoundError(2, "No such file or directory")
                raise self._cannot(f"create {self.runs_file}", missing) from error
            if "not a database" in reason or "malformed" in reason:
                raise ConfigurationError(
                    f"{self.runs_file} is not agtool's file of runs: {reason}",
                    hint="Move it away; agtool makes a new one.",
                ) from error
            raise DeniedError(
                f"cannot write {self.runs_file}: {reason}", hint=self._hint()
            ) from error

    def _cannot(self, what: str, error: OSError) -> AgtoolError:
        if isinstance(error, (FileNotFoundError, NotADirectoryError)):
            return ConfigurationError(
                f"the directory {self.path.parent} of the database does not exist",
                hint="Create or mount it, or correct the database URL.",
            )
        return DeniedError(f"cannot {what}: {error.strerror}", hint=self._hint())

    def _hint(self) -> str:
        return (
            f"agtool keeps two files beside the database: this user must be able to write in "
            f"{self.path.parent}, and its disk must have room."
        )


class SQLiteLock:
    """The held lock: an open file."""

    def __init__(self, backend: SQLite, descriptor: int, attempt: Attempt) -> None:
        self._backend = backend
        self._descriptor = descriptor
        self._attempt = attempt

    @property
    def keep_open(self) -> int:
        return self._descriptor

    @property
    def watch(self) -> Sequence[int]:
        return ()

    def check(self, command: int | None = None) -> None:
        if not self._backend.is_lock_file(self._descriptor):
            raise LockLost(f"{self._backend.lock_file} was deleted or replaced")

    def unfinished(self) -> list[Run]:
        """As on a server, although the kernel keeps the lock while the tree lives.

        Not if the lock file was deleted, nor in a process that closed what it had inherited.
        """
        try:
            self.check()
            with self._backend.transaction() as cursor:
                return self._backend.runs.unfinished(cursor)
        except NotYet as error:
            raise LockLost(error.message) from error

    def finish(self, state: str, exit_code: int) -> None:
        try:
            with self._backend.transaction() as cursor:
                self._backend.runs.record_end(cursor, self._attempt.run_id, state, exit_code)
                self.check()
        except AgtoolError as error:
            raise LockLost(error.message) from error
        self.release()

    def release(self) -> None:
        # The keeper has a descriptor of the same open file, so closing ours is not enough.
        with suppress(OSError):
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
            os.close(self._descriptor)


def _file(database: Database) -> str:
    """The database's file, as SQLAlchemy's pysqlite dialect finds it.

    Raises:
        ConfigurationError: it is in memory.
    """
    name = database.database or ""
    query = database.options
    if query.get("uri", "").lower() in ("true", "1", "yes", "on") and name.startswith("file:"):
        # https://www.sqlite.org/uri.html; SQLAlchemy adds the URL's query to it.
        parts = urlsplit(name)
        name = unquote(parts.path)
        if query.get("mode") == "memory" or "mode=memory" in parts.query.split("&"):
            name = ""
    if name in ("", ":memory:", "file::memory:") or query.get("mode") == "memory":
        raise ConfigurationError(
            "the database is in memory, where no other process can see it",
            hint="Name a file: sqlite:////absolute/path or sqlite:///relative/path.",
        )
    return name
