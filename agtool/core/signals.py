"""Signals and ended children as something to select on."""

from __future__ import annotations

import os
import signal
from typing import Any

FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
"""What a wrapping command passes on to the command that it wraps."""


class Signals:
    """The signals of FORWARDED and SIGCHLD as a descriptor to select on; use as a context.

    A signal that was ignored when agtool started (nohup) stays ignored. As PID 1 a process
    without handlers would ignore them all, so this is installed before anything can block.
    """

    def __enter__(self) -> Signals:
        self._reader, writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(writer, False)
        self._writer = writer
        self._previous_fd = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        self._previous: dict[int, Any] = {}
        for number in (*FORWARDED, signal.SIGCHLD):
            if number == signal.SIGCHLD or signal.getsignal(number) is not signal.SIG_IGN:
                self._previous[number] = signal.signal(number, do_nothing)
        return self

    def __exit__(self, *exc_info: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._previous_fd)
        os.close(self._reader)
        os.close(self._writer)

    def fileno(self) -> int:
        return self._reader

    def drain(self) -> list[signal.Signals]:
        """The signals that came since the last call, oldest first; SIGCHLD is left out."""
        try:
            numbers = os.read(self._reader, 512)
        except BlockingIOError:
            return []
        return [signal.Signals(n) for n in numbers if n in FORWARDED]


def do_nothing(number: int, frame: object) -> None:
    """A handler; the work is done by whoever selects on `Signals`."""


def reap() -> tuple[dict[int, int], bool]:
    """Reap every child that has ended: (pid -> wait status, whether any child is left)."""
    ended: dict[int, int] = {}
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended, False
        if pid == 0:
            return ended, True
        ended[pid] = status


def in_foreground() -> bool:
    """Whether we are the foreground job of our controlling terminal."""
    try:
        terminal = os.open("/dev/tty", os.O_RDWR)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)


def die_as_by_ctrl_c() -> None:
    """End by SIGINT if the keyboard's Ctrl-C came to our whole foreground job; else return.

    A shell that runs a loop or a script stops it only if its command died of SIGINT; the exit
    code that it shows, 130, is the same.
    """
    if os.getpid() != 1 and in_foreground():
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
