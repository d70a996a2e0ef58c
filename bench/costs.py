"""What whole processes cost, beside each other and step by step, as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

from bench.figures import in_turns, median, median_difference, median_ratio, ratio, seconds, table
from bench.processes import Cost, Processes


class Stage(Protocol):
    """Where processes run."""

    @property
    def processes(self) -> Processes: ...

    @property
    def env(self) -> Mapping[str, str]: ...


def runs(stage: Stage, **argvs: Sequence[str | Path]) -> dict[str, Callable[[], Cost]]:
    """What to measure in turns: each runs a program to its end."""
    return {name: partial(stage.processes.run, argv, stage.env) for name, argv in argvs.items()}


def wall(costs: Sequence[Cost]) -> list[float]:
    """Seconds from start to end."""
    return [cost.wall for cost in costs]


def cpu(costs: Sequence[Cost]) -> list[float]:
    """Seconds of the processor."""
    return [cost.cpu for cost in costs]


def compare(names: Mapping[str, str], costs: Mapping[str, Sequence[Cost]]) -> str:
    """A table with what each is called; the first is ours, the ratios are ours to theirs."""
    ours, *_ = costs.values()
    rows = []
    for name, theirs in costs.items():
        row = [names[name], median(wall(theirs)), median(cpu(theirs)), "", ""]
        if theirs is not ours:
            row[3] = ratio(median_ratio(wall(ours), wall(theirs)))
            row[4] = ratio(median_ratio(cpu(ours), cpu(theirs)))
        rows.append(row)
    return table(["", "wall", "CPU", "agtool / this, wall", "agtool / this, CPU"], rows)


def ladder(rounds: int, steps: Mapping[str, Callable[[], Cost]]) -> str:
    """A table of what each step adds: it does what the one before did, and one thing more."""
    costs = in_turns("where the time goes", rounds, steps)
    rows = []
    before: Sequence[Cost] = ()
    for name, now in costs.items():
        added = [median(wall(now)), median(cpu(now))]
        if before:
            added = [
                seconds(median_difference(wall(now), wall(before))),
                seconds(median_difference(cpu(now), cpu(before))),
            ]
        rows.append([name, *added, median(wall(now)), median(cpu(now))])
        before = now
    heads = ["step", "adds, wall", "adds, CPU", "up to here, wall", "up to here, CPU"]
    return table(heads, rows)
