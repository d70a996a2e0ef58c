"""The agtool that runs beside us, and becoming like it: `--status --like-running`.

Whoever is asked by exec in a container has neither the options nor the variables of the agtool that
works or waits there, when a script has made these. /proc has both.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, NoReturn

from agtool.core import folder
from agtool.core.errors import ConfigurationError, DeniedError
from agtool.migrate_once.words import split

_FORMS = ("--status", "--check")
"""Who has one of these only asks, as we do."""


class NotRunningError(ConfigurationError):
    """There is no such process."""

    code = "not-running"


class Neighbour(NamedTuple):
    """An agtool migrate-once that runs."""

    pid: int
    arguments: list[str]
    environment: dict[bytes, bytes]


def neighbour(proc: Path = Path("/proc")) -> Neighbour:
    """The one that was started first.

    Raises:
        NotRunningError: none runs.
        DeniedError: it is another user's.
        ConfigurationError: it has hidden its options.
    """
    for pid, words in _processes(proc):
        parts = split(words)
        if parts is None and words[0].startswith("agtool migrate-once "):
            raise ConfigurationError(
                f"process {pid} has hidden its options, because a database's URL is among them",
                hint="Give it the URL in an environment variable instead: --database-url-env.",
            )
        if parts is None or set(_before_command(parts[1])) & set(_FORMS):
            continue
        try:
            block = (proc / str(pid) / "environ").read_bytes()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise DeniedError(
                f"the environment of process {pid} cannot be read: {error.strerror}",
                hint="Run as the same user.",
            ) from error
        pairs = (entry.partition(b"=") for entry in reversed(block.split(b"\0")))
        return Neighbour(pid, parts[1], {name: value for name, sign, value in pairs if sign})
    raise NotRunningError(
        "no agtool migrate-once runs beside this one",
        hint="It has ended, or it runs in another container.",
    )


def _processes(proc: Path) -> Iterator[tuple[int, list[str]]]:
    """Numbers and words of the others; a kernel's thread has none."""
    numbers = sorted(int(path.name) for path in proc.iterdir() if path.name.isdigit())
    for pid in numbers:
        if pid == os.getpid():
            continue
        with suppress(OSError):  # it has ended meanwhile
            words = (proc / str(pid) / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
            if words != [b""]:
                yield pid, [os.fsdecode(word) for word in words]


def _before_command(arguments: Sequence[str]) -> list[str]:
    own = list(arguments)
    return own[: own.index("--")] if "--" in own else own


def become(options: Sequence[str], environment: dict[bytes, bytes], without: str) -> NoReturn:
    """Start ourselves anew with more options, and in another environment.

    Args:
        options: for `migrate-once`; ours come after them and win.
        without: an option of ours that is left out.
    """
    own = sys.argv[1:]
    at = own.index("migrate-once") + 1
    arguments = [*own[:at], *options, *(word for word in own[at:] if word != without)]
    if folder.root():
        start = [sys.executable]
    else:
        start = [sys.executable, *sys.orig_argv[1 : len(sys.orig_argv) - len(own)]]
    os.execve(start[0], [*start, *arguments], environment)  # noqa: S606  # ourselves, no shell
