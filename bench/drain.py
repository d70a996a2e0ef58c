"""Many replicas at once, with a command that does nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from bench.figures import Section, in_turns, median, median_ratio, paragraph, ratio, table
from bench.processes import Cost, cpu_with_children
from bench.stage import Stage


class Drained(NamedTuple):
    """What a whole flock of replicas cost, and the CPU seconds of the server meanwhile."""

    cost: Cost
    server: float


def drain(stage: Stage, rounds: Mapping[int, int]) -> Section:
    """Start so many replicas as the keys say, so often as the values say, and await them all."""
    contestants: dict[str, Callable[[], Sequence[str]]] = {
        "agtool with `--key`": lambda: stage.migrate_once(
            "--key", f"drain-{stage.number}", "--", "true"
        ),
        "agtool": lambda: stage.migrate_once("--", "true"),
        "psql, the naive recipe": lambda: stage.recipe("true"),
        "flock(1), one host only": lambda: stage.flock("true"),
        "Python: connect, SELECT 1; no lock": stage.connect_and_select,
    }
    rows = []
    for replicas, count in rounds.items():
        turns = {
            name: partial(_drain, stage, replicas, command) for name, command in contestants.items()
        }
        results = in_turns(f"{replicas} replicas drained", count, turns, warm_up=False)
        *_, bare = results.values()
        for name, drained in results.items():
            walls = [one.cost.wall for one in drained]
            cpus = [one.cost.cpu for one in drained]
            servers = [one.server for one in drained]
            to_bare = median_ratio(walls, [one.cost.wall for one in bare])
            rows.append(
                [
                    *(name, str(replicas), str(count)),
                    *(median(walls), median(cpus), median(servers)),
                    ratio(to_bare),
                ]
            )
    heads = ["", "replicas", "rounds", "wall", "CPU", "server's CPU", "wall / bare Python"]
    return Section(
        "## Replicas with nothing to do\n\n"
        + paragraph(
            "All started at once; until the last has ended. The command is `true`. The key is new "
            "in each round: one replica runs the command, the others find it done. The naive "
            "recipe finds its table created, since creating it is a race that it loses."
        )
        + f"\n\n{table(heads, rows)}\n\n"
        + paragraph(
            "Bare Python is what as many replicas cost that only import psycopg2, connect and "
            "select, without any lock. What lies above it is agtool's: its own modules, then the "
            "lock."
        )
    )


def _drain(stage: Stage, replicas: int, command: Callable[[], Sequence[str]]) -> Drained:
    argv, env = command(), stage.env
    postmaster = stage.server.pid
    assert postmaster is not None
    before = cpu_with_children(postmaster)
    cost = stage.processes.wait([stage.processes.start(argv, env) for _ in range(replicas)])
    # A server process counts when it has ended, which is a moment after its client has.
    time.sleep(0.1)
    return Drained(cost, cpu_with_children(postmaster) - before)
