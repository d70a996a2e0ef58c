"""Pure: the messages of the API server's exec, see core.kube.channels."""

from __future__ import annotations

import json
import re

from agtool.core.errors import CANNOT_EXECUTE
from agtool.core.kube.channels import RESIZE, STDOUT
from agtool.core.kube.ended import Ended

_RUNC_FAILED = (1, 255)
"""Exit codes of runc itself; which one, depends on its version."""


def encode(channel: int, data: bytes) -> bytes:
    """A message."""
    return bytes((channel,)) + data


def decode(message: bytes) -> tuple[int, memoryview]:
    """The channel and the data of a message; an empty message is one on stdout without data."""
    return (message[0] if message else STDOUT), memoryview(message)[1:]


def size_message(columns: int, rows: int) -> bytes:
    """The message that gives the command's terminal its size."""
    return encode(RESIZE, json.dumps({"Width": columns, "Height": rows}).encode())


def after_output(ended: Ended, output: bytes) -> Ended:
    """`ended`, or 126 where runc could not run the program that it had found.

    runc then has no way to tell but the program's own stderr, and its own exit code. Source:
    opencontainers/runc, libcontainer/init_linux.go.

    Args:
        output: the first KiB of what came on stdout and stderr.
    """
    # No such file: the interpreter that a script's first line names.
    reasons = rb"exec format error|no such file or directory"
    found = re.fullmatch(rb"exec [^\r\n]*: (%b)\r?\n?" % reasons, output)
    if ended.exit_code not in _RUNC_FAILED or not found:
        return ended
    return Ended(CANNOT_EXECUTE, found[1].decode())
