"""Measure how long `agtool` takes to start, beside kubectl and beside Python itself.

python -m bench.start     (half a minute; keeps the figures in bench/results/start.json)
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from agtool import __version__
from bench import results
from bench.costs import compare, runs
from bench.figures import in_turns, progress
from bench.processes import Cost, Failed, Processes
from bench.versions import kubectl, of_kubectl
from tests.programs import carry_out
from tests.servers.process import server_folder

NAMES = {
    "help": "`agtool --help`",
    "version": "`agtool --version`",
    "kubectl": "`kubectl --help`",
    "python": "`python -c pass`",
}


class Stage(NamedTuple):
    """Where processes run."""

    processes: Processes
    env: Mapping[str, str]


def start(stage: Stage, rounds: int) -> dict[str, list[Cost]]:
    """What each start cost."""
    agtool = str(Path(sys.executable).with_name("agtool"))
    argvs = {"help": [agtool, "--help"], "version": [agtool, "--version"]}
    if program := kubectl():
        argvs["kubectl"] = [str(program), "--help"]
    argvs["python"] = [sys.executable, "-c", "pass"]
    return in_turns("start", rounds, runs(stage, **argvs))


def main() -> int:
    """Measure, print and keep; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.start", description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--print-only", action="store_true", help="keep nothing")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    try:
        with server_folder() as folder, Processes(folder) as processes:
            costs = start(Stage(processes, {**os.environ, "LC_ALL": "C.UTF-8"}), options.rounds)
    except Failed as error:
        progress(f"error: {error}")
        return 1
    text = f"## Start\n\n{compare(NAMES, costs)}"
    print(text)
    if not options.print_only:
        program = kubectl()
        about = [
            f"{os.cpu_count()} cores",
            f"Python {platform.python_version()}, typer {version('typer')}",
            f"kubectl {of_kubectl(program) if program else 'not built'}",
            f"agtool {__version__}, {options.rounds} rounds in turns",
        ]
        results.keep("start", text, load, about)
    return 0


if __name__ == "__main__":
    carry_out(main, progress)
