"""`make bench` works: its quick run writes the whole page, and Ctrl-C leaves nothing behind."""

import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from agtool.core.tree import descendants
from tests.conftest import needed
from tests.e2e.conftest import Agtool, wait_until
from tests.servers.postgresql import find_postgresql

ROOT = Path(__file__).parents[2]
BENCH = ROOT / "bench/migrate_once.py"


@pytest.fixture(autouse=True)
def _postgresql_is_there() -> None:
    with needed():
        find_postgresql("postgres")


def test_the_quick_run(agtool: Agtool, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    program: list[str | Path] = [sys.executable, BENCH]
    done = agtool.run("--quick", "--output", page, program=program, seconds=100)
    assert done.exit_code == 0, done.stderr
    text = page.read_text()
    assert re.findall(r"^## (.+)", text, re.MULTILINE) == [
        "Aims",
        "Machine",
        "Help",
        "A run with no work",
        "The fast path",
        "Where the time goes",
        "Handover",
        "Replicas with nothing to do",
        "Replicas with a real Alembic upgrade",
    ]
    aims = re.findall(r"\| (yes|\*\*no\*\*|not measured) \|$", text, re.MULTILINE)
    assert len(aims) == 5
    assert "The naive recipe hangs for good." in text
    for private in (socket.gethostname(), str(ROOT), "/tmp", sys.prefix, "@"):  # noqa: S108
        assert private not in text
    # Every line of a table has as many cells as the line above it.
    cells = [line.count("|") for line in text.splitlines() if line.startswith("|")]
    heads = [line.count("|") for line in text.splitlines() if line.startswith("| ---")]
    assert set(cells) == set(heads)


def test_ctrl_c_stops_everything(agtool: Agtool, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    bench = agtool.start("--quick", "--output", page, program=[sys.executable, BENCH])
    bench.wait_for("handover with")
    wait_until(
        lambda: "migrate-once" in _command_lines(bench.pid), "a replica of the bench is running"
    )
    started = descendants(bench.pid)
    bench.send(signal.SIGINT)
    assert bench.wait().exit_code == 130
    assert not page.exists()
    wait_until(lambda: not any(map(_is_running, started)), "what the bench started has ended")


def _command_lines(pid: int) -> str:
    pids = [str(child) for child in descendants(pid)]
    listing = ["ps", "-o", "args=", "-p", ",".join(pids or ["0"])]
    return subprocess.run(listing, capture_output=True, text=True, check=False).stdout


def _is_running(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
