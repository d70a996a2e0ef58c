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
class Key:
    """What is recorded of the key that was asked for.

    Attributes:
        name: as by --name.
        key: as by --key.
        done: whether COMMAND has succeeded with it.
        failures: how many of its runs have failed or were lost since it last succeeded or --retry
            was given, without those that agtool was told to end.
        failed_on: the replica on which the last of them ran; null: there was none.
        failed_with: its exit code; null: there was none, or it is not known.
    """

    name: str
    key: str
    done: bool
    failures: int
    failed_on: str | None
    failed_with: int | None


@dataclass(frozen=True)
class Status:
    """What `--status` shows.

    Attributes:
        lock: what is locked, for people.
        held: whether the lock is held now.
        now: the server's clock.
        running: runs that have not recorded their end; without `held` they have lost the lock.
        waiting: replicas that gave a sign of life in the last 15 seconds, the longest first; null:
            nothing tells, since the first command of an empty database runs.
        history: runs that have ended, the latest first, as many as --limit says.
        key: null: --key was not given.
    """

    lock: str
    held: bool
    now: datetime
    running: list[Run]
    waiting: list[Run] | None
    history: list[Run]
    key: Key | None = None


@dataclass(frozen=True)
class Server:
    """What was found at the end of the URL.

    Attributes:
        product: PostgreSQL, MySQL, MariaDB or SQLite.
        version: as it says itself.
        account: whom it takes agtool for; null: it has no accounts.
        pooler: what stands between, as far as it can be found out; null: nothing was found.
    """

    product: str
    version: str
    account: str | None
    pooler: str | None


@dataclass(frozen=True)
class Check:
    """What `--check` shows.

    Attributes:
        lock: what would be locked, for people; null: the options do not tell.
        server: null: it could not be reached.
        would: what would happen to COMMAND now. run: it would run. wait: it would wait for the
            holder. already-done: its key is done. attempts-exhausted: its key has failed as often
            as --attempts says. null: agtool would fail, as the problems say.
        holder: the run that holds the lock; null: none, or it is not known.
        creates: what agtool would create in the database, or beside it.
        problems: why it would not work.
        warnings: what else to know before relying on it.
    """

    lock: str | None
    server: Server | None
    would: Literal["run", "wait", "already-done", "attempts-exhausted"] | None
    holder: Run | None
    creates: list[str]
    problems: list[Finding]
    warnings: list[Finding]


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
            attempts-exhausted: the key has failed as often as --attempts says. cannot-run: the
            command could not be started. lock-lost: the command was ended.
        waited_seconds: until the lock was held, or until the waiting ended.
        ran_seconds: how long the command ran; null: it did not.
        started_at: the command's start by this machine's clock, in ISO 8601; null: none.
        signal: that was passed on to the command, or that ended the wait; null: none.
        reason: for people, why the command did not run or did not come to its own end, or why
            its key is not marked as done, or its end not recorded; null: none of these.
        marked_done: whether this run marked the key as done.
        failures: attempts-exhausted: how often the key has failed; else null.
        failed_with: the exit code of the last of these failures; null: none, or it is not known.
        warnings: what agtool could not guard the command against, each once.
    """

    name: str
    key: str | None
    place: str
    run_id: str
    lock: str
    outcome: Literal[
        "ran",
        "already-done",
        "attempts-exhausted",
        "waited-too-long",
        "interrupted",
        "cannot-run",
        "lock-lost",
    ]
    waited_seconds: float
    ran_seconds: float | None
    started_at: str | None
    signal: str | None
    reason: str | None
    marked_done: bool
    failures: int | None
    failed_with: int | None
    warnings: list[Finding]


@dataclass(frozen=True)
class InjectedWorkload:
    """A workload that `inject` has looked at.

    Attributes:
        workload: such as Deployment/shop.
        file: in which it stands; stdin: standard input.
        document: its number in the file, from 1.
        line: in which it begins, from 1.
        action: what became of it. injected: it has got what it needs. removed: it has got rid of
            that. unchanged: it was already so.
        container: whose image runs COMMAND; null: with --remove.
        key: for which COMMAND runs once; null: with --remove.
    """

    workload: str
    file: str
    document: int
    line: int
    action: Literal["injected", "removed", "unchanged"]
    container: str | None
    key: str | None


@dataclass(frozen=True)
class Injected:
    """What `inject` has done.

    Attributes:
        workloads: those that were meant.
        written: the files that were changed on the disk; none without --in-place.
        diff: what changes, with values that may be secret left out.
    """

    workloads: list[InjectedWorkload]
    written: list[str]
    diff: str


@dataclass(frozen=True)
class WorkloadPod:
    """A pod of the workload, and where its agtool is.

    Attributes:
        pod: its name.
        container: that runs agtool.
        state: working: it holds the lock, and its command runs. waiting: it waits for the lock.
            running: its container runs, and nobody has told what its agtool does. done: its
            container has ended with 0. failed: it has ended otherwise, and may be started again.
            pending: it has not been started.
        since: the command's start, or the first try to get the lock; of a container that has
            ended, its end; null: it has not been started.
        seconds: for how long the command runs or has run, or for how long it waits; null: it has
            not run, or it is not known.
        key: as by --key; null: none, or it is not known.
        run_id: also in the history; null: not known.
        exit_code: the container's; null: it has not ended.
        restarts: how often the container was started again.
        outcome: as in the result file, where the pod has it as its message; null: it has none.
        reason: for people, why agtool cannot be asked there; null: it could, or another one was.
    """

    pod: str
    container: str
    state: Literal["working", "waiting", "running", "done", "failed", "pending"]
    since: datetime | None
    seconds: float | None
    key: str | None
    run_id: str | None
    exit_code: int | None
    restarts: int
    outcome: str | None
    reason: str | None


@dataclass(frozen=True)
class Answer:
    """What an agtool in a pod says of a lock.

    Attributes:
        pod: who was asked.
        container: in it.
        status: as --status there.
    """

    pod: str
    container: str
    status: Status


@dataclass(frozen=True)
class WorkloadStatus:
    """What `migrate-once status` shows of a workload.

    Attributes:
        workload: such as Deployment/shop.
        namespace: in which it is.
        answers: one for each lock; none: no agtool runs in the pods now, or none answers.
        pods: the pods that run agtool, or have run it.
    """

    workload: str
    namespace: str
    answers: list[Answer]
    pods: list[WorkloadPod]
