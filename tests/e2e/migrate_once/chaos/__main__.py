"""Chaos from the command line; the exit code is 1 if there was a violation."""

from __future__ import annotations

import argparse
import secrets
import signal
from collections.abc import Sequence
from dataclasses import replace

from tests.e2e.migrate_once.chaos.choice import Choice, choose
from tests.e2e.migrate_once.chaos.engines import ENGINES
from tests.e2e.migrate_once.chaos.faults import FAULTS
from tests.e2e.migrate_once.chaos.rounds import run
from tests.e2e.migrate_once.chaos.shrink import shrink
from tests.programs import carry_out, tell
from tests.servers.process import ServerUnavailable


def read_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.migrate_once.chaos")
    parser.add_argument("--rounds", type=int, default=100, help="for all engines together (100)")
    parser.add_argument("--engines", nargs="*", choices=ENGINES, default=list(ENGINES))
    parser.add_argument("--first", type=int, default=0, help="the first round's number (0)")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000))
    parser.add_argument("--lanes", type=int, default=4, help="rounds at a time (4)")
    parser.add_argument("--seconds", type=float, help="for each engine: begin no round after that")
    parser.add_argument("--only", nargs="*", choices=FAULTS, default=[], help="faults to use")
    parser.add_argument(
        "--keep", nargs="*", type=int, help="repeat one round, with the faults of these numbers"
    )
    parser.add_argument("--tries", type=int, default=10, help="of each schedule, for the shortest")
    return parser.parse_args(arguments)


def choices_of(options: argparse.Namespace, engine: str) -> list[Choice]:
    """The rounds of one engine."""
    if options.keep is not None:
        one = choose(engine, options.seed, options.first, options.only)
        kept = tuple(fault for fault in one.faults if fault[0] in options.keep)
        return [replace(one, faults=kept)] * options.tries
    each, more = divmod(options.rounds, len(options.engines))
    count = each + (options.engines.index(engine) < more)
    numbers = range(options.first, options.first + count)
    return [choose(engine, options.seed, number, options.only) for number in numbers]


def main() -> int:
    """Perform rounds, and find the shortest schedule of each violation."""
    options = read_arguments()
    # A shell ignores it for what it starts with &, and agtool would leave it ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    tell(f"seed {options.seed}")
    failed = False
    for engine in options.engines:
        choices = choices_of(options, engine)
        if not choices:
            continue
        try:
            report = run(choices, at_once=options.lanes, seconds=options.seconds, tell=tell)
        except ServerUnavailable as error:
            tell(f"{engine}: left out: {error}")
            continue
        tell(f"{engine}: {report}")
        failed |= bool(report.violations)
        if options.keep is None:
            for violation in report.violations[:3]:
                tell_shortest(violation.choice, options.tries)
    return int(failed)


def tell_shortest(choice: Choice, tries: int) -> None:
    """Say which of a round's faults it takes."""
    tell(f"looking for the shortest schedule of: {choice}")

    def fails(candidate: Choice) -> bool:
        return bool(run([candidate], at_once=1, tell=lambda _: None).violations)

    shortest, again = shrink(choice, fails, tries=tries)
    if again:
        tell(f"this repeats it: {shortest}")
    else:
        tell(f"it did not come again in {tries} rounds; to go on: {choice}")


if __name__ == "__main__":
    carry_out(main, tell)
