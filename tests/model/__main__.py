"""`make model`: all checks and all mutants; `--draw` makes the pictures of README.md anew."""

import argparse
import os
import re
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from tests.model.checks import CHECKS, MUTANTS, Check, Mutant
from tests.model.picture import draw
from tests.model.spin import MODEL, Verdict, check

README = MODEL.with_name("README.md")


def main() -> int:
    """Returns 1 if a check fails, or a mutant is not found."""
    parser = argparse.ArgumentParser(prog="python -m tests.model", description=__doc__)
    parser.add_argument("--draw", action="store_true", help="draw the pictures of README.md anew")
    options = parser.parse_args()
    # As many as the machine has cores: Spin uses one each.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        if options.draw:
            _draw(list(pool.map(_shortest, MUTANTS)))
            return 0
        asked = [pool.submit(_ask, one) for one in CHECKS]
        asked += [pool.submit(_find, one) for one in MUTANTS]
        failed = False
        for answer in asked:
            text, is_good = answer.result()
            failed |= not is_good
            print(text, flush=True)  # noqa: T201
    return int(failed)


def _draw(found: Sequence[Verdict]) -> None:
    text = README.read_text(encoding="utf-8")
    for mutant, verdict in zip(MUTANTS, found, strict=True):
        text = _put(text, mutant, verdict)
    README.write_text(text, encoding="utf-8")


def _ask(one: Check) -> tuple[str, bool]:
    began = time.monotonic()
    verdict = check(one.defines, cycles=one.cycles)
    took = f"{verdict.states:>9,} states, {time.monotonic() - began:5.1f} s"
    if verdict.holds:
        return f"holds   {one.title:<34} {took}", True
    return f"FAILS   {one.title:<34} {took}\n{draw(verdict)}", False


def _find(mutant: Mutant) -> tuple[str, bool]:
    began = time.monotonic()
    verdict = check(_defines(mutant))
    took = f"{verdict.states:>9,} states, {time.monotonic() - began:5.1f} s"
    return (
        f"{'MISSED' if verdict.holds else 'found':<7} {mutant.name:<34} {took}",
        not verdict.holds,
    )


def _shortest(mutant: Mutant) -> Verdict:
    return check(_defines(mutant), shortest=True)


def _defines(mutant: Mutant) -> list[str]:
    return ["RUNS=2", "FAULTS=2", mutant.name, *mutant.defines]


def _put(text: str, mutant: Mutant, verdict: Verdict) -> str:
    """The page with the picture of a mutant below its heading."""
    pattern = rf"(## Without: {re.escape(mutant.without)}\n.*?```text\n).*?(\n```)"
    new, count = re.subn(pattern, lambda m: m[1] + draw(verdict) + m[2], text, flags=re.DOTALL)
    if count != 1:
        raise ValueError(f"README.md has no picture for {mutant.name}")
    return new


if __name__ == "__main__":
    sys.exit(main())
