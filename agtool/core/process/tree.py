"""The processes below this one: how none of them gets away, and what /proc says of them."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from agtool.core.signals import reap

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """Make this process the parent of every descendant whose parent dies (Linux 3.4)."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent() -> None:
    """Let the kernel kill this process when its parent dies."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _prctl(option: int, value: int) -> None:
    if sys.platform != "linux":
        return
    import ctypes

    ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def descendants(root: int) -> list[int]:
    """The process ids below `root`, parents first, from /proc (empty where there is none)."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it ended meanwhile
            # The name in parentheses may hold anything, so count from the last parenthesis.
            fields = entry.read_text(errors="replace").rpartition(")")[2].split()
            parents.setdefault(int(fields[1]), []).append(int(entry.parent.name))
    found = [root]
    for pid in found:
        found.extend(parents.get(pid, ()))
    return found[1:]


def signal_processes(pids: Sequence[int], number: int) -> None:
    """Send a signal to those of the processes that there are and that are ours."""
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def kill_descendants() -> None:
    """SIGKILL until no child is left; what a dead parent leaves becomes our child."""
    pause = 0.005
    while reap()[1]:
        signal_processes(descendants(os.getpid()), signal.SIGKILL)
        time.sleep(pause)
        pause = min(0.5, pause * 2)  # one that is not ours to kill may take long


def local_ports(pids: Iterable[int]) -> set[int]:
    """The ports on our side of the TCP connections that any of these processes has open (Linux).

    A process that ended meanwhile, or that we may not look into, has none.
    """
    inodes: set[str] = set()
    for pid in pids:
        with suppress(OSError):
            for descriptor in Path(f"/proc/{pid}/fd").iterdir():
                with suppress(OSError):  # closed meanwhile
                    target = str(descriptor.readlink())
                    if target.startswith("socket:["):
                        inodes.add(target[8:-1])
    if not inodes:
        return set()
    return {
        port
        for table in ("/proc/net/tcp", "/proc/net/tcp6")
        for inode, port in _connections(Path(table))
        if inode in inodes
    }


def _connections(table: Path) -> Iterable[tuple[str, int]]:
    """(inode, local port) of each line; the columns are told in proc(5), /proc/net/tcp."""
    with suppress(OSError):
        for line in table.read_text().splitlines()[1:]:
            columns = line.split()
            yield columns[9], int(columns[1].rpartition(":")[2], 16)
