"""Signals that end us, at points where that leaves nothing behind."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType

from agtool.core.signals import FORWARDED, Wakeup, handled


class Stopped(BaseException):  # no library may take it for a failure of its own
    """A signal asks us to end."""

    def __init__(self, number: signal.Signals) -> None:
        super().__init__(number.name)
        self.number = number


class Interrupts:
    """SIGINT, SIGTERM, SIGHUP and SIGQUIT as `Stopped`; use as a context, in the main thread.

    It is raised inside `allowed` and by `check`, and nowhere else: what has to be done as a whole
    is done as a whole. A signal that was ignored when we started (nohup) stays ignored.

    It is raised again and again until `ignore_for`: where Python happens to run a callback (of an
    import, of what is collected as garbage), it only reports what is raised, and goes on.
    """

    def __init__(self) -> None:
        self._number: signal.Signals | None = None
        self._allowed = False
        self._deaf_until = 0.0

    def __enter__(self) -> Interrupts:
        with ExitStack() as stack:
            self._wakeup = stack.enter_context(Wakeup())
            stack.enter_context(handled(dict.fromkeys(FORWARDED, self._take)))
            self._undo = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._undo.close()

    def fileno(self) -> int:
        """For poll(): readable as soon as a signal has come."""
        return self._wakeup.fileno()

    @contextmanager
    def allowed(self) -> Iterator[None]:
        """Let a signal end what is done inside at once, wherever it is."""
        self._allowed = True
        try:
            self.check()
            yield
        finally:
            self._allowed = False

    def check(self) -> None:
        """Raise Stopped if a signal has come."""
        if self._number is not None:
            raise Stopped(self._number)

    def hang_up(self) -> None:
        """Take a terminal that has vanished for the signal that says so."""
        if sys.platform != "win32" and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            self._number = signal.SIGHUP
        self.check()

    def pause(self, seconds: float) -> bool:
        """Wait so long, or until a signal has come; whether one has."""
        if self._number is None:
            self._wakeup.wait(seconds)
        return self._number is not None

    def ignore_for(self, seconds: float) -> None:
        """Forget signals that came, and those to come in that time: we do end, as they ask."""
        self._number = None
        self._wakeup.drain()
        self._deaf_until = time.monotonic() + seconds

    def _take(self, number: int, frame: FrameType | None) -> None:
        if time.monotonic() < self._deaf_until:
            return
        self._number = signal.Signals(number)
        self._wakeup.wake()
        if self._allowed:
            self._allowed = False
            self.check()
