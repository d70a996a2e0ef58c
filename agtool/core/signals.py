"""Signals, and the only place where their handlers are installed."""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import FrameType

Handler = Callable[[int, FrameType | None], object]

FORWARDED: tuple[signal.Signals, ...] = (signal.SIGTERM, signal.SIGINT)
"""What a wrapping command passes on to the command that it wraps."""

_ABOUT_CHILDREN: tuple[signal.Signals, ...] = ()
_NO_WAIT = 0

# On Windows nothing that is wrapped runs: `core.system` refuses it.
if sys.platform != "win32":
    FORWARDED = (*FORWARDED, signal.SIGHUP, signal.SIGQUIT)
    _ABOUT_CHILDREN = (signal.SIGCHLD, signal.SIGCONT)
    _NO_WAIT = os.WNOHANG


@contextmanager
def handled(handlers: Mapping[signal.Signals, Handler]) -> Iterator[None]:
    """Handle these signals inside. One that was ignored when we started (nohup) stays ignored."""
    previous = {
        number: signal.signal(number, handler)
        for number, handler in handlers.items()
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


class Wakeup:
    """A descriptor to select on, which a signal handler makes readable; a context closes it."""

    def __init__(self) -> None:
        self._reader, self.writer = os.pipe()
        if sys.platform != "win32":
            os.set_blocking(self._reader, False)
            os.set_blocking(self.writer, False)

    def __enter__(self) -> Wakeup:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._reader)
        os.close(self.writer)

    def fileno(self) -> int:
        return self._reader

    def wake(self) -> None:
        """Make it readable."""
        with suppress(BlockingIOError):  # it is full, and so readable
            os.write(self.writer, b"w")

    def drain(self) -> bytes:
        """What was written since the last call, at most 512 bytes; may be nothing."""
        try:
            return os.read(self._reader, 512)
        except BlockingIOError:
            return b""

    def wait(self, seconds: float) -> None:
        """Return when it is readable, or the time is over."""
        select.select([self._reader], [], [], seconds)


def wake_at(wakeup: Wakeup, *numbers: signal.Signals) -> int:
    """Write the number of each signal that comes into `wakeup`; the descriptor it was before.

    These signals get handlers that do nothing: without any, they would not be written.
    """
    for number in numbers:
        signal.signal(number, do_nothing)
    return signal.set_wakeup_fd(wakeup.writer, warn_on_full_buffer=False)


def ignore(numbers: Iterable[signal.Signals]) -> None:
    """Ignore these signals from now on."""
    for number in numbers:
        signal.signal(number, signal.SIG_IGN)


class Signals:
    """The signals of FORWARDED and SIGCHLD as a descriptor to select on; use as a context.

    A signal that was ignored when agtool started (nohup) stays ignored. As PID 1 a process
    without handlers would ignore them all, so this is installed before anything can block.

    Attributes:
        ignored: signals that were ignored when we started, and that we handle nevertheless.
    """

    def __enter__(self) -> Signals:
        self.ignored = [n for n in _ABOUT_CHILDREN if signal.getsignal(n) is signal.SIG_IGN]
        with ExitStack() as stack:
            self._wakeup = stack.enter_context(Wakeup())
            stack.callback(signal.set_wakeup_fd, wake_at(self._wakeup))
            stack.enter_context(handled(dict.fromkeys(FORWARDED, do_nothing)))
            # Also where whoever started us ignores it: we would not learn that a child has ended.
            for number in _ABOUT_CHILDREN[:1]:
                stack.callback(signal.signal, number, signal.signal(number, do_nothing))
            self._undo = stack.pop_all()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._undo.close()

    def fileno(self) -> int:
        return self._wakeup.fileno()

    def drain(self) -> list[signal.Signals]:
        """The signals that came since the last call, oldest first; SIGCHLD is left out."""
        return [signal.Signals(n) for n in self._wakeup.drain() if n in FORWARDED]


def do_nothing(number: int, frame: object) -> None:
    """A handler; the work is done by whoever selects on `Signals`."""


_own_child = threading.Lock()


@contextmanager
def own_child() -> Iterator[None]:
    """Inside, a thread starts a child and waits for it: `reap` leaves all children alone."""
    with _own_child:
        yield


def reap() -> tuple[dict[int, int], bool]:
    """Reap every child that has ended: (pid -> wait status, whether any child is left)."""
    if not _own_child.acquire(blocking=False):
        return {}, True
    try:
        return _reap()
    finally:
        _own_child.release()


def _reap() -> tuple[dict[int, int], bool]:
    ended: dict[int, int] = {}
    while True:
        try:
            pid, status = os.waitpid(-1, _NO_WAIT)
        except ChildProcessError:
            return ended, False
        if pid == 0:
            return ended, True
        ended[pid] = status


def in_foreground() -> bool:
    """Whether we are the foreground job of our controlling terminal."""
    if sys.platform != "win32":
        with suppress(OSError), Path("/dev/tty").open("rb", buffering=0) as terminal:
            return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    return False


def die_as_by_ctrl_c() -> None:
    """End by SIGINT if the keyboard's Ctrl-C came to our whole foreground job; else return.

    A shell that runs a loop or a script stops it only if its command died of SIGINT; the exit
    code that it shows, 130, is the same.
    """
    if os.getpid() != 1 and in_foreground():
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
