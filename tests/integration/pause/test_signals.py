"""Which signals end pause, and that none gets lost, however early it comes."""

import fcntl
import os
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import needed
from tests.integration.pause.namespace import (
    PATIENCE,
    blocked,
    first_process,
    ready,
    status,
    wait_until,
)
from tests.servers.process import ServerUnavailable

RTMIN = 34  # also where Python's or Docker's C library calls it so

ENDING = [
    *(signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP),
    *(signal.SIGUSR1, signal.SIGUSR2, signal.SIGPWR, signal.SIGWINCH),
    *(RTMIN, RTMIN + 3, 64),
]

FAULTS = [
    *(signal.SIGILL, signal.SIGTRAP, signal.SIGABRT, signal.SIGBUS),
    *(signal.SIGFPE, signal.SIGSEGV, signal.SIGSYS),
]

IGNORED = [
    number
    for number in range(1, RTMIN)
    if number not in {*ENDING, *FAULTS, signal.SIGKILL, signal.SIGSTOP}
]


@contextmanager
def ordinary_process(argv: Sequence[str | Path]) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(list(map(str, argv)), start_new_session=True) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture(params=["first", "ordinary"])
def process(pause: Path, request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[bytes]]:
    """Give a pause that waits, as PID 1 and as an ordinary process; it has no terminal."""
    start = first_process if request.param == "first" else ordinary_process
    with needed(), start([pause]) as running:
        ready(running)
        yield running


@pytest.mark.parametrize("number", ENDING)
def test_ends(process: subprocess.Popen[bytes], number: int) -> None:
    process.send_signal(number)
    assert process.wait(PATIENCE) == 0


def test_other_signals_do_nothing(process: subprocess.Popen[bytes]) -> None:
    assert {signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU, 32, 33} <= set(IGNORED)
    for number in IGNORED:
        process.send_signal(number)
    wait_until(lambda: int(status(process.pid)["ShdPnd"], 16) == 0, "all have been taken")
    assert process.poll() is None
    assert status(process.pid)["State"].startswith("S"), "sleeps, and is not stopped"
    process.terminate()
    assert process.wait(PATIENCE) == 0


def test_goes_on_after_a_stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGSTOP)
    wait_until(lambda: status(process.pid)["State"].startswith("T"), "it is stopped")
    process.send_signal(signal.SIGCONT)
    wait_until(lambda: status(process.pid)["State"].startswith("S"), "it waits again")
    process.terminate()
    assert process.wait(PATIENCE) == 0


@pytest.mark.parametrize("number", FAULTS)
def test_a_fault_is_not_hidden(pause: Path, number: int) -> None:
    with ordinary_process([pause]) as process:
        ready(process)
        process.send_signal(number)
        assert process.wait(PATIENCE) == -number


@contextmanager
def _processors_of_their_own() -> Iterator[None]:
    """Keep this process on one processor, before all others; the one that is tested is elsewhere.

    Where that is not allowed, more runs are needed until enough of them count.
    """
    processors = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(processors)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, processors)


def _urgent() -> None:
    """In the child: not to be kept waiting by the machine's other work."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(os.getppid()) or {0})})


def _lost(pause: Path, microseconds: int) -> bool | None:
    """Send SIGTERM some time after exec. Whether it got lost; None: it came before the program.

    exec has been done when the `with` begins, but the program may not have been given the
    processor yet. The kernel throws away what comes before its first instruction.
    """
    with needed(), first_process([pause]) as process:
        until = time.perf_counter() + microseconds / 1e6
        while time.perf_counter() < until:
            pass
        process.terminate()
        # An ended process blocks what it blocked last.
        if not blocked(process.pid):
            return None
        try:
            return process.wait(1) != 0
        except subprocess.TimeoutExpired:
            return True
