"""What many sessions came to: a table of faults and outcomes, and what broke a promise. Pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.e2e.debug.chaos import words
from tests.e2e.debug.chaos.choice import Choice
from tests.e2e.debug.chaos.verdict import Outcome

ENDS = ("command's code", "its signal", "a reason", "killed")
"""How agtool ended."""

LEFT = ("nothing made", "by agtool", "by the cluster", "by --cleanup")
"""Who removed what it had made."""


@dataclass(frozen=True)
class Line:
    """A session in a few words.

    Attributes:
        end: one of ENDS, left: one of LEFT.
        over_time: seconds for which something ran after the lifetime.
        left_for: seconds after the lifetime until nothing was left, where the cluster did it.
        problems: what was wrong.
        away: whether the API server was, meanwhile.
    """

    number: int
    fault: str
    end: str
    left: str
    over_time: float
    left_for: float
    facts: list[str]
    problems: list[str] = field(default_factory=list)
    away: bool = False

    def as_json(self) -> str:
        return json.dumps(asdict(self))


def line_of(choice: Choice, outcome: Outcome, problems: Sequence[str], struck: bool) -> Line:
    """A session's line. struck: whether its own fault did, or came too late."""
    left = "by agtool"
    if not outcome.made:
        left = "nothing made"
    elif outcome.cleaned:
        left = "by --cleanup"
    elif outcome.gone > outcome.ended + 12:
        left = "by the cluster"
    return Line(
        choice.number,
        choice.fault if struck else "(too late)",
        _end(outcome),
        left,
        round(outcome.over_time, 1),
        round(outcome.left_for, 1) if left == "by the cluster" else 0.0,
        sorted(outcome.facts),
        list(problems),
        away=outcome.blind > 0 or outcome.recovering,
    )


def _end(outcome: Outcome) -> str:
    if outcome.code == -9:
        return "killed"
    if words.gives_a_reason(words.said(outcome.text)):
        return "a reason"
    if outcome.code == outcome.own:
        return "command's code"
    return "its signal"


def read_lines(text: Iterable[str]) -> list[Line]:
    """Lines that were written by `Line.as_json`."""
    found: list[dict[str, Any]] = [json.loads(each) for each in text]
    return [Line(**each) for each in found]


def table(lines: Sequence[Line]) -> str:
    """In Markdown."""
    head = ["fault", "sessions", *ENDS, *LEFT, "violations"]
    rows = [head, ["---", *["---:"] * (len(head) - 1)]]
    for fault, count in sorted(Counter(line.fault for line in lines).items()):
        own = [line for line in lines if line.fault == fault]
        rows.append(_row(f"`{fault}`" if fault.isidentifier() else fault, count, own))
    rows.append(_row("all", len(lines), lines))
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _row(name: str, count: int, lines: Sequence[Line]) -> list[str]:
    ends, left = Counter(line.end for line in lines), Counter(line.left for line in lines)
    cells = [count, *(ends[end] for end in ENDS), *(left[one] for one in LEFT)]
    cells.append(sum(bool(line.problems) for line in lines))
    return [name, *(str(cell or "") for cell in cells[:-1]), str(cells[-1])]


def summary(lines: Sequence[Line]) -> str:
    """The table, and how close it was."""
    befallen = Counter(fact for line in lines for fact in line.facts if fact != line.fault)
    others = ", ".join(f"{name} {befallen[name]}" for name in ("ttl", "restart", "drain"))
    over = max((line.over_time for line in lines), default=0)
    left = max((line.left_for for line in lines if not line.away), default=0)
    longer = max((line.left_for for line in lines if line.away), default=0)
    bad = sum(bool(line.problems) for line in lines)
    return (
        f"{table(lines)}\n\n{len(lines)} sessions, {bad} violations. Also befallen by: {others}.\n"
        f"After its lifetime something ran for {over} s at most, and an object was left to the "
        f"cluster for {left} s at most ({longer} s where the API server was away meanwhile)."
    )
