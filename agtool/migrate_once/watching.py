"""What goes on beside a command while it runs: its lock is proved, its sessions are looked at."""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from agtool.core.errors import AgtoolError
from agtool.core.finding import Finding
from agtool.core.process.command import Keeper
from agtool.migrate_once.answers import begin
from agtool.migrate_once.backend import Lock, LockLost
from agtool.migrate_once.model import HEARTBEAT


class Heartbeat:
    """The thread that proves every second that the lock is held, and tells the keeper so."""

    def __init__(self, lock: Lock, keeper: Keeper) -> None:
        self._lock = lock
        self._keeper = keeper
        self.command: int | None = None
        self.lost: Exception | None = None
        self.news, self._tell = os.pipe()
        self._stopped, self._stop = os.pipe()
        self._over = threading.Event()

    def start(self) -> None:
        """Begin."""
        self._over = begin(self._beat)

    def stop(self, seconds: float) -> bool:
        """Stop beating; whether the lock is free to be used by the caller, and held."""
        os.close(self._stop)
        return self._over.wait(seconds) and self.lost is None

    def _beat(self) -> None:
        began = time.monotonic()
        while True:
            watched = [self._stopped, *self._lock.watch]
            # From beginning to beginning: a slow answer must not delay the next proof.
            pause = max(0.0, began + HEARTBEAT - time.monotonic())
            readable, _, _ = select.select(watched, [], [], pause)
            if self._stopped in readable:
                return
            began = time.monotonic()
            try:
                self._lock.check(self.command)
            except Exception as error:  # noqa: BLE001  # what cannot be proven is lost
                self.lost = error
                os.close(self._tell)
                return
            self._keeper.pulse(began)


class Observer:
    """Looks at what the command does on the server. It may fail or hang: that changes nothing.

    Args:
        command: gives the command's process id; None: it does not run.
        warn: called with what is found, from this thread.
    """

    def __init__(
        self, lock: Lock, command: Callable[[], int | None], warn: Callable[[Finding], None]
    ) -> None:
        self._lock = lock
        self._command = command
        self._warn = warn
        self._stopped = threading.Event()
        self._over = threading.Event()

    def start(self) -> None:
        """Begin to look, until told to stop."""
        self._over = begin(self._look)

    def _look(self) -> None:
        began = time.monotonic()
        # Often at first: who has just connected would be unknown if agtool were killed now.
        while not self._stopped.wait(min(HEARTBEAT, 0.25 + 0.1 * (time.monotonic() - began))):
            command = self._command()
            if command is None:
                continue
            with suppress(AgtoolError, LockLost):
                for finding in self._lock.observe(command):
                    self._warn(finding)

    def stop(self) -> None:
        """Look no more. A look that is under way ends in order, if it does so soon."""
        self._stopped.set()
        self._over.wait(HEARTBEAT)
