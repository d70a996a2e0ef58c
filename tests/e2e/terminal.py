"""A program on a terminal, which a test types on."""

import os
import pty
import re
import select
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from tests.e2e.conftest import clean_environment


class Terminal:
    """A program on a pseudo-terminal of its own, with a clean environment and `env`.

    Attributes:
        text: what was read and not expected yet.
        seen: what was expected, and all before it.
    """

    def __init__(self, argv: Sequence[str], env: Mapping[str, str]) -> None:
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            environment = clean_environment({"TERM": "xterm", "PS1": "$ ", **env})
            os.execvpe(argv[0], list(argv), environment)  # noqa: S606  # no shell is wanted
        self.text = ""
        self.seen = ""

    def expect(self, pattern: str, seconds: float = 60) -> None:
        """Read on until `pattern` (a regular expression) has come; forget what was before it."""
        deadline = time.monotonic() + seconds
        while (match := re.search(pattern, self.text)) is None:
            left = deadline - time.monotonic()
            assert left > 0, f"no {pattern!r} in {self.text!r}"
            if select.select([self.master], [], [], left)[0]:
                try:
                    self.text += os.read(self.master, 65536).decode(errors="replace")
                except OSError:  # the other side is closed
                    assert re.search(pattern, self.text), f"ended without {pattern!r}: {self.text}"
        self.seen += self.text[: match.end()]
        self.text = self.text[match.end() :]

    def until_it_listens(self, seconds: float = 60) -> None:
        """Return when the program sleeps, which after a prompt is: waits for a key.

        Python sees a Ctrl-C just before that with the next key only.
        """
        deadline = time.monotonic() + seconds
        stat = Path(f"/proc/{self.pid}/stat")
        while stat.read_text().rpartition(")")[2].split()[0] != "S":
            assert time.monotonic() < deadline, f"does not wait for us: {self.text!r}"
            time.sleep(0.02)

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def drain(self, seconds: float) -> None:
        """Read what comes in that time, and forget it."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if select.select([self.master], [], [], left)[0]:
                os.read(self.master, 65536)

    def wait(self, seconds: float = 60) -> int:
        """The exit code; what is written meanwhile is kept in `text`."""
        deadline = time.monotonic() + seconds
        while True:
            if select.select([self.master], [], [], 0.02)[0]:
                with suppress(OSError):
                    self.text += os.read(self.master, 65536).decode(errors="replace")
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.pid = 0
                return os.waitstatus_to_exitcode(status)
            assert time.monotonic() < deadline, f"still runs: {self.text!r}"

    def close(self) -> None:
        """Let the terminal vanish."""
        if self.master >= 0:
            os.close(self.master)
            self.master = -1  # somebody else's may have the number next

    def kill(self) -> None:
        self.close()
        if self.pid:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.pid = 0
