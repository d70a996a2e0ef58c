"""An agtool that was started, on pipes or on a terminal; what it writes is read all the time."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

SIZE = struct.pack("HHHH", 24, 200, 0, 0)
"""Rows and columns: wide, so that no shell folds what is typed."""


def _terminal_of(pid: int) -> int:
    """The device number of the terminal that controls a process; 0: none."""
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    return int(stat.rpartition(")")[2].split()[4])


_LAST_WORDS = 5.0
"""Seconds to read what an agtool that has ended wrote last."""


class Started:
    """agtool, until it has ended.

    Attributes:
        began: by time.monotonic().
        identity: `pid/start time`, as it stands at the end of what agtool writes on its objects.
    """

    def __init__(
        self,
        argv: Sequence[str],
        env: Mapping[str, str],
        *,
        terminal: bool = False,
        text: bytes | None = None,
    ) -> None:
        """Start it. text: what it reads from a pipe; None: nothing."""
        self.began = time.monotonic()
        self.ended = 0.0
        self._text = bytearray()
        self._to_close: set[int] = set()
        if terminal:
            master, slave = pty.openpty()
            fcntl.ioctl(slave, termios.TIOCSWINSZ, SIZE)
            self.process = subprocess.Popen(
                ["setsid", "--ctty", *argv], stdin=slave, stdout=slave, stderr=slave, env=dict(env)
            )
            os.close(slave)
            # Who closes the terminal before it is agtool's own tells nobody.
            while self.process.poll() is None and _terminal_of(self.process.pid) == 0:
                time.sleep(0.01)
            self._input = self._output = master
            self._fds = [master]
        else:
            self.process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL if text is None else subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=dict(env),
                start_new_session=True,
            )
            assert self.process.stdout
            assert self.process.stderr
            self._output = os.dup(self.process.stdout.fileno())
            self._fds = [self._output, os.dup(self.process.stderr.fileno())]
            self.process.stdout.close()
            self.process.stderr.close()
            if self.process.stdin:
                with suppress(BrokenPipeError):
                    self.process.stdin.write(text or b"")
                    self.process.stdin.close()
        stat = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        self.identity = f"{self.process.pid}/{stat[19]}"
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def text(self) -> str:
        """What it has written so far, on stdout and stderr."""
        return bytes(self._text).decode(errors="replace")

    @property
    def code(self) -> int | None:
        """The exit code; None: it has not ended."""
        code = self.process.poll()
        if code is not None and not self.ended:
            self.ended = time.monotonic()
        return code

    def send(self, number: signal.Signals) -> bool:
        """Whether it was there to get the signal."""
        if self.code is not None:
            return False
        self.process.send_signal(number)
        return True

    def type(self, text: str) -> None:
        """On its terminal."""
        with suppress(OSError):
            os.write(self._input, text.encode())

    def hang_up(self) -> bool:
        """Close the terminal, or the pipe that it writes to; whether it was there."""
        there = self.code is None
        self._to_close.add(self._output)
        return there

    def kill(self) -> None:
        """End it in any case."""
        with suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()
        self._reader.join(_LAST_WORDS)
        self._to_close.update(self._fds)
        self._reader.join()

    def _read(self) -> None:
        left = list(self._fds)
        while left:
            # By the one who reads: a descriptor that somebody reads from is not closed.
            for number in [fd for fd in left if fd in self._to_close]:
                left.remove(number)
                os.close(number)
            for number in select.select(left, [], [], 0.05)[0]:
                data = b""
                with suppress(OSError):  # the other side of a terminal is closed
                    data = os.read(number, 65536)
                self._text += data
                if not data:
                    left.remove(number)
                    os.close(number)
