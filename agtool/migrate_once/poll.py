"""Waiting for a key that somebody else does: `--wait`. Runs in a thread of its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from agtool.migrate_once.acquire import Job, News, NotDone
from agtool.migrate_once.backend import AlreadyDone, Exhausted
from agtool.migrate_once.model import look_interval
from agtool.migrate_once.patience import Patient, WaitedTooLong, jitter


class Poll(Patient):
    """One pod's wait for the key of its attempt, which takes no lock and leaves no trace."""

    def __init__(self, job: Job, tell: Callable[[News], None]) -> None:
        super().__init__(job.backend, job.connect_timeout, tell)
        self._job = job

    def run(self) -> AlreadyDone | Exhausted:
        """Return when the key is done, or has failed too often.

        Raises:
            Cancelled: `cancelled` was set.
            WaitedTooLong: it was not done within wait_timeout; one look is always made.
            AgtoolError: the database could not be reached in time, or refuses us; or we are part
                of the command that holds the lock, before whose end nobody else can run.
        """
        began = time.monotonic()
        while True:
            answer = self._patiently(partial(self.backend.look, self._job.attempt))
            if isinstance(answer, (AlreadyDone, Exhausted)):
                return answer
            self._refuse_to_wait_for_ourselves()
            self.tell(NotDone(self._job.attempt.key, answer))
            waited = time.monotonic() - began
            left = self._job.wait_timeout - waited
            if left <= 0:
                raise WaitedTooLong(answer.holder.place if answer.holder else "")
            self._sleep(min(left, look_interval(waited) * jitter()))

    def give_back(self, result: AlreadyDone | Exhausted) -> None:
        """Nothing was got."""
