"""How long the lock is idle between two commands: from the holder's commit to the next start."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Mapping
from pathlib import Path

from agtool.migrate_once.model import poll_interval
from bench.figures import Aim, Section, p90, paragraph, progress, seconds, table
from bench.processes import PATIENCE, Failed, Process
from bench.stage import Stage

AIM = 0.25
"""Seconds."""

MEMORY_AIM = 19
"""MiB of its own, with its part of what several share, that one that waits may take."""


def handover(stage: Stage, samples: Mapping[int, int]) -> Section:
    """Measure with so many waiters as the keys say, so often as the values say."""
    # Creates the table that the samples look at.
    stage.processes.run(stage.migrate_once("--", "true"), stage.env)
    rows, aims = [], []
    memory: list[int] = []
    for waiters, count in samples.items():
        measured = []
        for number in range(count):
            progress(f"handover with {waiters} waiting: sample {number + 1} of {count}")
            measured.append(_sample(stage, waiters, number / count, memory))
        middle = statistics.median(measured)
        figures = [middle, p90(measured), max(measured)]
        rows.append([str(waiters), str(count), *map(seconds, figures)])
        what = f"handover, median, {waiters} waiting: {seconds(AIM)} or less"
        aims.append(Aim(what, seconds(middle), middle <= AIM))
    most = statistics.median(memory) / 2**20
    aims.append(Aim("one that waits, PSS: 19 MiB or less", f"{most:.1f} MiB", most <= MEMORY_AIM))
    long = ", ".join(
        f"{seconds(poll_interval(waited, 1))} after {text}"
        for waited, text in ((60.0, "a minute"), (180.0, "three minutes"))
    )
    text = (
        "## Handover\n\n"
        + paragraph(
            "From the commit of the holder's transaction (`pg_xact_commit_timestamp`) to the first "
            "line of the next command, a bash, by the same clock. All waiters are there before the "
            "holder ends, at a moment that differs from sample to sample."
        )
        + f"\n\n{table(['waiting', 'samples', 'median', '90 of 100', 'longest'], rows)}\n\n"
        + paragraph(
            f"A waiter tries again after about {seconds(poll_interval(0, 1))}, so with one waiter "
            "half of that is waiting. The rest is a new connection, a look for predecessors, and "
            "the start of the command. Whoever has waited for more than 20 s tries less often, "
            f"after one per cent of the time waited: {long}."
        )
        + "\n\n"
        + paragraph(
            f"One that waits takes {most:.1f} MiB (median of the PSS of all of them, as Linux "
            "tells it)."
        )
    )
    return Section(text, aims)


def _sample(stage: Stage, waiters: int, phase: float, memory: list[int]) -> float:
    """One handover, in seconds; the bytes that each waiter takes go to `memory`.

    Args:
        phase: 0 to 1, when in the waiters' interval the holder ends.
    """
    number = stage.number
    gate, starts = stage.folder / f"gate-{number}", stage.folder / f"starts-{number}"
    os.mkfifo(gate)
    # For reading too: then it opens at once, and what is written stays until it is read.
    opened = os.open(gate, os.O_RDWR)
    try:
        holder = _start(stage, f"holder-{number}", f"read <{gate}")
        _await(stage, "running", f"holder-{number}", 1)
        waiting = [
            _start(stage, f"waiter-{number}", f"echo $EPOCHREALTIME >>{starts}")
            for _ in range(waiters)
        ]
        _await(stage, "waiting", f"waiter-{number}", waiters)
        memory += [_pss(process.pid) for process in waiting]
        time.sleep(phase * poll_interval(0, waiters))
        os.write(opened, b"\n")
        stage.processes.wait([holder, *waiting])
    finally:
        os.close(opened)
    # The row of the holder's run was last written by the transaction that held the lock.
    ((committed,),) = stage.rows(
        "SELECT extract(epoch FROM pg_xact_commit_timestamp(xmin)) "
        "FROM agtool.install_locks_runs WHERE name = %s",
        [f"holder-{number}"],
    )
    return min(map(float, starts.read_text().split())) - float(committed)


def _pss(pid: int) -> int:
    """A process's bytes, with its part of those that it shares."""
    told = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    return int(told.partition("\nPss:")[2].split()[0]) * 1024


def _start(stage: Stage, name: str, script: str) -> Process:
    return stage.processes.start(
        stage.migrate_once("--name", name, "--", "bash", "-c", script), stage.env
    )


def _await(stage: Stage, state: str, name: str, count: int) -> None:
    """Return when so many runs of this name are in this state."""
    give_up = time.monotonic() + PATIENCE
    query = "SELECT count(*) FROM agtool.install_locks_runs WHERE state = %s AND name = %s"
    while stage.rows(query, [state, name]) != [(count,)]:
        if time.monotonic() > give_up:
            raise Failed(f"no {count} runs of {name} became {state}")
        time.sleep(0.02)
