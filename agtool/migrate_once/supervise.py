"""Working: the command runs under the lock, and neither outlives the other."""

from __future__ import annotations

import select
import signal
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import partial
from typing import TYPE_CHECKING

from agtool.core.errors import WRAPPER_FAILED, AgtoolError, DeniedError
from agtool.core.finding import Finding
from agtool.core.output import say
from agtool.core.process.command import Keeper
from agtool.core.process.keeper import (
    CannotRun,
    Ended,
    Event,
    LeftBehind,
    Silent,
    Started,
    Task,
    Uncontained,
)
from agtool.core.process.tree import kill_descendants, signal_processes
from agtool.core.signals import Signals, reap
from agtool.core.text import count
from agtool.migrate_once.answers import begin, in_time, within
from agtool.migrate_once.backend import Backend, Lock, LockLost, Session
from agtool.migrate_once.findings import names, not_ours_to_end
from agtool.migrate_once.leftovers import CANNOT_LOOK, Left, end_by_others, end_statements
from agtool.migrate_once.model import (
    MARGIN,
    NOTICE,
    Attempt,
    End,
    Outcome,
    time_to_die,
)
from agtool.migrate_once.watching import Heartbeat, Observer

if TYPE_CHECKING:
    from agtool.migrate_once.acquire import Acquired, Job


def supervise(job: Job, got: Acquired, signals: Signals, waited: float) -> Outcome:
    """Run the command to its end under the lock, record how it ended, and release the lock.

    Returns when the whole process tree is gone, and not before. The lock is released in
    `_Work.conclude`, or it is lost.

    Args:
        waited: seconds until the lock was held.

    Raises:
        DeniedError: the system lets us start no process.
    """
    lock, attempt, proven_at, warnings = got
    backend, grace = job.backend, job.kill_grace
    started_at = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
    added = backend.environment(attempt)
    tags = {name.encode(): value.encode() for name, value in added.items()}
    try:
        keeper = Keeper(
            Task(
                job.argv,
                env={**job.env, **tags},
                ignored=signals.ignored,
                keep_open=lock.keep_open,
                patience=NOTICE,
                last_pulse=proven_at,
                grace=grace,
                on_orphaned=lambda: _record_orphaned(backend, attempt),
            )
        )
    except OSError as error:
        lock.finish(End("lost", WRAPPER_FAILED, waited, 0.0, counts=False))
        raise DeniedError(f"cannot start a process: {error.strerror}") from error
    work = _Work(keeper, Heartbeat(lock, keeper), lock, backend, attempt, grace, waited)
    for warning in warnings:
        work.warn(warning)
    work.heartbeat.start()
    observer = Observer(lock, lambda: work.heartbeat.command, work.warn)
    observer.start()
    with job.phase("running"):
        work.watch(signals)
    ran = work.ran
    observer.stop()
    work.conclude()
    keeper.close()
    lost = work.lost is not None
    return Outcome(
        outcome="lock-lost" if lost else "ran" if work.cannot_run is None else "cannot-run",
        exit_code=WRAPPER_FAILED if lost else work.exit_code,
        run_id=attempt.run_id,
        waited_seconds=waited,
        ran_seconds=round(ran, 3),
        started_at=started_at,
        signal=work.signal.name if work.signal else None,
        reason=work.lost or work.cannot_run or work.unmarked,
        marked_done=work.marked_done,
        warnings=work.warnings,
    )


@dataclass
class _Work:
    keeper: Keeper
    heartbeat: Heartbeat
    lock: Lock
    backend: Backend
    attempt: Attempt
    grace: float
    waited: float
    over: bool = False
    exit_code: int = WRAPPER_FAILED
    signal: signal.Signals | None = None
    lost: str | None = None
    cannot_run: str | None = None
    left_behind: bool = False
    warnings: list[Finding] = field(default_factory=list)
    told: set[str] = field(default_factory=set)
    unmarked: str | None = None
    give_up: float | None = None
    began: float = field(default_factory=time.monotonic)

    @property
    def ran(self) -> float:
        """Seconds since the command's start."""
        return time.monotonic() - self.began

    @property
    def marked_done(self) -> bool:
        """Whether the key is done now."""
        succeeded = self.lost is None and self.exit_code == 0 and self.unmarked is None
        return succeeded and self.attempt.key is not None

    def watch(self, signals: Signals) -> None:
        """Until the command's tree is gone: pass signals on, and see to the lock."""
        while not self.over:
            heartbeat = [self.heartbeat.news] if self.heartbeat.lost is None else []
            left = None if self.give_up is None else max(0.0, self.give_up - time.monotonic())
            select.select([signals.fileno(), self.keeper.fileno(), *heartbeat], [], [], left)
            if left == 0:
                # It is stopped itself, perhaps. It takes the command along, and its events end.
                signal_processes([self.keeper.pid], signal.SIGKILL)
            for number in signals.drain():
                self.signal = number
                self.keeper.forward(number)
            reap()  # as PID 1 we get orphans that are nobody else's
            if self.heartbeat.lost is not None:
                self.lose(str(self.heartbeat.lost))
            self.read_events()

    def read_events(self) -> None:
        """What the keeper has to say."""
        if not select.select([self.keeper.fileno()], [], [], 0)[0]:
            return
        try:
            for event in self.keeper.events():
                self._handle(event)
        except EOFError:
            # Its own group only where it has one: on a terminal that is ours.
            group = None if self.keeper.on_terminal else self.heartbeat.command
            kill_descendants(group)  # what is left of its tree
            self.lose("the process that guards the command was killed")
            self.over = True

    def _handle(self, event: Event) -> None:
        match event:
            case Started(pid):
                self.heartbeat.command = pid
            case CannotRun(code, reason):
                self.exit_code, self.cannot_run, self.over = code, reason, True
            case Uncontained(reason, hint):
                self.warn(Finding("uncontained", reason, hint))
            case LeftBehind(number):
                self.left_behind = True
                # None where /proc shows none: then it is only known that there are some.
                left = count(number, "process", "processes") if number else "processes"
                say(
                    f"the command left {left} behind; stopping what it left",
                    "left-behind",
                    level="warning",
                    processes=number or None,
                )
            case Silent(seconds):
                self.lose(f"no answer from the database for {seconds:.0f} s")
            case Ended(code):
                self.exit_code, self.over = code, True

    def warn(self, finding: Finding) -> None:
        """Say it now, and in the result; once."""
        if finding not in self.warnings:
            self.warnings.append(finding)
            say(finding.message, finding.code, level="warning", hint=finding.hint)

    def lose(self, reason: str) -> None:
        """The lock is lost: end the command, and what it runs on the server."""
        if self.lost is not None:
            return
        self.lost = reason
        self.keeper.end(self.grace)
        self.give_up = time.monotonic() + self.grace + MARGIN / 2
        say(f"the lock was lost ({reason}); ending the command", "lock-lost", level="warning")
        begin(self._stop_at_once)

    def conclude(self) -> None:
        """Stop what is left on the server, record the end, and release the lock.

        By the lock's own session, as long as it is held: a new one may be refused by now.
        """
        if self.lost is None and not self.heartbeat.stop(NOTICE):
            self.lost = str(self.heartbeat.lost or "no answer from the database")
        if self.lost is None:
            try:
                self._end_under_lock()
            except LockLost as error:
                self.lost = str(error)
        if self.lost is not None:
            self._end_without_lock()

    def _end_under_lock(self) -> None:
        done = self.exit_code == 0 and self.signal is None and not self.left_behind
        # A killed process's statement goes on in the server, and would commit under the next
        # holder's feet. A command that ended well may have killed one too (timeout 1 psql ...);
        # but behind a pooler we would rather not disturb others for that.
        problem = None if done and self.lock.pooled else self._stop_under_lock(done=done)
        if problem is not None:
            # The run stays unfinished, so that the successor waits for its statements.
            in_time(self.lock.release)
        else:
            state, counts = "done" if done else "failed", self.signal is None
            end = End(state, self.exit_code, self.waited, self.ran, counts)
            if unrecorded := in_time(partial(self.lock.finish, end), answers=9):
                problem = f"the end of this run cannot be recorded: {unrecorded}"
        self.unmarked = problem
        if self.exit_code != 0 or self.attempt.key is None:
            return
        if self.signal is not None:
            self.unmarked = f"it got {self.signal.name}"
        elif self.left_behind:
            self.unmarked = "processes that it left behind had to be stopped"

    def _stop_under_lock(self, *, done: bool) -> str | None:
        """End the command's statements; what stands in the way of it.

        Of one that ended well, what is not known to be its own is others'.
        """
        run = [self.attempt.run_id]

        def strangers(waited: float) -> list[Session]:
            return in_time(partial(self.lock.strangers, run, waited))

        try:
            left = end_statements(
                lambda: in_time(partial(self.lock.stop_statements, run)),
                None if done else strangers,
                time_to_die(self.grace),
                tell=self.tell_left,
            )
        except AgtoolError as error:
            return f"{CANNOT_LOOK}: {error.message}"
        if left is None:
            return None
        self.warn(left.finding)
        return left.finding.message if left.sessions else None

    def _end_without_lock(self) -> None:
        """The command is dead. A successor waits for our word, so give it, if we still can."""

        def record() -> None:
            if self._stop_by_others():
                counts = self.signal is None
                _record_lost(self.backend, self.attempt, self.exit_code, counts=counts)

        recorded = begin(record)
        recorded.wait(NOTICE)
        if self.told:  # then it answers, and there is something to wait for
            recorded.wait(time_to_die(self.grace))
        if not recorded.is_set():
            say(f"{CANNOT_LOOK}: it does not answer", "statements-left", level="warning")

    def _stop_by_others(self) -> bool:
        """End the command's statements by new sessions; whether nothing is left."""
        problem = end_by_others(
            self.backend,
            self.attempt.run_id,
            self.lock.horizon,
            time_to_die(self.grace),
            self.tell_left,
        )
        if problem is not None:
            self.warn(problem)
        return problem is None

    def _stop_at_once(self) -> None:
        """What runs now, although the command is still dying."""
        stop = partial(self.backend.stop_statements, [self.attempt.run_id])
        with suppress(AgtoolError):  # there is another try when it is dead
            end_statements(stop, None, self.grace, tell=self.tell_left)

    def tell_left(self, left: Left) -> None:
        """What the command has left on the server and is waited for; each kind once."""
        refused = [session for session in left.sessions if session.refused]
        if refused and "refused" not in self.told:
            self.told.add("refused")
            self.warn(not_ours_to_end(refused))
        if left.strangers and "strangers" not in self.told:
            self.told.add("strangers")
            say(
                f"nothing tells whether {names(left.strangers)} works for the command; waiting for "
                f"its end for {left.seconds:.0f} s at most",
                "waiting-for-session",
                seconds_left=round(left.seconds, 1),
            )


def _record_orphaned(backend: Backend, attempt: Attempt) -> None:
    """In the keeper: agtool was killed, and the command with it. The lock is still ours."""

    def record() -> None:
        if problem := end_by_others(backend, attempt.run_id, 0.0, NOTICE, lambda _: None):
            say(problem.message, "statements-left", level="warning")
        else:
            _record_lost(backend, attempt, None, counts=True)

    say("agtool was killed, so its command was ended too", "agtool-killed", level="warning")
    within(time_to_die(0), record)


def _record_lost(
    backend: Backend, attempt: Attempt, exit_code: int | None, *, counts: bool
) -> None:
    """Record that the run is lost, or say why that cannot be."""
    try:
        backend.record_lost(attempt.run_id, exit_code, counts=counts)
    except AgtoolError as error:
        say(
            f"cannot record the end of this run: {error.message}",
            "end-not-recorded",
            level="warning",
        )
