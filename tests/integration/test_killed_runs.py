"""What the tests start does not outlive them, even if they are killed."""

import signal
import subprocess
import sys
from pathlib import Path

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
