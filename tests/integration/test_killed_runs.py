"""What the tests start does not outlive them, if they are killed; SIGTERM ends them in order."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import wait_until

ROOT = Path(__file__).parents[2]

KILLED = """
import os, signal, subprocess, sys
from tests.servers.process import server_folder
with server_folder() as folder:
    by_folder = subprocess.Popen(["sleep", "1000"], cwd=folder, start_new_session=True)
    by_name = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)", folder])
    by_home = subprocess.Popen(["sleep", "1000"], env={**os.environ, "HOME": f"{folder}/home"})
    print(by_folder.pid, by_name.pid, by_home.pid, folder, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_nothing_outlives_a_test_run_that_was_killed() -> None:
    other = subprocess.Popen(["sleep", "1000"])
    run = subprocess.run(
        [sys.executable, "-c", KILLED],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == -signal.SIGKILL
    *pids, folder = run.stdout.split()
    assert len(pids) == 3
    wait_until(lambda: not any(Path("/proc", pid, "exe").exists() for pid in pids), "all are gone")
    assert other.poll() is None
    other.kill()
    other.wait()
    Path(folder).rmdir()


ORDERLY = """
import sys, time
from contextlib import contextmanager
from tests.programs import carry_out, voice

@contextmanager
def server():
    try:
        yield
    finally:
        print("stopping", flush=True)
        sys.stdin.read()
        print("stopped", flush=True)

def main():
    with server():
        print("started", flush=True)
        time.sleep(1000)

carry_out(main, voice("it"))
"""


@pytest.mark.parametrize(
    ("number", "code", "said"),
    [(signal.SIGTERM, 143, "it: terminated\n"), (signal.SIGINT, 130, "it: interrupted\n")],
)
def test_a_program_that_is_ended_stops_what_it_has_started(
    number: signal.Signals, code: int, said: str
) -> None:
    with start(ORDERLY) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "started\n"
        program.send_signal(number)
        assert program.stdout.readline() == "stopping\n"
        program.send_signal(signal.SIGTERM if code == 143 else 0)  # one more changes nothing
        out, err = program.communicate(timeout=60)
    assert (out, err, program.returncode) == ("stopped\n", said, code)


OUTER = """
import sys
from tests.programs import carry_out, to_its_end, voice
pytest = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider", "-s"]
carry_out(lambda: to_its_end([*pytest, {path!r}]), voice("it"))
"""
INNER = """
import time
import pytest

@pytest.fixture(scope="session")
def server():
    yield
    print("stopped", flush=True)

def test_it(server):
    print("started", flush=True)
    time.sleep(1000)
"""


@pytest.mark.parametrize("ignored", [False, True], ids=["foreground", "background"])
def test_a_program_that_runs_pytest_ends_after_its_fixtures(
    tmp_path: Path, *, ignored: bool
) -> None:
    path = tmp_path / "test_it.py"
    path.write_text(INNER)
    with start(OUTER.format(path=str(path)), ignored=ignored) as program:
        assert program.stdout is not None
        while "started" not in (line := program.stdout.readline()):
            assert line
        program.terminate()
        out, err = program.communicate(timeout=60)
    assert "stopped" in out
    assert (err, program.returncode) == ("it: terminated\n", 143)


def start(code: str, *, ignored: bool = False) -> subprocess.Popen[str]:
    """Start a program; ignored: without Ctrl-C, as a shell does it in its background."""
    before = ["sh", "-c", "trap '' INT; exec \"$@\"", "sh"] if ignored else []
    return subprocess.Popen(
        [*before, sys.executable, "-c", code],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
