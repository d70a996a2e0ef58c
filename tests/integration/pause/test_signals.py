"""Which signals end pause, and that none gets lost, however early it comes."""

import ctypes
import fcntl
import os
import shutil
import signal
import struct
import subprocess
import termios
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from itertools import count, takewhile
from pathlib import Path

import pytest

from tests.conftest import needed
from tests.integration.pause.namespace import (
    PATIENCE,
    first_process,
    ready,
    run_beside,
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


# Requests of ptrace(2).
PTRACE_TRACEME, PTRACE_DETACH, PTRACE_SYSCALL = 0, 17, 24

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]
_libc.ptrace.restype = ctypes.c_long


def _ptrace(request: int, pid: int) -> None:
    if _libc.ptrace(request, pid, None, None) != 0:
        raise ServerUnavailable(f"no process can be traced here: {os.strerror(ctypes.get_errno())}")


@contextmanager
def _traced(pause: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a pause as PID 1 that stops behind exec, before its first instruction."""
    with ExitStack() as stack:
        start = first_process([pause], preexec_fn=partial(_ptrace, PTRACE_TRACEME, 0))
        try:
            process = stack.enter_context(start)
        except subprocess.SubprocessError as error:  # whatever preexec_fn raises
            raise ServerUnavailable("no process can be traced here") from error
        os.waitpid(process.pid, 0)
        try:
            yield process
        finally:
            if process.returncode is None:
                # Popen's own looks for an end first, and takes a stop for one.
                os.kill(process.pid, signal.SIGKILL)


def _waits(pid: int) -> bool:
    return status(pid)["State"].startswith("S")


def _ends_by_a_signal_at(stop: int, pause: Path) -> bool | None:
    """Send SIGTERM where a pause is before or behind one of its calls of the kernel.

    Between two calls nothing changes that has a say in what becomes of a signal. Stop 0 is before
    the first instruction, 1 before the first call, 2 behind it, 3 before the second one, and so on.

    Returns whether the signal ended it, or None where it waits before it comes to that stop.
    """
    with _traced(pause) as process:
        pid = process.pid
        for _ in range(stop):
            _ptrace(PTRACE_SYSCALL, pid)
            wait_until(lambda: os.waitpid(pid, os.WNOHANG)[0] or _waits(pid), "it goes on")
            if _waits(pid):
                return None
        os.kill(pid, signal.SIGTERM)  # Popen would ask for an exit code first, and get the stop
        _ptrace(PTRACE_DETACH, pid)
        wait_until(lambda: process.poll() is not None or _waits(pid), "it has ended, or waits")
        return process.returncode == 0


def test_no_early_signal_is_lost(pause: Path) -> None:
    with needed():
        # The kernel throws away what comes before the first call, and no program can help it.
        assert _ends_by_a_signal_at(0, pause) is False
        stops = (_ends_by_a_signal_at(stop, pause) for stop in count(2))
        ended = list(takewhile(lambda it: it is not None, stops))
    assert len(ended) > 5
    assert all(ended)


def test_a_signal_from_the_same_container_ends_it(pause: Path) -> None:
    with needed(), first_process([pause]) as process:
        ready(process)
        run_beside(process, "sh", "-c", "kill -TERM 1")  # and dies with the container
        assert process.wait(PATIENCE) == 0


# A terminal's resize


@contextmanager
def on_a_terminal(
    argv: Sequence[str | Path], root: Path | None = None
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run a program that has a controlling terminal; give it and the terminal's other end."""
    ours, its = os.openpty()

    def take_terminal() -> None:
        fcntl.ioctl(its, termios.TIOCSCTTY, 0)
        if root is not None:
            os.chroot(root)

    try:
        with first_process(argv, stdin=its, preexec_fn=take_terminal) as process:
            ready(process)
            yield process, ours
    finally:
        os.close(ours)
        os.close(its)


def resize(terminal: int) -> None:
    """Change a terminal's size, of which the kernel tells the programs in its foreground."""
    rows, columns, *_ = struct.unpack("4H", fcntl.ioctl(terminal, termios.TIOCGWINSZ, bytes(8)))
    size = struct.pack("4H", rows + 1, columns + 1, 0, 0)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, size)


def test_a_resize_does_not_end_it(pause: Path) -> None:
    with needed(), on_a_terminal([pause]) as (process, terminal):
        before = status(process.pid)["voluntary_ctxt_switches"]
        resize(terminal)
        wait_until(lambda: status(process.pid)["voluntary_ctxt_switches"] != before, "it got it")
        # As from a wrapper that has the terminal and passes on what it gets.
        process.send_signal(signal.SIGWINCH)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
        process.terminate()
        assert process.wait(PATIENCE) == 0


def test_a_resize_does_not_end_it_without_a_device(pause: Path, tmp_path: Path) -> None:
    shutil.copy(pause, tmp_path / "pause")
    with needed(), on_a_terminal(["/pause"], root=tmp_path) as (process, terminal):
        resize(terminal)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
        process.send_signal(signal.SIGWINCH)
        assert process.wait(PATIENCE) == 0


# Standard streams that are in the way


@pytest.fixture
def full_pipe() -> Iterator[int]:
    """Give the writing end of a pipe that is full, and blocks whoever writes."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writing, bytes(4096))
    os.set_blocking(writing, True)
    yield writing
    os.close(reading)
    os.close(writing)


@pytest.mark.parametrize("number", ENDING)
def test_ends_though_nobody_reads(pause: Path, full_pipe: int, number: int) -> None:
    with needed(), first_process([pause], stdout=full_pipe, stderr=full_pipe) as process:
        ready(process)
        process.send_signal(number)
        assert process.wait(PATIENCE) == 0


@pytest.mark.parametrize(("argument", "code"), [("--wrong", 2), ("--version", 1), ("--help", 1)])
def test_does_not_wait_for_a_reader(pause: Path, full_pipe: int, argument: str, code: int) -> None:
    with needed(), first_process([pause, argument], stdout=full_pipe, stderr=full_pipe) as process:
        assert process.wait(PATIENCE) == code


def test_needs_no_streams(pause: Path) -> None:
    close = partial(os.closerange, 0, 3)
    with needed(), first_process([pause], preexec_fn=close) as process:
        ready(process)
        process.terminate()
        assert process.wait(PATIENCE) == 0
    with needed(), first_process([pause, "--wrong"], preexec_fn=close) as process:
        assert process.wait(PATIENCE) == 2


def test_writes_nothing(pause: Path) -> None:
    pipe = subprocess.PIPE
    with needed(), first_process([pause], stdout=pipe, stderr=pipe) as process:
        ready(process)
        process.send_signal(signal.SIGWINCH)
        assert process.communicate(timeout=PATIENCE) == (b"", b"")
        assert process.returncode == 0
