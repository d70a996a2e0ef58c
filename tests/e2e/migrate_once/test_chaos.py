"""No two commands overlap, whatever dies.

AGTOOL_CHAOS_ROUNDS and AGTOOL_CHAOS_SEED choose what is run; a round of a seed is always the same
choice, though chance has its say in what becomes of it. For thousands of rounds see `chaos`.
"""

import os
import secrets
from collections.abc import Sequence

import pytest

from tests.conftest import needed
from tests.e2e.migrate_once.chaos import choose, run
from tests.e2e.migrate_once.chaos_faults import FAULTS
from tests.e2e.migrate_once.chaos_verdict import (
    Commit,
    Run,
    false_marks,
    late_commits,
    overlaps,
)

ROUNDS = int(os.environ.get("AGTOOL_CHAOS_ROUNDS") or 80)
SEED = int(os.environ.get("AGTOOL_CHAOS_SEED") or secrets.randbelow(1_000_000))


@pytest.mark.timeout(120 + 30 * ROUNDS)
def test_no_two_commands_overlap_whatever_dies() -> None:
    with needed():
        report = run(range(ROUNDS), seed=SEED)
    assert not report.violations, "\n".join([f"seed {SEED}", *report.violations])
    # Rounds in which nothing worked or nothing was struck would prove nothing.
    assert report.rounds == ROUNDS
    assert report.runs >= 2 * ROUNDS, report
    assert sum(report.struck.values()) >= ROUNDS / 2, report
    print(f"seed {SEED}: {report}")  # noqa: T201  # the figures are the point


def test_every_fault_is_chosen() -> None:
    chosen = {fault for number in range(1000) for fault in choose(1, number).faults}
    assert chosen == set(FAULTS)


def test_a_round_is_always_the_same_choice() -> None:
    assert [choose(7, n) for n in range(20)] == [choose(7, n) for n in range(20)]


def a_run(name: str, begin: int, end: int, *, complete: bool = True) -> Run:
    """A run of the replica of the same name; both clocks show the same."""
    return Run(name, name, begin, end, began_at=begin, complete=complete)


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


def test_false_marks_are_seen() -> None:
    done, dead = a_run("a", 0, 10), a_run("b", 20, 30, complete=False)
    assert false_marks([done], [Commit("a", "mark", 11)], [("a", 12)]) == []
    assert len(false_marks([done], [Commit("a", "mark", 11)], [("a", 5)])) == 1
    assert len(false_marks([dead], [Commit("b", "mark", 31)], [])) == 1
    assert len(false_marks([done, dead], [Commit("a", "mark", 11)], [])) == 1
