"""Chaos of sessions from the command line; the exit code is 1 if there was a violation."""

from __future__ import annotations

import argparse
import secrets
import signal
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.cluster.build import programs
from tests.cluster.cluster import Cluster
from tests.cluster.instances import own_folder
from tests.e2e.debug.chaos.choice import choose
from tests.e2e.debug.chaos.faults import FAULTS
from tests.e2e.debug.chaos.report import Line, read_lines, summary
from tests.e2e.debug.chaos.sessions import run
from tests.programs import carry_out, tell
from tests.servers.process import ServerUnavailable


def read_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.debug.chaos")
    parser.add_argument("--sessions", type=int, default=100, help="how many (100)")
    parser.add_argument("--first", type=int, default=0, help="the first one's number (0)")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000))
    parser.add_argument("--lanes", type=int, default=6, help="sessions at a time (6)")
    parser.add_argument("--seconds", type=float, help="begin no session after that")
    parser.add_argument("--only", nargs="*", choices=FAULTS, default=[], help="faults to use")
    parser.add_argument(
        "--results",
        type=Path,
        metavar="FILE",
        help="add each session to this file; the table is then of all that are in it",
    )
    return parser.parse_args(arguments)


def main() -> int:
    """Perform sessions on a cluster of their own, and print the table."""
    options = read_arguments()
    # A shell ignores it for what it starts with &, and agtool would leave it ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    tell(f"seed {options.seed}")
    numbers = range(options.first, options.first + options.sessions)
    choices = [choose(options.seed, number, tuple(options.only)) for number in numbers]
    results: Path | None = options.results

    def keep(line: Line) -> None:
        if results:
            with results.open("a") as file:
                file.write(f"{line.as_json()}\n")

    try:
        with own_folder() as folder, tempfile.TemporaryDirectory() as files:
            cluster = Cluster(folder, programs())
            cluster.start()
            lines = run(
                cluster,
                choices,
                Path(files),
                at_once=options.lanes,
                seconds=options.seconds,
                tell=tell,
                done=keep,
            )
    except ServerUnavailable as error:
        tell(f"there is no cluster: {error}")
        return 2
    failed = any(line.problems for line in lines)
    if results:
        lines = read_lines(results.read_text().splitlines())
    tell(summary(lines))
    return int(failed)


if __name__ == "__main__":
    carry_out(main, tell)
