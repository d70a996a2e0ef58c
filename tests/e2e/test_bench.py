"""A bench starts and measures, and Ctrl-C leaves nothing of it. Whole runs are for `make bench`."""

import signal
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import pytest

from agtool.core.process.tree import descendants
from tests.conftest import needed
from tests.e2e.conftest import Agtool, wait_until
from tests.servers.postgresql import find_postgresql
from tests.servers.process import find_program


@pytest.mark.parametrize(
    ("name", "says", "runs"),
    [
        ("migrate_once", "handover with", "migrate-once"),
        ("le_staging", "round 1 of", "verify"),
    ],
)
def test_ctrl_c_stops_everything(
    name: str, says: str, runs: str, agtool: Agtool, tmp_path: Path
) -> None:
    with needed():
        find_postgresql("postgres")
        find_program("curl")
    page = tmp_path / "page.md"
    program = [sys.executable, "-m", f"bench.{name}"]
    bench = agtool.start("--quick", "--output", page, program=program)
    bench.wait_for(says)
    wait_until(lambda: runs in _words(descendants(bench.pid)), "it measures agtool")
    started = descendants(bench.pid)
    bench.send(signal.SIGINT)
    assert bench.wait().exit_code == 130
    assert not page.exists()
    wait_until(lambda: not any(map(_is_running, started)), "what the bench started has ended")


def _words(pids: Iterable[int]) -> list[str]:
    """The arguments of processes. Not by ps(1), which cuts them off where it thinks a line ends."""
    found: list[str] = []
    for pid in pids:
        with suppress(OSError):  # it ended meanwhile
            # agtool writes its title over them, with spaces between the words.
            text = Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
            found += text.replace("\0", " ").split()
    return found


def _is_running(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
