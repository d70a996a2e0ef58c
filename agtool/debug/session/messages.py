"""Pure: the messages of the API server's exec.

Each message is one byte, the channel, and data. The server says on channel 3 how the command
ended, as a Status object; `ff 00` tells it that stdin is at its end.
Source: k8s.io/apiserver/pkg/util/wsstream, k8s.io/client-go/tools/remotecommand/websocket.go.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from agtool.core.errors import CANNOT_EXECUTE, NOT_FOUND
from agtool.debug.model import runtime_words

STDIN, STDOUT, STDERR, STATUS, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255
"""The channels."""

PROTOCOL = "v5.channel.k8s.io"
"""The only one that can say that stdin is at its end; Kubernetes has it since 1.30."""


_RUNC_FAILED = (1, 255)
"""Exit codes of runc itself; which one, depends on its version."""


@dataclass(frozen=True)
class Ended:
    """How the command ended.

    Attributes:
        exit_code: the command's own; 126 or 127 if it cannot be run; None: the server does not
            say.
        message: why it could not be run, or why nobody knows; empty: it ran and ended.
    """

    exit_code: int | None
    message: str = ""


def encode(channel: int, data: bytes) -> bytes:
    """A message."""
    return bytes((channel,)) + data


def decode(message: bytes) -> tuple[int, memoryview]:
    """The channel and the data of a message; an empty message is one on stdout without data."""
    return (message[0] if message else STDOUT), memoryview(message)[1:]


def size_message(columns: int, rows: int) -> bytes:
    """The message that gives the command's terminal its size."""
    return encode(RESIZE, json.dumps({"Width": columns, "Height": rows}).encode())


def read_status(data: bytes) -> Ended:
    """What the Status object on channel 3 says. Total: any bytes have some answer."""
    try:
        status: Any = json.loads(data)
    except ValueError:
        status = None
    if not isinstance(status, dict):
        return Ended(None, data[:2000].decode(errors="replace"))
    message = str(status.get("message") or status.get("reason") or "")
    if status.get("status") == "Success":
        return Ended(0)
    details = status.get("details")
    causes = details.get("causes") if isinstance(details, dict) else None
    for cause in causes if isinstance(causes, list) else ():
        if isinstance(cause, dict) and cause.get("reason") == "ExitCode":
            code = str(cause.get("message"))
            if re.fullmatch(r"[0-9]{1,3}", code):
                return Ended(int(code) & 0xFF)
    return Ended(_cannot_run(message), runtime_words(message))


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


def _cannot_run(message: str) -> int | None:
    """126 or 127 where a container runtime (runc, crun) says that there is no such program."""
    text = message.lower()
    if "executable file" in text and "not found" in text:
        return NOT_FOUND
    if not re.search(r"oci runtime|starting container process|exec failed", text):
        return None
    if "no such file or directory" in text:
        return NOT_FOUND
    unusable = r"permission denied|exec format error|is a directory|not a directory|text file busy"
    return CANNOT_EXECUTE if re.search(unusable, text) else None
