"""No two commands overlap, whatever dies, on each engine.

AGTOOL_CHAOS_ROUNDS (for each engine) and AGTOOL_CHAOS_SEED choose what is run; a round of a seed is
always the same choice, though chance has its say in what becomes of it. For thousands of rounds
see `make chaos`.
"""

import os
import secrets
from collections.abc import Sequence

import pytest

from tests.conftest import needed
from tests.e2e.migrate_once.chaos.__main__ import choices_of, read_arguments
from tests.e2e.migrate_once.chaos.choice import Choice, choose
from tests.e2e.migrate_once.chaos.engines import ENGINES
from tests.e2e.migrate_once.chaos.faults import FAULTS, possible
from tests.e2e.migrate_once.chaos.rounds import run
from tests.e2e.migrate_once.chaos.shrink import shrink
from tests.e2e.migrate_once.chaos.verdict import (
    SECOND,
    Commit,
    Run,
    false_marks,
    in_our_time,
    late_commits,
    overlaps,
)

# Fifty in all: more where there is more that can go wrong.
ROUNDS = {"postgresql": 18, "pgbouncer": 8, "mariadb": 14, "sqlite": 10}
SEED = int(os.environ.get("AGTOOL_CHAOS_SEED") or secrets.randbelow(1_000_000))


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("engine", ENGINES)
def test_no_two_commands_overlap_whatever_dies(engine: str) -> None:
    rounds = int(os.environ.get("AGTOOL_CHAOS_ROUNDS") or ROUNDS[engine])
    with needed():
        report = run([choose(engine, SEED, number) for number in range(rounds)])
    assert not report.violations, "\n".join(map(str, report.violations))
    # Rounds in which nothing worked or nothing was struck would prove nothing.
    assert report.rounds == rounds
    assert report.runs >= rounds, report
    assert sum(report.struck.values()) >= rounds / 4, report
    print(f"seed {SEED}: {engine}: {report}")  # noqa: T201  # the figures are the point


@pytest.mark.parametrize("engine", ENGINES)
def test_every_fault_is_chosen(engine: str) -> None:
    chosen = {name for number in range(1000) for _, name in choose(engine, 1, number).faults}
    assert chosen == set(possible(engine))


def test_every_fault_is_possible_somewhere() -> None:
    assert {name for engine in ENGINES for name in possible(engine)} == set(FAULTS)


def test_a_round_is_always_the_same_choice() -> None:
    again = [choose("mariadb", 7, n) for n in range(20)]
    assert again == [choose("mariadb", 7, n) for n in range(20)]
    assert again != [choose("mariadb", 8, n) for n in range(20)]


def test_what_is_printed_repeats_the_round() -> None:
    choice = next(c for c in (choose("sqlite", 7, n) for n in range(99)) if len(c.faults) > 2)
    settings = dict(word.split("=") for word in str(choice).split()[2:5])
    words = ["--engines", settings["ENGINES"], "--seed", settings["SEED"]]
    words += ["--first", settings["FIRST"], "--keep", *(str(n) for n, _ in choice.faults)]
    options = read_arguments(words)
    assert set(choices_of(options, "sqlite")) == {choice}


def test_the_shortest_schedule_is_found() -> None:
    """Of faults by number: 1 and 3 together break it, and only every other time."""
    choice = Choice("sqlite", 1, 1, tuple(enumerate(["kill_agtool"] * 5)), 3)
    tried = 0

    def fails(candidate: Choice) -> bool:
        nonlocal tried
        tried += 1
        return tried % 2 == 0 and {1, 3} <= {number for number, _ in candidate.faults}

    shortest, again = shrink(choice, fails, tries=2)
    assert again
    assert [number for number, _ in shortest.faults] == [1, 3]
    assert shrink(choice, lambda _: False, tries=2) == (choice, False)


def a_run(name: str, begin: int, end: int, *, complete: bool = True) -> Run:
    """A run of the replica of the same name; both clocks show the same."""
    return Run(name, begin, end, began_at=begin, complete=complete)


@pytest.mark.parametrize(
    ("in_order", "count"),
    [
        ([a_run("a", 0, 10), a_run("b", 11, 20)], 0),
        ([a_run("a", 0, 10), a_run("b", 10, 20)], 1),
        ([a_run("a", 0, 30), a_run("b", 10, 20), a_run("c", 25, 40)], 2),
    ],
)
def test_overlaps_are_seen(in_order: Sequence[Run], count: int) -> None:
    assert len(overlaps(in_order)) == count


def test_late_commits_are_seen() -> None:
    in_order = [a_run("a", 0, 10), a_run("b", 20, 30)]
    assert late_commits(in_order, [Commit("a", "x", 15), Commit("b", "x", 40)]) == []
    assert len(late_commits(in_order, [Commit("a", "x", 21)])) == 1


def test_the_time_of_a_mark_by_a_clock_that_was_wrong() -> None:
    run = Run("a", begin=5 * SECOND, end=7 * SECOND, began_at=1_000 * SECOND, complete=True)
    steps = [0, -90 * SECOND, 90 * SECOND]
    for ahead in (0, -90, 90):
        mark = Commit("a", "mark", (1_003 + ahead) * SECOND)
        assert in_our_time(mark, [run], steps).at == 1_003 * SECOND


def test_false_marks_are_seen() -> None:
    done, dead = a_run("a", 0, 10), a_run("b", 20, 30, complete=False)
    assert false_marks([done], [Commit("a", "mark", 11)], [("a", 12)]) == []
    assert len(false_marks([done], [Commit("a", "mark", 11)], [("a", 5)])) == 1
    assert len(false_marks([dead], [Commit("b", "mark", 31)], [])) == 1
    assert len(false_marks([done, dead], [Commit("a", "mark", 11)], [])) == 1
