"""The lock of SQLite, an open file: how it is taken, proved to be held, and released."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from agtool.core.errors import AgtoolError
from agtool.core.finding import Finding
from agtool.migrate_once.backend import Exhausted, LockLost, NotYet, Session
from agtool.migrate_once.engines.sqlite.files import Files
from agtool.migrate_once.model import Attempt, End, Unfinished


def take(files: Files, attempt: Attempt) -> SQLiteLock | None:
    """The lock; None: somebody else has it.

    Raises:
        AgtoolError: there is no directory, or no right to make or lock the file.
    """
    while True:
        descriptor = _open(files)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_lock_file(files, descriptor):
                return SQLiteLock(files, descriptor, attempt)
        except BlockingIOError:
            os.close(descriptor)
            return None
        except OSError as error:
            os.close(descriptor)
            raise files.cannot(f"lock {files.lock}", error) from error
        os.close(descriptor)  # deleted between our open and our lock


def is_held(files: Files) -> bool:
    """Whether anybody has the lock."""
    with suppress(OSError), files.lock.open("rb") as file:
        try:
            # Shared, and for no time: a waiter that meets us tries again in a moment.
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def is_open(file: Path, pid: int) -> bool:
    """Whether a process has this file open, as far as we may see that."""
    with suppress(OSError):
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):  # closed meanwhile
                if descriptor.samefile(file):
                    return True
    return False


def _open(files: Files) -> int:
    try:
        return os.open(files.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        # Another user's file: reading is enough to lock it.
        with suppress(OSError):
            return os.open(files.lock, os.O_RDONLY | os.O_CLOEXEC)
        raise files.cannot(f"create {files.lock}", error) from error


def _is_lock_file(files: Files, descriptor: int) -> bool:
    """Whether others who look for the lock file find the one with this descriptor."""
    try:
        return os.path.samestat(os.fstat(descriptor), files.lock.stat())
    except OSError:
        return False


class SQLiteLock:
    """The held lock: an open file."""

    pooled = False
    horizon = 0.0
    watch: Sequence[int] = ()

    def __init__(self, files: Files, descriptor: int, attempt: Attempt) -> None:
        self._files = files
        self.keep_open = descriptor
        self._attempt = attempt

    def check(self, command: int | None = None) -> None:
        if not _is_lock_file(self._files, self.keep_open):
            raise LockLost(f"{self._files.lock} was deleted or replaced")

    def unfinished(self) -> list[Unfinished]:
        """As on a server, although the kernel keeps the lock while the tree lives.

        Not if the lock file was deleted, nor in a process that closed what it had inherited.
        """
        try:
            self.check()
            with self._files.transaction() as cursor:
                return self._files.table.unfinished(cursor)
        except NotYet as error:
            raise LockLost(error.message) from error

    def exhausted(self) -> Exhausted | None:
        try:
            with self._files.transaction() as cursor:
                return self._files.table.exhausted(cursor, self._attempt)
        except NotYet as error:
            raise LockLost(error.message) from error

    def observe(self, command: int) -> list[Finding]:
        """Nothing: there is no server."""
        return []

    def stop_statements(self, run_ids: Sequence[str]) -> list[Session]:
        """None: statements run inside the command's processes and die with them."""
        return []

    def strangers(self, run_ids: Sequence[str], waited: float) -> list[Session]:
        """None, for the same reason."""
        return []

    def finish(self, end: End) -> str | None:
        problem = None
        try:
            with self._files.transaction() as cursor:
                if not self._files.table.record_end(cursor, self._attempt, end):
                    problem = f"{self._files.runs} does not take it"
                self.check()
        except AgtoolError as error:
            problem = error.message
        self.check()
        self.release()
        return problem

    def release(self) -> None:
        # The keeper has a descriptor of the same open file, so closing ours is not enough.
        with suppress(OSError):
            fcntl.flock(self.keep_open, fcntl.LOCK_UN)
            os.close(self.keep_open)
