"""Our own streams, and what of them a command is connected to."""

from __future__ import annotations

import os
import select
import stat
import sys
from dataclasses import dataclass

from agtool.core.errors import UsageError
from agtool.debug.session.terminal import is_of_another_job


@dataclass(frozen=True)
class Attachment:
    """How our streams are connected: stdin at all, and a terminal."""

    stdin: bool
    terminal: bool


def attachment(stdin: bool | None, terminal: bool | None, *, shell: bool) -> Attachment:
    """What -i and -t say, and where they say nothing, what our own streams are.

    Args:
        shell: it is a shell that runs, which wants a terminal even if its output is piped.

    Raises:
        UsageError: -t without a terminal, or without input.
    """
    if terminal and not sys.stdin.isatty():
        raise UsageError("-t needs a terminal as input", hint="Leave out -t.")
    if terminal and stdin is False:
        # Nobody would hear a key, Ctrl-C neither.
        raise UsageError("-t and --no-stdin do not go together", hint="Leave out one of them.")
    if not shell and terminal is None and stdin is None and is_of_another_job(0):
        return Attachment(stdin=False, terminal=False)  # agtool debug -- COMMAND &
    if terminal is None:
        terminal = stdin is not False and sys.stdin.isatty() and (shell or sys.stdout.isatty())
    if stdin is None:
        stdin = terminal or (not sys.stdin.isatty() and has_input())
    return Attachment(stdin, terminal)


def has_input() -> bool:
    """Whether anything can come from our stdin.

    Nothing can from /dev/null, an empty file, a pipe that was closed with nothing in it, or a
    terminal that has vanished.
    """
    try:
        status = os.fstat(0)
    except OSError:
        return False
    if stat.S_ISREG(status.st_mode):
        return os.lseek(0, 0, os.SEEK_CUR) < status.st_size
    poll = select.poll()
    poll.register(0, select.POLLIN)
    events = dict(poll.poll(0)).get(0, 0)
    if stat.S_ISCHR(status.st_mode):
        nothing = os.path.samestat(status, os.stat(os.devnull))  # noqa: PTH116
        return not (nothing or events & select.POLLHUP)
    return bool(events & select.POLLIN or not events & select.POLLHUP)
