"""The terminal that we run on: raw while a shell has it, and as it was afterwards."""

from __future__ import annotations

import os
import signal
import termios
import time
import tty
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from types import FrameType

from agtool.core.signals import Wakeup, handled

_MOMENT = 0.1
"""Seconds."""


class Terminal:
    """The terminal of `stdin` in raw mode; use as a context, in the main thread.

    It is as it was before when the context ends, in whatever way, and while we are stopped from
    outside (SIGTSTP). In raw mode the keys for that are the remote side's.
    """

    def __init__(self, stdin: int, stdout: int) -> None:
        self._stdin = stdin
        self._stdout = stdout

    def __enter__(self) -> Terminal:
        if is_of_another_job(self._stdin):
            # As the kernel does it to who changes a terminal that is not its own. It would do so
            # again, and again, before Python hears that somebody wants us to end: a thread may
            # have got that signal, which needs a moment.
            os.kill(os.getpid(), signal.SIGTTOU)
            time.sleep(_MOMENT)
        self._before = termios.tcgetattr(self._stdin)
        handlers = {
            signal.SIGWINCH: self._resize,
            signal.SIGTSTP: self._stop,
            signal.SIGCONT: self._go_on,
        }
        with ExitStack() as stack:
            self._wakeup = stack.enter_context(Wakeup())
            stack.enter_context(handled(handlers))
            stack.callback(self._restore)
            # TCSAFLUSH, the usual, would throw away what was typed while the pod started.
            tty.setraw(self._stdin, termios.TCSANOW)
            self._undo = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._undo.close()

    def fileno(self) -> int:
        """For poll(): readable when the size may have changed."""
        return self._wakeup.fileno()

    def resized(self) -> bool:
        """Whether the size may have changed since the last call."""
        return bool(self._wakeup.drain())

    def size(self) -> tuple[int, int]:
        """Columns and rows."""
        with suppress(OSError):
            size = os.get_terminal_size(self._stdout)
            if size.columns and size.lines:
                return size.columns, size.lines
        return 80, 24

    def _resize(self, number: int, frame: FrameType | None) -> None:
        self._wakeup.wake()

    def _restore(self) -> None:
        if is_of_another_job(self._stdin):
            return
        with suppress(termios.error):  # the terminal is gone
            # TCSAFLUSH would wait for output that a halted terminal never takes.
            termios.tcsetattr(self._stdin, termios.TCSANOW, self._before)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._restore()
        os.kill(os.getpid(), signal.SIGSTOP)

    def _go_on(self, number: int, frame: FrameType | None) -> None:
        if is_of_another_job(self._stdin):
            return
        with suppress(termios.error):
            tty.setraw(self._stdin, termios.TCSANOW)
        self._resize(number, frame)


def is_of_another_job(terminal: int) -> bool:
    """Whether we are in the background there, where whoever touches it is stopped."""
    with suppress(OSError):  # it is not the one that controls us, or is gone
        return os.tcgetpgrp(terminal) != os.getpgrp()
    return False


@contextmanager
def unblocked(descriptor: int) -> Iterator[int]:
    """Give a descriptor of our own for a terminal, whose writes do not block; else the same one.

    O_NONBLOCK on the descriptor itself would be on that of all who share it: our shell's, say.
    """
    try:
        ours = os.open(os.ttyname(descriptor), os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError:
        ours = -1  # a `yield` here would make this the context of every error inside
    try:
        yield descriptor if ours < 0 else ours
    finally:
        if ours >= 0:
            os.close(ours)
