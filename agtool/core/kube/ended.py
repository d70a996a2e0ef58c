"""How a command in a container ended, as the API server's exec tells it. Pure.

It says so by a Status object, whatever the protocol. Source: k8s.io/apiserver and kubelet,
pkg/kubelet/cri/streaming/remotecommand/exec.go.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from agtool.core.errors import CANNOT_EXECUTE, NOT_FOUND
from agtool.core.text import read_json


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


def read_status(data: bytes) -> Ended:
    """What the Status object says. Total: any bytes have some answer."""
    try:
        status: Any = read_json(data)
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


_OF_THE_CONTAINER = r"namespace path|/proc/\d+/ns/|cgroup|stopped container"
"""In the words of a runtime whose container has ended just then: not about the program."""


def _cannot_run(message: str) -> int | None:
    """126 or 127 where a container runtime (runc, crun) says that there is no such program."""
    text = message.lower()
    if "executable file" in text and "not found" in text:
        return NOT_FOUND
    if not re.search(r"oci runtime|starting container process|exec failed", text):
        return None
    if re.search(_OF_THE_CONTAINER, text):
        return None
    if "no such file or directory" in text:
        return NOT_FOUND
    unusable = r"permission denied|exec format error|is a directory|not a directory|text file busy"
    return CANNOT_EXECUTE if re.search(unusable, text) else None


def runtime_words(message: str) -> str:
    """What stands at the end of a container runtime's chain of errors, on one line."""
    text = " ".join(message.split())
    for marker in ("start container process: ", "starting container process caused: "):
        text = text.rpartition(marker)[2]
    return text.removesuffix(": unknown")
