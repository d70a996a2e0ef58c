"""A shell on a terminal, which a scene types on, and all that it wrote, with the time."""

import codecs
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from tests.e2e.conftest import clean_environment
from tests.servers.process import ServerFailed

# Characters. Of that width, text of 14 pixels is one of more than 6 points on a phone.
COLUMNS = 72
PROMPT = r"\[\e[1;36m\]$\[\e[0m\] "
# Seconds between two keys, and before Enter: slow enough to read along.
KEY, ENTER = 0.04, 0.5

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[=>]|\r")


class Shell:
    """A bash on a pseudo-terminal of its own. `before` is what starts it, such as unshare."""

    def __init__(
        self, folder: Path, env: Mapping[str, str], rows: int, before: Sequence[str] = ()
    ) -> None:
        self._began = time.monotonic()
        self._events: list[tuple[float, str]] = []
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._text = ""
        self.rows = rows
        argv = [*before, "bash", "--norc", "--noprofile"]
        own = {"TERM": "xterm-256color", "PS1": PROMPT, "LANG": "C.UTF-8", "HOME": str(folder)}
        settings = folder / ".inputrc"
        settings.write_text("set enable-bracketed-paste off\n")
        own["INPUTRC"] = str(settings)
        self._pid, self._master = pty.fork()
        if self._pid == 0:
            os.chdir(folder)
            os.execvpe(argv[0], argv, clean_environment({**own, **env}))  # noqa: S606  # as said
        size = struct.pack("HHHH", rows, COLUMNS, 0, 0)
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, size)

    def __enter__(self) -> "Shell":
        self.expect(r"\$ $")
        return self

    def __exit__(self, *exc_info: object) -> None:
        os.close(self._master)
        with suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGHUP)
        os.waitpid(self._pid, 0)

    def run(self, command: str, seconds: float = 60) -> str:
        """Type a command, and return what it has written when the prompt is back."""
        self.type(command)
        return self.expect(r"(?:^|\n)\$ $", seconds)

    def type(self, command: str) -> None:
        """Type a command and Enter, as a person would."""
        self.pause(ENTER)
        for key in command:
            os.write(self._master, key.encode())
            self.pause(KEY)
        self.pause(ENTER)
        self._text = ""
        os.write(self._master, b"\n")

    def expect(self, pattern: str, seconds: float = 60) -> str:
        """Read on until a regular expression matches what was written since Enter; return that.

        The text is without the terminal's control sequences. Raises ServerFailed.
        """
        deadline = time.monotonic() + seconds
        while True:
            text = _CONTROL.sub("", self._text)
            if re.search(pattern, text, re.DOTALL):
                return text
            if time.monotonic() > deadline:
                raise ServerFailed(f"no {pattern!r} in:\n{text}")
            self._read(0.5)

    def pause(self, seconds: float) -> None:
        """Let what happens be seen."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self._read(left)

    def _read(self, seconds: float) -> None:
        if not select.select([self._master], [], [], seconds)[0]:
            return
        try:
            data = os.read(self._master, 65536)
        except OSError as error:
            raise ServerFailed(f"the shell has ended:\n{self._text}") from error
        text = self._decoder.decode(data)
        self._events.append((time.monotonic() - self._began, text))
        self._text += text

    def write(self, path: Path) -> None:
        """Write what was seen, in asciicast's format, version 2."""
        lines = [json.dumps({"version": 2, "width": COLUMNS, "height": self.rows})]
        lines += [json.dumps([round(when, 3), "o", text]) for when, text in self._events]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
