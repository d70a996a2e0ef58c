"""Sessions that end in random ways keep the promises: a dozen of them, each time others.

AGTOOL_CHAOS_SESSIONS and AGTOOL_CHAOS_SEED choose what is run; a session of a seed is always the
same choice, though chance has its say in what becomes of it. For many see `make chaos-sessions`.
"""

import os
import secrets
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.server import Server
from tests.e2e.debug.chaos import words
from tests.e2e.debug.chaos.__main__ import read_arguments
from tests.e2e.debug.chaos.choice import Choice, choose
from tests.e2e.debug.chaos.faults import FAULTS
from tests.e2e.debug.chaos.report import Line, line_of, read_lines, summary
from tests.e2e.debug.chaos.sessions import run
from tests.e2e.debug.chaos.verdict import GRACE, LATER, Outcome, problems

SESSIONS = int(os.environ.get("AGTOOL_CHAOS_SESSIONS") or 12)
SEED = int(os.environ.get("AGTOOL_CHAOS_SEED") or secrets.randbelow(1_000_000))


@pytest.mark.timeout(60 * SESSIONS + 600)
def test_sessions_that_end_in_random_ways(cluster: Server, tmp_path: Path) -> None:
    if not isinstance(cluster, Cluster):
        pytest.skip("the API server is not the tests' to kill, nor the node theirs to drain")
    choices = [brief(choose(SEED, number)) for number in range(SESSIONS)]
    told: list[str] = []
    lines = run(cluster, choices, tmp_path, tell=told.append)
    assert not any(line.problems for line in lines), "\n".join([f"seed {SEED}", *told])
    # Sessions that were never there would prove nothing.
    assert len(lines) == SESSIONS
    print(f"seed {SEED}:\n{summary(lines)}")  # noqa: T201  # the figures are the point


def brief(choice: Choice) -> Choice:
    """The same with a lifetime that a test has the time for."""
    return replace(choice, ttl=min(choice.ttl, 8))


def test_every_fault_is_chosen() -> None:
    assert {choose(1, number).fault for number in range(1000)} == set(FAULTS)


def test_a_session_is_always_the_same_choice() -> None:
    again = [choose(7, number) for number in range(20)]
    assert again == [choose(7, number) for number in range(20)]
    assert again != [choose(8, number) for number in range(20)]


def test_what_is_printed_repeats_the_session() -> None:
    settings = dict(word.split("=") for word in str(choose(7, 12)).split() if "=" in word)
    options = read_arguments(["--seed", settings["SEED"], "--first", settings["FIRST"]])
    assert choose(options.seed, options.first) == choose(7, 12)


GOOD = Outcome(
    facts=frozenset({"nothing"}),
    code=3,
    text="agtool: debug-x7k2mp: starting on node-1\nis-up\n",
    own=3,
    ttl=10,
    jobs=True,
    made=100.0,
    gone=105.0,
    ran=101.0,
    ran_last=104.0,
    ended=104.5,
)


def test_what_is_as_it_should_be() -> None:
    assert problems(GOOD) == []
    kept = {"facts": frozenset({"kill"}), "code": -9, "gone": 110 + LATER - 1}
    assert problems(replace(GOOD, **kept)) == []  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"code": 137, "text": ""}, "exit code 137, which nothing explains"),
        ({"code": None}, "not ended"),
        ({"text": "agtool: the pod was deleted\n"}, "untrue"),
        ({"text": "agtool: what nobody has thought of\n"}, "unknown"),
        ({"text": "Traceback (most recent call last):\n"}, "a traceback"),
        ({"ran_last": 111 + GRACE + 1}, "ran 16.0 s after its lifetime"),
        ({"gone": 110 + LATER + 1}, "objects were left 61.0 s after"),
        ({"gone": 0.0}, "objects are left"),
        ({"cleaned": True}, "--cleanup was needed"),
    ],
)
def test_what_breaks_a_promise(change: dict[str, object], problem: str) -> None:
    found = problems(replace(GOOD, **change))  # type: ignore[arg-type]
    assert any(problem in each for each in found), found


def test_words_that_the_fault_explains() -> None:
    line = "error: the API server closed the connection; the pod was deleted"
    assert not words.untrue(line, {"evict"})
    assert words.untrue("the pod's lifetime (--ttl) is over", {"evict"})
    assert words.untrue("the pod was deleted", {"ttl"})
    ended = replace(GOOD, facts=frozenset({"evict"}), code=137, text="")
    assert problems(ended) == ["exit code 137, and nothing says why"]
    assert problems(replace(ended, text="agtool: the pod was deleted\r\n")) == []


def test_lines_on_a_terminal() -> None:
    text = "\r\x1b[Kagtool: debug-x7k2mp: running\r\x1b[K$ agtool: no\r\nagtool: yes\r\n"
    assert words.said(text) == ["debug-x7k2mp: running", "yes"]


def test_the_table() -> None:
    choice = choose(7, 12)
    good = line_of(choice, GOOD, [], struck=True)
    bad = line_of(choice, GOOD, ["it went wrong"], struck=False)
    assert read_lines([good.as_json(), bad.as_json()]) == [good, bad]
    assert (good.end, good.left, bad.fault) == ("command's code", "by agtool", "(too late)")
    killed = replace(GOOD, code=-9, gone=150.0)
    assert isinstance(line_of(choice, killed, [], struck=True), Line)
    told = summary([good, bad, line_of(choice, killed, [], struck=True)])
    assert "3 sessions, 1 violations" in told
    assert "left to the cluster for 40.0 s" in told
