"""AGTOOL_TRACE: what an invocation does to the lock and the record, to be held against the model.

The model is docs/explanation/lock-model/lock.pml, whose events these are. Each is written before
it can happen and once more when its outcome is known, so that of a process that is killed nothing
is missing: what has begun and not ended may have happened. Times are time.monotonic(), which all
processes of a machine share.
"""

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from typing import Any, TypeVar, cast

from agtool.core.errors import ConfigurationError
from agtool.migrate_once.acquire import Job
from agtool.migrate_once.backend import AlreadyDone, Backend, Busy, Exhausted, Lock
from agtool.migrate_once.model import Attempt, End, new_run_id

_Answer = TypeVar("_Answer")


def traced(job: Job, path: str) -> Job:
    """The job, whose events are appended to a file as lines of JSON.

    Raises:
        ConfigurationError: the file cannot be opened. That the disk is full later changes nothing.
    """
    try:
        trace = _Trace(path)
    except OSError as error:
        raise ConfigurationError(
            f"cannot write the trace file {path}: {error.strerror}",
            hint="Unset AGTOOL_TRACE, or let it name a file in a directory that exists.",
        ) from error
    backend = cast("Backend", _Backend(job.backend, trace))
    return job._replace(backend=backend, phase=partial(_phase, job.phase, trace))


class _Trace:
    """The file. The keeper, a fork of agtool, writes to it too: lines do not mix."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._invocation = new_run_id()
        self._written = self._command = self._over = 0

    def begin(self, event: str) -> int:
        """Say that an event may happen from now on; returns its number."""
        self._written += 1
        self._write(self._written, event=event, began=time.monotonic())
        return self._written

    def end(self, number: int, *, happened: bool | None) -> None:
        """Say whether it has happened; None: nobody knows."""
        self._write(number, ended=time.monotonic(), happened=happened)

    def call(self, event: str, function: Callable[[], _Answer]) -> _Answer:
        """Call what makes the event happen."""
        number = self.begin(event)
        try:
            answer = function()
        except BaseException:
            self.end(number, happened=None)
            raise
        self.end(number, happened=True)
        return answer

    def begin_command(self) -> None:
        """Say that the command may start from now on, and all of it be gone."""
        self._command, self._over = self.begin("COMMAND"), self.begin("OVER")

    def end_command(self) -> None:
        """Say that all of it is gone; it may have been one that cannot be started."""
        self.end(self._command, happened=None)
        self.end(self._over, happened=True)

    def _write(self, number: int, **more: object) -> None:
        line = {"invocation": self._invocation, "process": os.getpid(), "number": number, **more}
        with suppress(OSError):  # the disk is full: the command is worth more
            os.write(self._file, json.dumps(line).encode() + b"\n")


class _Backend:
    """A backend, and what is told of it."""

    def __init__(self, backend: Backend, trace: _Trace) -> None:
        self._backend = backend
        self._trace = trace
        self._run_id = ""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def attempt(self, attempt: Attempt, *, look: bool) -> Any:
        locked, found = self._trace.begin("LOCKED"), self._trace.begin("FOUND")
        lock: Lock | None = None
        answer = None
        try:
            answer = self._backend.attempt(attempt, look=look)
            lock = None if isinstance(answer, (AlreadyDone, Exhausted, Busy)) else answer
        finally:
            # What was found may have been seen under the lock, which is released then.
            unknown = None if lock is None else True
            self._trace.end(locked, happened=False if isinstance(answer, Busy) else unknown)
            self._trace.end(found, happened=isinstance(answer, (AlreadyDone, Exhausted)))
        if lock is None:
            return answer
        self._lock = _Lock(lock, self._trace)
        return self._lock

    def record_start(self, attempt: Attempt, patience: float) -> None:
        self._run_id = attempt.run_id
        self._trace.call("STARTED", partial(self._backend.record_start, attempt, patience))
        self._lock.to_be_proven = True

    def record_lost(self, run_id: str, exit_code: int | None, *, counts: bool = True) -> None:
        record = partial(self._backend.record_lost, run_id, exit_code, counts=counts)
        self._trace.call("ENDED" if run_id == self._run_id else "REAPED", record)


class _Lock:
    """A lock that is held, and what is told of it."""

    def __init__(self, lock: Lock, trace: _Trace) -> None:
        self._lock = lock
        self._trace = trace
        self.to_be_proven = False
        """Whether the next check is the proof: one before it is said that we begin is none."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lock, name)

    def check(self, command: int | None = None) -> None:
        if not self.to_be_proven:
            self._lock.check(command)
        else:
            self._trace.call("PROVEN", partial(self._lock.check, command))
            self.to_be_proven = False
            self._trace.begin_command()

    def finish(self, end: End) -> str | None:
        event = "DONE" if end.state == "done" else "ENDED"
        number = self._trace.begin(event)
        unrecorded: str | None = ""
        try:
            unrecorded = self._lock.finish(end)
        finally:
            # An answer that is lost leaves open what became of it.
            self._trace.end(number, happened=True if unrecorded is None else None)
        return unrecorded


@contextmanager
def _phase(
    phase: Callable[[str], AbstractContextManager[None]], trace: _Trace, state: str
) -> Iterator[None]:
    """The phase "running" ends when the command's tree is gone."""
    if state != "running":
        with phase(state):
            yield
        return
    with phase(state):
        yield
    trace.end_command()
