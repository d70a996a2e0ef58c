"""pause --run: a command whose streams stay open until its client has all."""

import hashlib
import os
import random
import re
import select
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from agtool.pause import ARCHITECTURES
from tests.conftest import needed
from tests.integration.pause.namespace import PATIENCE, wait_until
from tests.integration.pause.test_cost import QEMU
from tests.servers.process import find_program

MARK = "the-end:"


def portion(data: bytes) -> bytes:
    return len(data).to_bytes(4, "little") + data


def argv(program: Sequence[str | Path], stdin: str, *command: str) -> list[str]:
    return [*map(str, program), "--run", stdin, MARK, *command]


@contextmanager
def started(
    program: Sequence[str | Path], stdin: str, *command: str
) -> Iterator[subprocess.Popen[bytes]]:
    pipe = subprocess.PIPE
    with subprocess.Popen(
        argv(program, stdin, *command), stdin=pipe, stdout=pipe, stderr=pipe
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def whole(stream: IO[bytes]) -> bytes:
    """What comes until the end of the command, of which three characters tell after the mark."""
    data = b""
    while not re.search(MARK.encode() + b"...$", data, re.DOTALL):
        more = os.read(stream.fileno(), 65536)
        assert more, data
        data += more
    return data


def ended(process: subprocess.Popen[bytes]) -> tuple[int, bytes, bytes]:
    """Take all output, say so by closing the input, and return the exit code and both outputs."""
    assert process.stdin
    assert process.stdout
    assert process.stderr
    out, err = whole(process.stdout), whole(process.stderr)
    assert process.poll() is None, "it waits for its client"
    process.stdin.close()
    return process.wait(PATIENCE), out, err


@pytest.mark.parametrize(
    ("command", "code", "end"),
    [
        (["true"], 0, b"000"),
        (["sh", "-c", "exit 255"], 255, b"255"),
        (["sh", "-c", "kill -9 $$"], 137, b"137"),
        (["no-such-program"], 127, b"N02"),
        (["/no/such/program"], 127, b"N02"),
        ([""], 127, b"N02"),
        (["/etc"], 126, b"X13"),
        (["/etc/passwd"], 126, b"X13"),
        (["x" * 5000], 127, b"N02"),
    ],
)
def test_the_end_is_told_on_both_outputs(
    pause: Path, command: Sequence[str], code: int, end: bytes
) -> None:
    with started([pause], "null", *command) as process:
        tail = MARK.encode() + end
        assert ended(process) == (code, tail, tail)


def test_a_script_whose_interpreter_is_missing(pause: Path, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o755)
    with started([pause], "null", str(script)) as process:
        assert ended(process)[:2] == (126, MARK.encode() + b"X02")


def test_all_input_reaches_a_command_that_gives_its_output_away(
    pause: Path, tmp_path: Path
) -> None:
    data = random.Random(3).randbytes(3_000_000)  # noqa: S311  # no secret
    with started([pause], "pipe", "sh", "-c", f"exec cat >{tmp_path}/f 2>/dev/null") as process:
        assert process.stdin
        for start in range(0, len(data), 9999):
            process.stdin.write(portion(data[start : start + 9999]))
        process.stdin.write(portion(b""))
        process.stdin.flush()
        assert ended(process)[0] == 0
    assert (tmp_path / "f").read_bytes() == data


def test_a_length_may_come_in_parts(pause: Path) -> None:
    with started([pause], "pipe", "cat") as process:
        assert process.stdin
        for byte in portion(b"text") + portion(b""):
            process.stdin.write(bytes([byte]))
            process.stdin.flush()
        assert ended(process)[1].startswith(b"text" + MARK.encode())


def test_input_that_nobody_reads_is_taken(pause: Path) -> None:
    with started([pause], "pipe", "sh", "-c", "exit 4") as process:
        assert process.stdin
        stdin = process.stdin
        sent = threading.Thread(target=lambda: stdin.write(portion(bytes(5_000_000))))
        sent.start()
        assert process.stdout
        whole(process.stdout)
        sent.join(PATIENCE)  # more than any pipe holds
        assert not sent.is_alive()
        stdin.close()
        assert process.wait(PATIENCE) == 4


def test_without_input_it_reads_dev_null(pause: Path) -> None:
    with started([pause], "null", "readlink", "/proc/self/fd/0") as process:
        assert ended(process)[1].startswith(b"/dev/null\n")


SIGNALS = "grep -E '^Sig(Blk|Ign)' /proc/self/status"


def test_the_command_has_the_signals_of_any_program(pause: Path) -> None:
    # A child of ours directly, since Python lets its children ignore two.
    usual = subprocess.run(["sh", "-c", SIGNALS], capture_output=True, check=True).stdout
    with started([pause], "null", "sh", "-c", SIGNALS) as process:
        assert ended(process)[1].removesuffix(MARK.encode() + b"000") == usual


@pytest.mark.parametrize("script", ["exec sleep 600", "trap '' HUP; sleep 600"])
@pytest.mark.parametrize("stdin", ["null", "pipe"])
def test_a_client_that_vanishes(pause: Path, script: str, stdin: str) -> None:
    with started([pause], stdin, "sh", "-c", f"echo $$; {script}") as process:
        assert process.stdin
        assert process.stdout
        child = int(process.stdout.readline())
        if stdin == "pipe":
            os.set_blocking(process.stdin.fileno(), False)
            while os.write(process.stdin.fileno(), portion(bytes(4000))) == 4004:
                if not _room(process.stdin):
                    break  # the command reads nothing, and so does not pause
        process.stdin.close()
        assert process.wait(PATIENCE) == 128 + signal.SIGHUP
        wait_until(lambda: not Path(f"/proc/{child}").exists(), "the command is gone")


def _room(stream: IO[bytes]) -> bool:
    """Whether a pipe takes more soon."""
    return bool(select.select([], [stream], [], 0.3)[1])


def test_a_client_that_is_slow_is_waited_for(pause: Path) -> None:
    total = 1_000_000
    with started([pause], "null", "head", "-c", str(total), "/dev/zero") as process:
        time.sleep(0.2)  # the pipe is full long before
        _, out, _ = ended(process)
    assert len(out) == total + len(MARK) + 3


@pytest.mark.parametrize("arguments", [[], ["pipe"], ["pipe", MARK], ["file", MARK, "true"]])
def test_wrong_use(pause: Path, arguments: Sequence[str]) -> None:
    done = subprocess.run([pause, "--run", *arguments], capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"pause: ")


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_on_every_architecture(programs: Path, architecture: str) -> None:
    with needed():
        qemu = find_program(f"qemu-{QEMU.get(architecture, architecture)}-static")
    program = [qemu, programs / f"pause-{architecture}"]
    data = random.Random(4).randbytes(300_000)  # noqa: S311  # no secret
    with started(program, "pipe", "sha256sum") as process:
        assert process.stdin
        process.stdin.write(portion(data) + portion(b""))
        process.stdin.flush()
        code, out, _ = ended(process)
    assert (code, out.split()[0].decode()) == (0, hashlib.sha256(data).hexdigest())
    with started(program, "null", "/no/such/program") as process:
        assert ended(process)[:2] == (127, MARK.encode() + b"N02")
    with started(program, "null", "sleep", "600") as process:
        assert process.stdin
        process.stdin.close()
        assert process.wait(PATIENCE) == 129
