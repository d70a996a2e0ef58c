"""The processes below this one: how none of them gets away, and what /proc says of them."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from agtool.core.signals import reap

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36

_ALLOW_PRCTL = (
    "Allow prctl in the seccomp profile, as RuntimeDefault does, or use a command that leaves no "
    "process behind."
)


def adopt_orphans() -> str:
    """Make this process the parent of every descendant whose parent dies (Linux 3.4).

    Returns why that cannot be, empty if it can: a seccomp profile may deny it.
    """
    return _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent() -> None:
    """Let the kernel kill this process when its parent dies."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def weaknesses() -> Iterator[tuple[str, str]]:
    """What the system does not let us do to hold a tree of processes together, and what to do.

    To be asked by the keeper, of itself: it adopts orphans.
    """
    if reason := adopt_orphans():
        what = (
            f"prctl(PR_SET_CHILD_SUBREAPER) is not possible here ({reason}), so agtool does not "
            "find a process that the command leaves behind as a daemon: it would go on beside the "
            "next command"
        )
        yield what, _ALLOW_PRCTL
    # 0 asks for no signal, which is what a fork has anyway.
    if reason := _prctl(_PR_SET_PDEATHSIG, 0):
        what = (
            f"prctl(PR_SET_PDEATHSIG) is not possible here ({reason}), so the command would go on "
            "if agtool and its keeper were killed together"
        )
        yield what, _ALLOW_PRCTL
    if not sees_processes():
        what = (
            "/proc does not show the processes of this system, so of what the command starts "
            "agtool can end its own process group only"
        )
        yield what, "Mount a /proc of this PID namespace."


def _prctl(option: int, value: int) -> str:
    """Why prctl(2) did not do it; empty: it did."""
    if sys.platform == "linux":
        import ctypes

        if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) == 0:
            return ""
        return os.strerror(ctypes.get_errno())
    else:  # noqa: RET505  # else mypy takes the line below for one that is never reached
        return "there is no such call on this system"


def sees_processes() -> bool:
    """Whether /proc shows processes under the numbers that they have for us.

    It may not be mounted, or be that of another PID namespace.
    """
    try:
        return str(Path("/proc/self").readlink()) == str(os.getpid())
    except OSError:
        return False


def _stat(file: Path) -> list[str]:
    """The fields of proc(5), /proc/pid/stat, from the third on."""
    # The name in parentheses may hold anything, so count from the last parenthesis.
    return file.read_text(errors="replace").rpartition(")")[2].split()


def descendants(root: int) -> list[int]:
    """The process ids below `root`, parents first, from /proc (empty where that shows none)."""
    if not sees_processes():
        return []
    parents: dict[int, list[int]] = {}
    # Without /stat: glob looks whether that is there, and raises for a process that ends meanwhile.
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended meanwhile
            parents.setdefault(int(_stat(entry / "stat")[1]), []).append(int(entry.name))
    found = [root]
    for pid in found:
        found.extend(parents.get(pid, ()))
    return found[1:]


class Process(NamedTuple):
    """A process of this system; `name` is no other's in the world (pid, start, namespace, boot)."""

    pid: int
    name: str


def this_process() -> Process | None:
    """This process; None where /proc does not show it."""
    return next(_upwards(os.getpid()), None)


def ancestors() -> list[Process]:
    """The parent of this process and those above it, as far as /proc shows them."""
    return list(_upwards(os.getppid()))


def _upwards(pid: int) -> Iterator[Process]:
    if not sees_processes():
        return
    with suppress(OSError):  # hidden (hidepid), or it has ended
        place = Path("/proc/self/ns/pid").readlink()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        while pid:
            fields = (
                Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
            )
            yield Process(pid, f"{boot} {place} {pid} {fields[19]}")
            pid = int(fields[1])


def signal_processes(pids: Sequence[int], number: int) -> list[int]:
    """Send a signal to those of the processes that there are; returns those of other users."""
    refused = []
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass
        except PermissionError:
            refused.append(pid)
    return refused


def signal_group(group: int, number: int) -> bool:
    """Send a signal to a process group that was our child's; whether there is one of ours in it.

    When none of our children is in it, dead or alive, its number may have been given anew.
    """
    try:
        if sys.platform != "darwin":  # which has no such call
            os.waitid(os.P_PGID, group, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        os.killpg(group, number)
    except (ChildProcessError, ProcessLookupError):
        return False
    except PermissionError:  # all of them have become another user's
        return False
    return True


def kill_descendants(group: int | None = None) -> None:
    """SIGKILL until no child is left; what a dead parent leaves becomes our child.

    group: of the command, which is all that can be reached where /proc shows no processes.
    """
    pause = 0.005
    while reap()[1]:
        signal_processes(descendants(os.getpid()), signal.SIGKILL)
        if group is not None:
            signal_group(group, signal.SIGKILL)
        time.sleep(pause)
        pause = min(0.5, pause * 2)  # one that is not ours to kill may take long
