"""The bench of le-staging works: its quick run writes the whole page."""

import re
import socket
import sys
from pathlib import Path

from tests.e2e.conftest import Agtool

ROOT = Path(__file__).parents[3]


def test_the_quick_run(agtool: Agtool, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    program = [sys.executable, "-c", "import sys; sys.path.insert(0, sys.argv.pop(1));"]
    program[-1] += "from bench.le_staging import main; sys.exit(main())"
    done = agtool.run("--quick", "--output", page, program=[*program, ROOT], seconds=100)
    assert done.exit_code == 0, done.stderr
    text = page.read_text()
    assert len(re.findall(r"\| (yes|\*\*no\*\*) \|$", text, re.MULTILINE)) == 2
    assert re.findall(r"^## (.+)", text, re.MULTILINE) == [
        "Aims",
        "Machine",
        "One host on loopback",
        "One host 100 ms away",
        "100 hosts at once",
        "Where the time goes",
    ]
    for private in (socket.gethostname(), str(ROOT), "/tmp", sys.prefix):  # noqa: S108
        assert private not in text
