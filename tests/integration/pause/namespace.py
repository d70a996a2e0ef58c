"""Programs as PID 1 of a PID namespace of their own, as in a container, without a container."""

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.servers.process import ServerUnavailable

PATIENCE = 30.0
"""Seconds within which what should happen at once must have happened."""

CLONE_NEWPID = 0x20000000

# Loaded once; os.unshare and os.setns came with Python 3.12.
_libc = ctypes.CDLL(None, use_errno=True)


def _call(function: str, *arguments: int) -> None:
    if _libc[function](*arguments) != 0:
        error = ctypes.get_errno()
        raise ServerUnavailable(f"no PID namespace can be made here: {os.strerror(error)}")


@contextmanager
def _children_in(enter: Callable[[], None]) -> Iterator[None]:
    """Let children that are started in the `with` begin in another PID namespace."""
    own = os.open("/proc/self/ns/pid", os.O_RDONLY)
    try:
        enter()
        try:
            yield
        finally:
            _call("setns", own, CLONE_NEWPID)
    finally:
        os.close(own)


@contextmanager
def first_process(argv: Sequence[str | Path], **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program as PID 1; in the end it and all in its namespace are killed.

    The `with` begins when exec has been done. options: those of Popen; the program has no
    controlling terminal unless they give it one. Needs root, else raises ServerUnavailable.
    """
    options = {"start_new_session": True, **options}
    with _children_in(lambda: _call("unshare", CLONE_NEWPID)):
        process = subprocess.Popen(list(map(str, argv)), **options)
    # Popen's own `with` closes its pipes and waits.
    with process:
        try:
            yield process
        finally:
            process.kill()


def run_beside(first: subprocess.Popen[bytes], *argv: str) -> int:
    """Run a program in the namespace of a first process, as `kubectl exec` does.

    Returns its exit code, negative for a signal.
    """
    namespace = os.open(f"/proc/{first.pid}/ns/pid", os.O_RDONLY)
    try:
        with _children_in(lambda: _call("setns", namespace, CLONE_NEWPID)):
            process = subprocess.Popen(argv, start_new_session=True)
    finally:
        os.close(namespace)
    return process.wait(PATIENCE)


def status(pid: int) -> dict[str, str]:
    """What /proc tells about a process: name -> value."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def begun(pid: int) -> bool:
    """Whether a pause has made its arrangements, of which ignoring SIGCHLD is the second.

    The first one, blocking all signals, cannot be seen: the kernel shows those that a process
    waits for as not blocked.
    """
    ignored = int(status(pid)["SigIgn"], 16)
    return bool(ignored >> (signal.SIGCHLD - 1) & 1)


def children(pid: int) -> dict[int, str]:
    """The children of a process: process id -> state, of which Z is a zombie."""
    found = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            state, parent, *_ = (
                (path / "stat").read_text(errors="replace").rpartition(")")[2].split()
            )
        except OSError:  # it ended meanwhile
            continue
        if int(parent) == pid:
            found[int(path.name)] = state
    return found


def wait_until(true: Callable[[], object], what: str) -> None:
    """Return once it is true. Raises AssertionError after PATIENCE."""
    give_up = time.monotonic() + PATIENCE
    while not true():
        if time.monotonic() > give_up:
            raise AssertionError(f"still not true after {PATIENCE:.0f} s: {what}")
        time.sleep(0.005)


def ready(process: subprocess.Popen[bytes]) -> None:
    """Wait until a pause waits for signals."""
    wait_until(
        lambda: begun(process.pid) and status(process.pid)["State"].startswith("S"),
        "pause waits for signals",
    )
