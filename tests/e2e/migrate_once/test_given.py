"""COMMAND finds everything as agtool was given it, but for what the reference lists."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Agtool, clean_environment

SHOW = """
import fcntl, json, os
status = dict(line.split(":", 1) for line in open("/proc/self/status") if ":" in line)
block = open("/proc/self/environ", "rb").read().decode("latin-1")
print(json.dumps({
    "environment": sorted(block.split("\\0")),
    "status": {name: status[name] for name in ("SigBlk", "SigIgn", "Umask", "NoNewPrivs")},
    "limits": open("/proc/self/limits").read(),
    "folder": os.getcwd(),
    "nice": os.nice(0),
    "flags": [fcntl.fcntl(number, fcntl.F_GETFL) for number in range(3)],
    "descriptors": [
        os.readlink(f"/proc/self/fd/{name}") for name in sorted(os.listdir("/proc/self/fd"))
        if os.path.exists(f"/proc/self/fd/{name}")
    ],
}))
"""

# Started with all kinds of things that a process inherits.
ODD = """
import os, resource, signal, sys
ignored = signal.SIGCHLD, signal.SIGCONT, signal.SIGUSR1, signal.SIGHUP, signal.SIGWINCH
for number in ignored: signal.signal(number, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
os.umask(0o027); os.nice(3)
resource.setrlimit(resource.RLIMIT_NOFILE, (200, 300))
for number in (7, 9): os.dup2(os.open(sys.argv[1], os.O_RDONLY | os.O_NONBLOCK), number)
environment = {b"PATH": os.environb[b"PATH"], b"ODD\\xff": b"\\xfe=", b"EMPTY": b"", b"_": b"/a/b"}
os.execve(sys.argv[3], sys.argv[3:], {**environment, **eval(sys.argv[2])})
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "inherited"
    path.touch()
    return path


def odd(file: Path, more: dict[bytes, bytes], *program: str | Path) -> list[str | Path]:
    return [sys.executable, "-c", ODD, file, repr(more), *program]


@pytest.mark.parametrize(
    "more",
    [
        {},  # the C locale, which Python would rather not have
        {b"LC_ALL": b"POSIX"},
        {b"LC_CTYPE": b"C.UTF-8"},
        {b"LANG": b"C", b"PYTHONCOERCECLOCALE": b"warn", b"PYTHONUTF8": b"1"},
    ],
)
def test_the_command_finds_what_agtool_was_given(
    more: dict[bytes, bytes], agtool: Agtool, file: Path, tmp_path: Path
) -> None:
    show = ["/usr/bin/env", sys.executable, "-c", SHOW]
    url = f"sqlite:///{tmp_path}/shop.db"
    by_agtool = agtool.run(
        program=odd(file, more, sys.executable, "-m", "agtool", "migrate-once", "--database-url",
                    url, "--", *show)
    )  # fmt: skip
    assert by_agtool.exit_code == 0, by_agtool.stderr
    without = agtool.run(program=odd(file, more, *show))
    found, expected = json.loads(by_agtool.stdout), json.loads(without.stdout)
    added(found, expected, tmp_path)
    assert found == expected


def added(found: dict[str, Any], expected: dict[str, Any], folder: Path) -> None:
    """Take out what the reference says is added, and what the two outputs are named."""
    found["descriptors"].remove(f"{folder}/shop.db.agtool-lock")
    for one in (found, expected):
        one["descriptors"] = [d for d in one["descriptors"] if Path(d).name[:3] != "std"]


def test_a_substituted_process_can_be_read(agtool: Agtool, tmp_path: Path) -> None:
    script = '"$@" -- cat <(echo substituted)'
    done = agtool.run(
        url=f"sqlite:///{tmp_path}/shop.db",
        program=["bash", "-c", script, "bash", sys.executable, "-m", "agtool", "migrate-once"],
    )
    assert (done.exit_code, done.stdout) == (0, "substituted\n")


def test_signals_that_python_ignores_are_as_by_default(agtool: Agtool, tmp_path: Path) -> None:
    """Python ignores SIGPIPE and SIGXFSZ, which would let a command write into a closed pipe."""
    status = ["grep", "SigIgn", "/proc/self/status"]
    done = agtool.run("migrate-once", "--", *status, url=f"sqlite:///{tmp_path}/shop.db")
    ignored = int(done.stdout.split()[-1], 16)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        assert not ignored & 1 << (number - 1)
    without = subprocess.run(
        status, env=clean_environment(), capture_output=True, text=True, check=True
    )
    assert done.stdout == without.stdout


def test_of_a_variable_given_twice_the_first_counts(tmp_path: Path) -> None:
    import ctypes

    program = [sys.executable, "-m", "agtool", "migrate-once", "--", "printenv", "TWICE"]
    environment = [b"TWICE=1", b"TWICE=2", f"AGTOOL_DATABASE_URL=sqlite:///{tmp_path}/a".encode()]
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.dup2(writer, 1)
        argv = (ctypes.c_char_p * (len(program) + 1))(*map(os.fsencode, program), None)
        envp = (ctypes.c_char_p * (len(environment) + 1))(*environment, None)
        ctypes.CDLL(None).execve(os.fsencode(program[0]), argv, envp)
        os._exit(99)
    os.close(writer)
    with os.fdopen(reader) as output:
        assert output.read() == "1\n"
    assert os.waitpid(pid, 0)[1] == 0
