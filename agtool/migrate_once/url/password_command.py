"""A command that prints the password, such as `aws rds generate-db-auth-token`."""

from __future__ import annotations

import os
import selectors
import shlex
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from agtool.core.errors import ConfigurationError, UnreachableError, UsageError
from agtool.core.signals import own_child
from agtool.core.text import printable
from agtool.migrate_once.url.database import one_line

_TIMEOUT = 30.0
"""Seconds for one run at most; the AWS CLI takes ten of them where CPU is short."""

_BY_HAND = "Run it by hand in the same container to see why."

_MOST = 64 * 1024
"""Bytes that it may print. PostgreSQL takes no longer password."""


class _End(NamedTuple):
    """How it ended. code: None: it was killed when its time was over, or it printed too much."""

    code: int | None
    output: bytes
    errors: bytes


class PasswordCommand:
    """Runs it, without a shell. What it prints stands in no message."""

    def __init__(self, argv: Sequence[str]) -> None:
        self._argv = argv
        self._name = printable(Path(argv[0]).name)  # its arguments may hold secrets

    @classmethod
    def parse(cls, text: str) -> PasswordCommand:
        """Split the text as a shell splits it into words.

        Raises:
            UsageError: it cannot be.
        """
        try:
            argv = shlex.split(text)
        except ValueError as error:
            raise UsageError(
                f"--password-command cannot be split into words: {str(error).lower()}",
                hint="Quote its words as for a shell.",
            ) from None
        if not argv or not argv[0]:
            raise UsageError("--password-command names no program")
        return cls(argv)

    def run(self, timeout: float) -> str:
        """The password that it prints.

        timeout: seconds after which it is ended, 30 at most.

        Raises:
            ConfigurationError: it cannot be run, or what it prints can be no password.
            UnreachableError: it fails, prints nothing or takes too long, which may change.
        """
        what = f"the password command {self._name}"
        try:
            end = self._end(timeout := min(_TIMEOUT, timeout))
        except (OSError, ValueError) as error:
            reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
            raise ConfigurationError(
                f"cannot run {what}: {reason}",
                hint="Check --password-command. It is run without a shell: write "
                "sh -c '...' for what only a shell can do.",
            ) from None
        if len(end.output) > _MOST:
            raise ConfigurationError(
                f"{what} printed more than {_MOST // 1024} KiB",
                hint="It must print the password alone, in one line.",
            )
        if end.code is None:
            raise UnreachableError(
                f"{what} took longer than {timeout:.0f} s and was ended", hint=_BY_HAND
            )
        if end.code != 0:
            how = f"exit code {end.code}" if end.code > 0 else f"signal {-end.code}"
            raise UnreachableError(
                f"{what} failed with {how}{self._last_words(end)}", hint=_BY_HAND
            )
        if not end.output.strip(b"\r\n"):
            raise UnreachableError(
                f"{what} printed nothing", hint="It must print the password on stdout."
            )
        try:
            text = end.output.decode()
        except UnicodeDecodeError:
            raise ConfigurationError(f"{what} printed what is not UTF-8 text") from None
        return one_line(text, f"what {what} printed", "password")

    def _last_words(self, end: _End) -> str:
        """The last line of its stderr, which says why, without what it printed on stdout."""
        lines = end.errors.decode(errors="replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        for word in end.output.decode(errors="replace").split():
            last = last.replace(word, "***") if len(word) > 3 else last
        return f": {printable(last[:300])}" if last else ""

    def _end(self, timeout: float) -> _End:
        give_up = time.monotonic() + timeout
        with own_child():
            process = subprocess.Popen(  # the user's own command
                self._argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,  # a group of its own, to be ended as a whole
            )
            with process:
                try:
                    output, errors = _read(process, give_up)
                    code = process.poll()
                finally:
                    # What it left behind, too, which could keep its pipes open.
                    with suppress(ProcessLookupError, PermissionError):
                        os.killpg(process.pid, signal.SIGKILL)
        return _End(code, output, errors)


def _read(process: subprocess.Popen[bytes], give_up: float) -> tuple[bytes, bytes]:
    """What it prints until it ends, at most one byte more than it may, and the end of its stderr.

    A process that it has started may keep the pipes open for longer.
    """
    output = errors = b""
    ended = False
    with selectors.DefaultSelector() as selector:
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                selector.register(stream, selectors.EVENT_READ)
        while time.monotonic() < give_up and len(output) <= _MOST:
            ready = selector.select(0 if ended else 0.05)
            for key, _ in ready:
                data = os.read(key.fd, _MOST)
                if not data:
                    selector.unregister(key.fileobj)
                elif key.fileobj is process.stdout:
                    output = (output + data)[: _MOST + 1]
                else:
                    errors = (errors + data)[-4096:]
            if ended and not ready:
                break
            ended = process.poll() is not None
            if not ended and not selector.get_map():
                time.sleep(0.01)
    return output, errors
