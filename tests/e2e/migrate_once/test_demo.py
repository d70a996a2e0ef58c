"""`make demo` shows the truth: one replica upgraded, the others found nothing to do."""

import subprocess
import sys
from pathlib import Path

from tests.e2e.conftest import clean_environment

DEMO = Path(__file__).parents[3] / "docs/tutorial/five_replicas/run.py"


def test_the_demonstration() -> None:
    run = subprocess.run(
        [sys.executable, DEMO], capture_output=True, text=True, check=False, env=clean_environment()
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.count("2 upgrades") == 1
    assert run.stdout.count("found nothing to do") == 4
    assert run.stdout.count("\ndone ") == 5
