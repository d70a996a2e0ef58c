"""A violation's shortest schedule: faults are left out, one by one, while it comes again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tests.e2e.migrate_once.chaos.choice import Choice

Fails = Callable[[Choice], bool]
"""Whether a round with this choice breaks a promise."""


def shrink(choice: Choice, fails: Fails, *, tries: int) -> tuple[Choice, bool]:
    """The choice with as few faults as still break a promise, and whether it did so again at all.

    tries: how often each is tried, since chance has its say in what becomes of a round.
    """

    def again(candidate: Choice) -> bool:
        return any(fails(candidate) for _ in range(tries))

    if not again(choice):
        return choice, False
    smaller = True
    while smaller:
        smaller = False
        for fault in choice.faults:
            without = replace(choice, faults=tuple(f for f in choice.faults if f != fault))
            if again(without):
                choice, smaller = without, True
                break
    return choice, True
