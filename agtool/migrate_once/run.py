"""One invocation: wait for the lock, run the command under it, say how it ended."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

from agtool.core.errors import TIMED_OUT
from agtool.core.output import say
from agtool.core.signals import Signals
from agtool.migrate_once.acquire import Acquired, Acquisition, Job
from agtool.migrate_once.backend import AlreadyDone, Exhausted
from agtool.migrate_once.model import Outcome
from agtool.migrate_once.patience import WaitedTooLong
from agtool.migrate_once.story import Story
from agtool.migrate_once.waiter import Waiter


def run(job: Job) -> Outcome:
    """Run the job's command once among all replicas with this lock.

    Raises:
        AgtoolError: the database could not be reached in time, or refuses us.
    """
    began = time.monotonic()
    name = f"the lock ({job.backend.lock_name})"
    with Signals() as signals:
        with job.phase("waiting"):
            waiter = Waiter(partial(Acquisition, job))
            interrupted = waiter.wait(signals, Story(job.backend.lock_name))
        waited = time.monotonic() - began
        outcome = Outcome("interrupted", 0, job.attempt.run_id, round(waited, 3))
        if interrupted is not None:
            say(
                f"got {interrupted.name} while waiting for {name}; the command was not run",
                "interrupted",
                signal=interrupted.name,
            )
            return outcome._replace(exit_code=128 + interrupted, signal=interrupted.name)
        try:
            got = waiter.result()
        except WaitedTooLong as error:
            holder = f"held by {error}" if str(error) else "whose holder is not known"
            reason = f"waited {waited:.0f} s for {name}, {holder}"
            say(
                f"{reason}; the command was not run",
                "waited-too-long",
                level="error",
                hint="To see who holds the lock: agtool migrate-once --status",
                holder=str(error) or None,
                seconds=round(waited, 3),
            )
            return outcome._replace(outcome="waited-too-long", exit_code=TIMED_OUT, reason=reason)
        if isinstance(got, AlreadyDone):
            say(
                f"{job.attempt.name}: key {job.attempt.key} is already done; nothing to do",
                "already-done",
                name=job.attempt.name,
                key=job.attempt.key,
            )
            return outcome._replace(outcome="already-done")
        if isinstance(got, Exhausted):
            from agtool.migrate_once.exhausted import tell_exhausted

            return tell_exhausted(got, job.attempt, outcome)
        return _work(job, got, signals, outcome.waited_seconds)


def _work(job: Job, got: Acquired, signals: Signals, waited: float) -> Outcome:
    from agtool.migrate_once.supervise import supervise

    # Only the program's name is told: arguments may hold secrets.
    program = Path(job.argv[0]).name
    say(
        f"got the lock after {waited:.1f} s; running {program}",
        "command-started",
        seconds=waited,
        program=program,
        run_id=got.attempt.run_id,
    )
    end = supervise(job, got, signals, waited)
    if end.outcome == "lock-lost":
        say(
            f"the lock was lost: {end.reason}",
            "lock-lost",
            level="error",
            hint="The command was ended and nothing is marked as done. Run it again.",
        )
    elif end.outcome == "cannot-run":
        say(
            f"cannot run {job.argv[0]}: {end.reason}",
            "cannot-run",
            level="error",
            exit_code=end.exit_code,
        )
    else:
        say(
            f"{program} ended with exit code {end.exit_code} after {end.ran_seconds:.1f} s",
            "command-ended",
            exit_code=end.exit_code,
            seconds=end.ran_seconds,
            signal=end.signal,
            marked_done=end.marked_done,
        )
        if end.reason and (end.exit_code or job.attempt.key is None):
            say(end.reason, "end-not-recorded", level="warning")
        elif end.reason:
            say(
                f"key {job.attempt.key} is not marked as done: {end.reason}",
                "not-marked-done",
                level="warning",
                key=job.attempt.key,
            )
    return end
