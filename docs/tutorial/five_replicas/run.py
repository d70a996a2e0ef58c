"""Five replicas start at once, and each wants the schema upgraded first.

`make demo` runs this. Every replica is a process, as an init container would be:

    agtool migrate-once -- alembic upgrade head

The database is a SQLite file in a temporary folder, so nothing has to be installed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

AGTOOL = [sys.executable, "-m", "agtool", "migrate-once"]
HERE = Path(__file__).parent
REPLICAS = 5
WIDTH = 28


def main() -> int:
    """Run the replicas, draw what happened; the exit code is 0 if all of them ended well."""
    console = Console(highlight=False, width=100)
    with tempfile.TemporaryDirectory(prefix="agtool-demo-") as name:
        folder = Path(name)
        url = f"sqlite:///{folder / 'shop.db'}"
        (folder / "alembic.ini").write_text(
            f"[alembic]\nscript_location = {HERE}\npath_separator = os\n"
        )
        console.print(
            f"{REPLICAS} replicas start at once: agtool migrate-once -- alembic upgrade head"
        )
        began = datetime.now().astimezone()
        replicas = [_start(f"shop-{number}", folder, url) for number in range(1, REPLICAS + 1)]
        codes = [replica.wait() for replica in replicas]
        results = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
        console.print(_picture(results, folder, began))
        console.print("\nThe history in the database, as `agtool migrate-once --status` shows it:")
        sys.stdout.flush()
        subprocess.run(
            [*AGTOOL, "--status"],
            env={**os.environ, "DATABASE_URL": url},
            check=True,
        )
    return max(codes)


def _start(name: str, folder: Path, url: str) -> subprocess.Popen[bytes]:
    alembic = [sys.executable, "-m", "alembic", "-c", str(folder / "alembic.ini")]
    result = f"--result-file={folder / name}.json"
    with (folder / f"{name}.log").open("wb") as log:
        return subprocess.Popen(
            [*AGTOOL, result, "--", *alembic, "upgrade", "head"],
            env={**os.environ, "DATABASE_URL": url, "POD_NAME": name},
            stdout=log,
            stderr=log,
        )


def _picture(results: list[dict[str, Any]], folder: Path, began: datetime) -> Table:
    """A line for each replica, in the order in which they worked."""
    rows = sorted((row["data"] for row in results), key=lambda row: row["started_at"])
    end = max(_seconds(row, began) + row["ran_seconds"] for row in rows)
    table = Table("replica", "waited ░, worked █", "waited", "worked", "what alembic did", box=None)
    for row in rows:
        start = _seconds(row, began)
        before = round((start - row["waited_seconds"]) / end * WIDTH)
        waited = round(start / end * WIDTH) - before
        worked = max(1, round(row["ran_seconds"] / end * WIDTH))
        bar = Text.assemble(" " * before, ("░" * waited, "yellow"), ("█" * worked, "green"))
        name = row["place"].partition(" ")[0]
        upgrades = (folder / f"{name}.log").read_text().count("Running upgrade")
        did = f"{upgrades} upgrades" if upgrades else "found nothing to do"
        table.add_row(
            name, bar, f"{row['waited_seconds']:.1f} s", f"{row['ran_seconds']:.1f} s", did
        )
    return table


def _seconds(row: dict[str, Any], began: datetime) -> float:
    return (datetime.fromisoformat(row["started_at"]) - began).total_seconds()


if __name__ == "__main__":
    sys.exit(main())
