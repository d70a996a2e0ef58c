"""Which process a session's pod belongs to, so that an orphan can be told from one in use."""

from __future__ import annotations

import getpass
import os
import socket
import sys
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")


def maker() -> str:
    """The person and the machine, for people."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, in a container
        user = "?"
        if sys.platform != "win32":
            user = str(os.getuid())
    return f"{user}@{socket.gethostname()}".encode(errors="replace").decode()[:250]


def identity() -> str:
    """Us, as `boot id/pid namespace/pid/start time`; empty where the system does not tell."""
    try:
        return f"{_here()}/{os.getpid()}/{_start_time(os.getpid())}"
    except (OSError, ValueError, IndexError):
        return ""


def is_gone(process: str) -> bool:
    """Whether the process of such an identity has certainly ended.

    Of another machine, or another container, we know nothing.
    """
    with suppress(OSError, ValueError, IndexError, OverflowError):
        place, pid, started = process.rsplit("/", 2)
        if place != _here():
            return False
        try:
            return _start_time(int(pid)) != int(started)
        except FileNotFoundError:
            return not _exists(int(pid))
    return False


def _exists(pid: int) -> bool:
    """Whether there is such a process; /proc may hide those of others (hidepid, see proc(5))."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _here() -> str:
    """The boot of the machine, and the namespace that process ids count in."""
    boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    namespace = (_PROC / "self/ns/pid").readlink()
    return f"{boot}/{str(namespace).strip('pid:[]')}"


def _start_time(pid: int) -> int:
    """In ticks since the boot: field 22 of /proc/PID/stat, see proc(5)."""
    return int((_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[19])
