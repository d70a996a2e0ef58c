"""The file of `--metrics-file`: what Prometheus may know of an invocation.

It is a text file as the textfile collector of node_exporter reads it, in the exposition format:
https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from agtool.core.errors import AgtoolError, ConfigurationError, unexpected
from agtool.core.files import write_atomically
from agtool.core.output import say
from agtool.migrate_once.answers import begin
from agtool.migrate_once.model import Attempt, Outcome

EVERY = 5.0
"""Seconds between two writings; Prometheus itself mostly looks every 15 to 60."""

_PATIENCE = 1.0
"""Seconds that a writing is waited for: a network's file system may hang."""

STATES = ("waiting", "running", "ended")

RESULTS = (
    *("ran", "already-done", "attempts-exhausted", "waited-too-long", "interrupted"),
    *("cannot-run", "lock-lost", "error"),
)
"""The outcomes of the result file, and `error`: there was none, since agtool failed."""


class Snapshot(NamedTuple):
    """What is told at one moment.

    Attributes:
        labels: of all metrics, so that the files of several pods can lie in one folder.
        key: as by --key; empty: none.
        started_at: the start of the invocation, as a Unix time.
        state: one of STATES.
        waiting, running: seconds until now or until the end; running is None before.
        result: one of RESULTS; None before the end.
        exit_code: None before the end.
    """

    labels: Mapping[str, str]
    key: str
    started_at: float
    state: str
    waiting: float
    running: float | None = None
    result: str | None = None
    exit_code: int | None = None


def exposition(now: Snapshot) -> str:
    """The text of the file. Pure."""

    def metric(name: str, help_: str, samples: Sequence[tuple[Mapping[str, str], float]]) -> str:
        full = f"agtool_migrate_once_{name}"
        lines = [f"# HELP {full} {help_}", f"# TYPE {full} gauge"]
        for labels, value in samples:
            text = ",".join(
                f'{label}="{_escaped(one)}"' for label, one in {**now.labels, **labels}.items()
            )
            lines.append(f"{full}{{{text}}} {value:.15g}")
        return "".join(f"{line}\n" for line in lines)

    parts = [
        metric("info", "What runs; always 1.", [({"key": now.key}, 1)]),
        metric(
            "start_time_seconds", "When agtool started, as a Unix time.", [({}, now.started_at)]
        ),
        metric(
            "state",
            "1 for what agtool does now: it waits, its command runs, or it has ended.",
            [({"state": state}, now.state == state) for state in STATES],
        ),
        metric("waiting_seconds", "How long it waited for its turn.", [({}, now.waiting)]),
    ]
    if now.running is not None:
        parts.append(metric("running_seconds", "How long the command ran.", [({}, now.running)]))
    if now.result is not None:
        parts.append(
            metric(
                "result",
                "1 for how it ended, as in the result file.",
                [({"result": result}, now.result == result) for result in RESULTS],
            )
        )
    if now.exit_code is not None:
        parts.append(metric("exit_code", "The exit code of agtool.", [({}, now.exit_code)]))
    return "".join(parts)


def _escaped(value: str) -> str:
    """The value of a label, which is UTF-8 and in which three characters are escaped."""
    text = value.encode(errors="replace").decode()
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


class MetricsFile:
    """The file; use as a context around everything whose outcome shall stand in it.

    It is written whole or not at all. At the start an error of writing is an error of ours. Later
    it is told once and changes nothing else: the command is worth more than its metrics.

    Args:
        exit_code: gives the exit code for an error.

    Raises:
        ConfigurationError: it cannot be written; told before anything else is done.
    """

    def __init__(
        self, path: Path, attempt: Attempt, exit_code: Callable[[AgtoolError], int]
    ) -> None:
        self._path = path
        self._exit_code = exit_code
        labels = {"name": attempt.name, "place": attempt.place}
        self._now = Snapshot(labels, attempt.key or "", time.time(), "waiting", 0.0)
        self._failed = False
        self._writing = threading.Lock()  # in order: the end is written last

    def __enter__(self) -> MetricsFile:
        try:
            self._write(self._now)
        except OSError as error:
            raise ConfigurationError(
                f"cannot write the metrics file {self._path}: {error.strerror}",
                hint="Give --metrics-file a path in a directory that exists, has room and can be "
                "written.",
            ) from error
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, Exception):
            failure = error if isinstance(error, AgtoolError) else unexpected(error)
            self._end("error", self._exit_code(failure))

    def record(self, outcome: Outcome) -> None:
        """Write how it ended."""
        self._now = self._now._replace(waiting=outcome.waited_seconds, running=outcome.ran_seconds)
        self._end(outcome.outcome, outcome.exit_code)

    @contextmanager
    def phase(self, state: str) -> Iterator[None]:
        """Keep the file up to date while the body runs, in a thread; none is left after it."""
        began = time.monotonic()
        over = threading.Event()

        def keep() -> None:
            while True:
                self._write_or_tell(self._during(state, time.monotonic() - began))
                if over.wait(EVERY):
                    return

        kept = begin(keep)
        try:
            yield
        finally:
            over.set()
            kept.wait(_PATIENCE)
            self._now = self._during(state, time.monotonic() - began)

    def _during(self, state: str, seconds: float) -> Snapshot:
        seconds = round(seconds, 3)
        if state == "waiting":
            return self._now._replace(state=state, waiting=seconds)
        return self._now._replace(state=state, running=seconds)

    def _end(self, result: str, exit_code: int) -> None:
        end = self._now._replace(state="ended", result=result, exit_code=exit_code)
        begin(lambda: self._write_or_tell(end)).wait(_PATIENCE)

    def _write_or_tell(self, snapshot: Snapshot) -> None:
        try:
            with self._writing:
                self._write(snapshot)
        except OSError as error:
            if not self._failed:
                self._failed = True
                say(
                    f"cannot write the metrics file {self._path}: {error.strerror}",
                    "metrics-file",
                    level="warning",
                )

    def _write(self, snapshot: Snapshot) -> None:
        # It is replaced. So no link: /dev/stdout may lead to a file that is not ours.
        if self._path.is_symlink() or (self._path.exists() and not self._path.is_file()):
            raise OSError(0, "it is not a regular file")
        # Read by a collector that is another user.
        write_atomically(self._path, exposition(snapshot).encode(), mode=0o644)
