"""Trying again while the database is not there, in a thread that can be told to stop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, TypeVar

from agtool.core.errors import ConfigurationError
from agtool.migrate_once.backend import Backend, Lock, NotYet

T = TypeVar("T")


class Unreachable(NamedTuple):
    """The database does not serve us at the moment; we go on trying for `left` seconds."""

    error: NotYet
    left: float


class Cancelled(Exception):
    """We were told to stop waiting."""


class WaitedTooLong(Exception):
    """What we waited for did not come in the time that we had; the text: whom we waited for."""


class Patient:
    """What has patience.

    Args:
        backend: the database that is waited for, or in which somebody else is.
        connect_timeout: seconds for which the database may be out of reach, at a stretch.
        tell: called with news, from this thread.

    Attributes:
        cancelled: set it to have Cancelled raised.
    """

    def __init__(
        self, backend: Backend, connect_timeout: float, tell: Callable[[Any], None]
    ) -> None:
        self.backend = backend
        self.tell = tell
        self.cancelled = threading.Event()
        self._connect_timeout = connect_timeout
        self._failing_since: float | None = None
        self._are_others = False

    def _refuse_to_wait_for_ourselves(self) -> None:
        """Somebody else has what we wait for; asked once, whether they run us.

        Raises:
            ConfigurationError: we are part of their command, and would wait for ever.
            AgtoolError: the database does not tell.
        """
        if self._are_others:
            return
        from agtool.core.process.tree import ancestors

        above = ancestors()  # a container's first process has none
        ours: bool = self._patiently(partial(self.backend.is_held_by, above)) if above else False
        if ours:
            raise ConfigurationError(
                f"the lock ({self.backend.lock_name}) is held by the agtool migrate-once whose "
                "command this one is part of, so that it would wait for itself",
                hint="Leave out the inner agtool migrate-once: the outer one guards its command. "
                "For a lock of its own, in a server's database, give it another --lock-table.",
            )
        self._are_others = True

    def _patiently(self, call: Callable[[], T], lock: Lock | None = None) -> T:
        """The result of `call`, tried again while the database is not there yet.

        lock: checked between the tries, since it may be lost meanwhile.
        """
        pause = 0.1
        while True:
            try:
                result = call()
            except NotYet as error:
                if lock is not None:
                    lock.check()
                now = time.monotonic()
                self._failing_since = self._failing_since or now
                left = self._failing_since + self._connect_timeout - now
                if left <= 0:
                    raise
                self.tell(Unreachable(error, left))
                self._sleep(min(pause, left) * jitter())
                pause = min(2.0, pause * 2)
            else:
                self._failing_since = None
                return result

    def _sleep(self, seconds: float) -> None:
        if self.cancelled.wait(seconds):
            raise Cancelled


def jitter() -> float:
    """Around one, so that replicas that started together do not try together."""
    import random  # only those who wait need it

    return random.uniform(0.5, 1.5)  # noqa: S311
