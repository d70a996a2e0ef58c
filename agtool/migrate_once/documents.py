"""What `--status` prints for programs, and what the result file holds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from agtool.core.finding import Finding


@dataclass(frozen=True)
class Run:
    """A run of the command, or a replica that waits for its turn. Times are the server's, in UTC.

    Attributes:
        run_id: also in the result file.
        name: as by --name.
        key: as by --key; null: none.
        place: the replica: POD_NAME or the name of the host, and the process id.
        state: done: the command exited with 0. failed: it ended otherwise. lost: it was ended
            because the lock was lost. running: it has not recorded its end.
        waiting_since: the replica's first try to get the lock.
        started_at: the command's start; null: it has not started.
        finished_at: the command's end; null: it has not ended.
        seconds: from the start to the end or until now; of a replica that waits: since its first
            try.
        exit_code: of the command; null: it has not ended, or its exit code is not known.
    """

    run_id: str
    name: str
    key: str | None
    place: str
    state: Literal["waiting", "running", "done", "failed", "lost"]
    waiting_since: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    seconds: float | None
    exit_code: int | None


@dataclass(frozen=True)
class Status:
    """What `--status` shows.

    Attributes:
        lock: what is locked, for people.
        held: whether the lock is held now.
        now: the server's clock.
        running: runs that have not recorded their end; without `held` they have lost the lock.
        waiting: replicas that gave a sign of life in the last 15 seconds, the longest first.
        history: runs that have ended, the latest first, as many as --limit says.
    """

    lock: str
    held: bool
    now: datetime
    running: list[Run]
    waiting: list[Run]
    history: list[Run]


@dataclass(frozen=True)
class Outcome:
    """What the result file says of an invocation.

    Attributes:
        name: as by --name.
        key: as by --key; null: none.
        place: the replica: POD_NAME or the name of the host, and the process id.
        run_id: also in the history of --status.
        lock: what is locked, for people.
        outcome: ran: the command came to its own end. already-done: the key was done before.
            waited-too-long: --wait-timeout was over. interrupted: a signal came during the wait.
            cannot-run: the command could not be started. lock-lost: the command was ended.
        waited_seconds: until the lock was held, or until the waiting ended.
        ran_seconds: how long the command ran; null: it did not.
        started_at: the command's start by this machine's clock, in ISO 8601; null: none.
        signal: that was passed on to the command, or that ended the wait; null: none.
        reason: for people, why the command did not run or did not come to its own end, or why
            its key is not marked as done, or its end not recorded; null: none of these.
        marked_done: whether this run marked the key as done.
        warnings: what agtool could not guard the command against, each once.
    """

    name: str
    key: str | None
    place: str
    run_id: str
    lock: str
    outcome: Literal[
        "ran", "already-done", "waited-too-long", "interrupted", "cannot-run", "lock-lost"
    ]
    waited_seconds: float
    ran_seconds: float | None
    started_at: str | None
    signal: str | None
    reason: str | None
    marked_done: bool
    warnings: list[Finding]
