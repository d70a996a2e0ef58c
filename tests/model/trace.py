"""A trace of real runs (AGTOOL_TRACE) as a question to the model: can it do just this.

As the refinement of etcd's raft is checked (tla/Traceetcdraft.tla in its repository): the trace
says which events happen, the model whether they may. The processes of a trace did not write at the
very moment of an event, so each has a time in which it must lie; only what was over before another
one began comes before it, and any other order will do (as for a linearizable object).
"""

import json
from collections.abc import Iterable
from operator import itemgetter
from typing import NamedTuple

from tests.model.spin import check

EVENTS = ("FOUND", "LOCKED", "REAPED", "STARTED", "PROVEN", "COMMAND", "OVER", "DONE", "ENDED")

AT_MOST = 3
"""Invocations that the model has room for."""


class Event(NamedTuple):
    """Something that has happened to the lock or to the record, or may have.

    Attributes:
        invocation: whose it is.
        began, ended: between these, in seconds of one clock; ended is infinite when nobody knows.
        is_certain: whether it has happened.
    """

    invocation: str
    name: str
    began: float
    ended: float
    is_certain: bool


def read(lines: Iterable[str]) -> list[Event]:
    """The events of a trace file, of each invocation in its own order."""
    begun: dict[tuple[str, int, int], dict[str, object]] = {}
    for line in lines:
        entry = json.loads(line)
        begun.setdefault((entry["invocation"], entry["process"], entry["number"]), {}).update(entry)
    found = [
        Event(
            str(entry["invocation"]),
            str(entry["event"]),
            float(str(entry["began"])),
            float(str(entry.get("ended", "inf"))),
            entry.get("happened") is True,
        )
        for entry in begun.values()
        if entry.get("happened") is not False
    ]
    return sorted(found, key=itemgetter(2))


def is_explained(events: list[Event], engine: str, *, faults: int) -> bool:
    """Whether the model can do what the trace says.

    Args:
        engine: as lock.pml calls it: empty (PostgreSQL), MYSQL or SQLITE.
        faults: how many may have happened, of any kind.

    Raises:
        ValueError: there are more invocations than the model has room for.
    """
    names = list(dict.fromkeys(event.invocation for event in events))
    if len(names) > AT_MOST:
        raise ValueError(f"{len(names)} invocations; the model has room for {AT_MOST}")
    runs = max(2, len(names))
    of_each = [[one for one in events if one.invocation == name] for name in names]
    of_each += [[]] * (runs - len(names))
    defines = [f"RUNS={runs}", f"FAULTS={faults}", "TRACE", *([engine] if engine else [])]
    # What is looked for is a way to the end of the trace: Spin calls it a violation.
    verdict = check(defines, trace=question(of_each))
    return not verdict.holds and "seen_of" in verdict.problem


def question(of_each: list[list[Event]]) -> str:
    """The text of trace.pml: when an event may happen, or be left out, and when all is done."""
    lines = []
    for name in EVENTS:
        moments = [
            _may(i, number, of_each)
            for i, events in enumerate(of_each)
            for number, event in enumerate(events)
            if event.name == name
        ]
        lines.append(f"#define can_{name}(i) ({' || '.join(moments) or 'false'})")
    doubtful = [
        f"(i == {i} && seen_of[{i}] == {number})"
        for i, events in enumerate(of_each)
        for number, event in enumerate(events)
        if not event.is_certain
    ]
    lines.append(f"#define skippable(i) ({' || '.join(doubtful) or 'false'})")
    ends = [f"seen_of[{i}] == {len(events)}" for i, events in enumerate(of_each)]
    lines.append(f"#define all_seen ({' && '.join(ends)})")
    return "\n".join(lines) + "\n"


def _may(i: int, number: int, of_each: list[list[Event]]) -> str:
    """That the event is the next one of its invocation, and what was over before it has been."""
    began = of_each[i][number].began
    before = [
        f" && seen_of[{j}] >= {passed}"
        for j, events in enumerate(of_each)
        if j != i and (passed := sum(event.ended < began for event in events))
    ]
    return f"(i == {i} && seen_of[{i}] == {number}{''.join(before)})"
