"""pause as the parent of orphans: none of them stays as a zombie."""

import subprocess
import sys
from pathlib import Path

from tests.conftest import needed
from tests.integration.pause.namespace import (
    PATIENCE,
    children,
    first_process,
    ready,
    run_beside,
    wait_until,
)

# Each `( ... &)` leaves its parent at once. Files tell when all have begun and may end.
ORPHANS = """
cd "$0"
for number in $(seq 50); do
    (sh -c 'touch $0; until [ -e end ]; do sleep 0.05; done' $number &)
done
until [ "$(ls | wc -l)" -eq 50 ]; do sleep 0.01; done
"""


def test_orphans_leave_no_zombies(pause: Path, tmp_path: Path) -> None:
    with needed(), first_process([pause]) as process:
        ready(process)
        assert run_beside(process, "sh", "-c", ORPHANS, str(tmp_path)) == 0
        assert len(children(process.pid)) == 50, "all became children of PID 1"
        (tmp_path / "end").touch()
        wait_until(lambda: not children(process.pid), "no orphan is left, dead or alive")
        process.terminate()
        assert process.wait(PATIENCE) == 0


# Most shells collect dead children by themselves, so this is no shell.
LEAVES_ZOMBIES = """
import os, sys
for _ in range(2):
    if os.fork() == 0:
        os._exit(0)
sys.stdin.read()
os.execv(sys.argv[1], sys.argv[1:])
"""


def test_children_that_were_dead_before(pause: Path) -> None:
    argv = [sys.executable, "-c", LEAVES_ZOMBIES, str(pause)]
    with needed(), first_process(argv, stdin=subprocess.PIPE) as process:
        wait_until(lambda: list(children(process.pid).values()) == ["Z", "Z"], "two zombies")
        assert process.stdin is not None
        process.stdin.close()
        ready(process)
        assert not children(process.pid)
