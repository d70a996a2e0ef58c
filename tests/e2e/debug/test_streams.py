"""Much input and much output: whole, in little memory, with their ends."""

import array
import fcntl
import hashlib
import os
import random
import subprocess
import termios
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import IO

import pytest

from tests.cluster.proxy import ApiProxy
from tests.e2e.conftest import clean_environment, wait_until
from tests.e2e.debug.conftest import Person

MIB = 1024 * 1024
LITTLE = 32 * 1024
"""KiB by which agtool may grow."""


def start(person: Person, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        person.argv(*arguments),
        env=clean_environment(person.env),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


def most(process: subprocess.Popen[bytes]) -> int:
    """The most memory that a process has had so far, in KiB.

    Not getrusage: its maximum begins with that of the process that started this one.
    """
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


def test_a_hundred_mebibytes_both_ways_in_little_memory(person: Person) -> None:
    portion = random.Random(1).randbytes(MIB)  # noqa: S311  # no secret
    sent, came = hashlib.sha256(), hashlib.sha256()
    with start(person, "--", "cat") as process:
        assert process.stdin
        assert process.stdout

        def feed(stdin: IO[bytes], count: int) -> None:
            for _ in range(count):
                stdin.write(portion)
                stdin.flush()
                sent.update(portion)

        def take(stdout: IO[bytes], count: int) -> None:
            for _ in range(count):
                came.update(stdout.read(MIB))

        memory = []
        for count in (1, 99):  # after the first one all is imported
            feeding = threading.Thread(target=feed, args=(process.stdin, count))
            feeding.start()
            take(process.stdout, count)
            feeding.join()
            memory.append(most(process))
        process.stdin.close()
        assert process.stdout.read() == b""
        assert process.wait() == 0
    assert came.hexdigest() == sent.hexdigest()
    assert memory[1] - memory[0] < LITTLE


def test_a_reader_that_is_slow_costs_no_memory(person: Person) -> None:
    total = 50 * MIB
    # Kubernetes 1.37 with containerd 2.4 would lose the end of what a slow reader has not taken yet
    # when the command ends.
    with start(person, "--", "head", "-c", str(total), "/dev/zero") as process:
        assert process.stdin
        assert process.stdout
        stdout = process.stdout
        room = fcntl.fcntl(stdout, fcntl.F_GETPIPE_SZ)

        def filled(size: int) -> bool:
            waiting = array.array("i", [0])
            fcntl.ioctl(stdout, termios.FIONREAD, waiting)
            return waiting[0] >= size or process.poll() is not None

        memory = []
        came = 0
        while came < total:
            # We are the slower one: the pipe fills before we read.
            enough = min(room // 2, total - came)
            wait_until(partial(filled, enough), "the pipe fills")
            data = os.read(stdout.fileno(), room)
            assert data, f"it ended with {process.wait()} after {came} of {total} bytes"
            came += len(data)
            memory.append(most(process))
        process.stdin.close()
        assert stdout.read() == b""
        assert max(memory) - memory[0] < LITTLE
        assert process.wait() == 0


def test_the_end_of_input_reaches_a_command_that_keeps_its_output(person: Person) -> None:
    data = random.Random(2).randbytes(5 * MIB)  # noqa: S311  # no secret
    script = "cat >/dev/shm/f; sha256sum </dev/shm/f; exit 3"
    done = person.piped(data, "--", "sh", "-c", script)
    assert done.returncode == 3, done.stderr
    assert done.stdout.split()[0].decode() == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        (["upgrade"], "takes the header Upgrade away"),
        (["sec-websocket-protocol", "x-stream-protocol-version"], "WebSocket with v5.channel"),
    ],
)
def test_a_gateway_that_drops_headers(
    person: Person, api_proxy: Callable[..., ApiProxy], headers: list[str], told: str
) -> None:
    gateway = api_proxy(person.cluster)
    person.kubeconfig = gateway.kubeconfig
    gateway.dropped.update(headers)
    done = person.run("--", "echo", "ran")
    assert (done.exit_code, done.stdout) == (125, ""), done.stderr
    assert told in done.stderr
    assert "must pass on the headers Upgrade" in done.stderr
    person.nothing_is_left()
