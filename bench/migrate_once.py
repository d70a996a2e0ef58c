"""Measure `agtool migrate-once` against real servers, and write docs/reference/benchmarks.md.

`make bench` runs this; it takes about ten minutes, on a machine that should do nothing else.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from agtool import __version__
from bench import results
from bench.alembic_upgrade import alembic
from bench.drain import drain
from bench.figures import Section, aims_table, paragraph, progress
from bench.handover import handover
from bench.processes import Failed, Processes
from bench.stage import Stage
from bench.startup import startup
from bench.versions import kubectl, of_kubectl
from tests.programs import carry_out
from tests.servers.postgresql import PostgreSQL
from tests.servers.process import ServerFailed, ServerUnavailable, server_folder

PAGE = Path(__file__).parents[1] / "docs/reference/benchmarks.md"

SETTINGS = {"track_commit_timestamp": "on"}


class Size(NamedTuple):
    """How much to measure. handover and drain: how many processes -> how often.

    hanging: seconds for which the naive recipe may hang.
    """

    startup: int
    handover: Mapping[int, int]
    drain: Mapping[int, int]
    alembic_replicas: int
    alembic_rounds: int
    hanging: float


FULL = Size(
    startup=30,
    handover={1: 40, 5: 30, 20: 20},
    drain={10: 7, 50: 3, 100: 3},
    alembic_replicas=10,
    alembic_rounds=5,
    hanging=20.0,
)
QUICK = Size(
    startup=1,
    handover={1: 2, 2: 1},
    drain={2: 1},
    alembic_replicas=2,
    alembic_rounds=1,
    hanging=1.0,
)


def main() -> int:
    """Measure and write; the exit code is 0, also when an aim was not reached."""
    parser = argparse.ArgumentParser(description="Measure agtool migrate-once.")
    parser.add_argument("--quick", action="store_true", help="few samples: does the bench work?")
    parser.add_argument("--output", type=Path, default=PAGE, metavar="FILE")
    options = parser.parse_args()
    began, load = time.monotonic(), os.getloadavg()[0]
    try:
        with (
            server_folder() as folder,
            PostgreSQL(folder / "server", max_connections=400, settings=SETTINGS) as server,
            Processes(folder) as processes,
        ):
            machine = _machine(server, load)
            sections = _measure(Stage(server, processes, folder), QUICK if options.quick else FULL)
    except (ServerUnavailable, ServerFailed, Failed) as error:
        progress(f"error: {error}")
        return 1
    page = _page(sections, machine, quick=options.quick)
    options.output.write_text(page, encoding="utf-8")
    if not options.quick:
        results.keep("migrate-once", page, load, machine)
    progress(f"done in {time.monotonic() - began:.0f} s; see {options.output}")
    return 0


def _measure(stage: Stage, size: Size) -> list[Section]:
    stage.create_recipe_table()
    return [
        startup(stage, size.startup),
        handover(stage, size.handover),
        drain(stage, size.drain),
        alembic(stage, size.alembic_replicas, size.alembic_rounds, size.hanging),
    ]


def _page(sections: Sequence[Section], machine: Sequence[str], *, quick: bool) -> str:
    aims = [aim for section in sections for aim in section.aims]
    parts = [
        "# Benchmarks of start-up and migrate-once",
        paragraph(
            "Made by `make bench`, in one run. Times are medians. CPU is user and system time of "
            "the process and all below it, without the server's. What is compared is measured in "
            "turns (A B A B), and ratios are the median of the ratios of neighbours, since a "
            "machine's other work comes and goes. So a ratio may differ a little from that of the "
            "two medians. [The same in pictures](performance.md)."
        ),
        f"## Aims\n\n{aims_table(aims)}",
        "## Machine\n\n" + "\n".join(f"- {line}" for line in machine),
        *(section.text for section in sections),
    ]
    if quick:
        parts.insert(1, "**A quick run, to test the bench itself: its figures mean nothing.**")
    return "\n\n".join(parts) + "\n"


def _machine(server: PostgreSQL, load: float) -> list[str]:
    """What the figures depend on; neither the host's name nor a path."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    model = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    system = platform.freedesktop_os_release()["PRETTY_NAME"]
    kernel = re.match(r"[0-9.]*[0-9]", platform.release())
    packages = ("typer", "psycopg2-binary", "SQLAlchemy", "alembic")
    return [
        f"{len(os.sched_getaffinity(0))} cores, {model[1] if model else 'of unknown make'}",
        f"{memory:.0f} GiB of memory",
        f"load average before the run: {load:.1f}",
        f"{system}, Linux {kernel[0] if kernel else 'unknown'}",
        f"Python {platform.python_version()}, "
        + ", ".join(f"{package} {version(package)}" for package in packages),
        f"PostgreSQL {_server_version(server)} on this machine, TCP, scram-sha-256, fsync off",
        f"kubectl: {of_kubectl(program) if (program := kubectl()) else 'not built'}",
        f"agtool {__version__}, {time.strftime('%Y-%m-%d')}",
    ]


def _server_version(server: PostgreSQL) -> str:
    connection = server.connect()
    number = connection.server_version
    connection.close()
    return f"{number // 10000}.{number % 10000}"


if __name__ == "__main__":
    carry_out(main, progress)
