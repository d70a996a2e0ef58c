"""One invocation that only waits: until a key is done, which another pod does."""

from __future__ import annotations

import time
from functools import partial
from shlex import quote

from agtool.core.errors import TIMED_OUT
from agtool.core.output import say
from agtool.core.signals import Signals
from agtool.migrate_once.acquire import Job
from agtool.migrate_once.backend import Exhausted
from agtool.migrate_once.exhausted import tell_exhausted
from agtool.migrate_once.model import Outcome
from agtool.migrate_once.patience import WaitedTooLong
from agtool.migrate_once.poll import Poll
from agtool.migrate_once.story import Story
from agtool.migrate_once.waiter import Waiter


def wait(job: Job) -> Outcome:
    """Wait until the key of the job's attempt is done; its command and its grace do not count.

    Raises:
        AgtoolError: the database could not be reached in time, or refuses us.
    """
    began = time.monotonic()
    key = job.attempt.key
    with Signals() as signals:
        with job.phase("waiting"):
            waiter = Waiter(partial(Poll, job))
            interrupted = waiter.wait(signals, Story(job.backend.lock_name))
        waited = round(time.monotonic() - began, 3)
        outcome = Outcome("already-done", 0, job.attempt.run_id, waited)
        if interrupted is not None:
            say(
                f"got {interrupted.name} while waiting until key {key} is done",
                "interrupted",
                signal=interrupted.name,
            )
            code, name = 128 + interrupted, interrupted.name
            return outcome._replace(outcome="interrupted", exit_code=code, signal=name)
        try:
            got = waiter.result()
        except WaitedTooLong as error:
            holder = f"{error} runs" if str(error) else "nobody runs"
            reason = f"waited {waited:.0f} s, and key {key} is not done; {holder}"
            say(
                reason,
                "waited-too-long",
                level="error",
                hint=f"To see what has run: agtool migrate-once --status --key {quote(str(key))}",
                holder=str(error) or None,
                seconds=waited,
            )
            return outcome._replace(outcome="waited-too-long", exit_code=TIMED_OUT, reason=reason)
    if isinstance(got, Exhausted):
        return tell_exhausted(got, job.attempt, outcome)
    say(
        f"{job.attempt.name}: key {key} is done",
        "already-done",
        name=job.attempt.name,
        key=key,
        seconds=waited,
    )
    return outcome
