"""What a round of chaos must have been like: pure checks of what was recorded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

SECOND = 1_000_000_000
MILLISECOND = 1_000_000


@dataclass(frozen=True)
class Work:
    """One process's work.

    run_id: the replica, which has one run at most. begin, end: CLOCK_MONOTONIC; began_at:
    CLOCK_REALTIME; all in nanoseconds.
    """

    run_id: str
    pid: int
    role: str
    begin: int
    end: int
    began_at: int
    complete: bool


@dataclass(frozen=True)
class Commit:
    """A row that is in the database. at: when it was committed, nanoseconds since 1970."""

    run_id: str
    note: str
    at: int


@dataclass(frozen=True)
class Run:
    """All the work of one run, its grandchild's included."""

    run_id: str
    begin: int
    end: int
    began_at: int
    complete: bool


def read_work(folder: Path) -> list[Work]:
    """The logs that `chaos_worker.Beats` wrote, in the order of their begin."""
    found = []
    for log in folder.iterdir():
        run_id, pid, role = log.name.split(".")
        lines = [line.split() for line in log.read_text().splitlines()]
        if lines:
            found.append(
                Work(
                    run_id=run_id,
                    pid=int(pid),
                    role=role,
                    begin=int(lines[0][1]),
                    end=int(lines[-1][1]),
                    began_at=int(lines[0][2]),
                    complete=lines[-1][0] == "complete",
                )
            )
    return sorted(found, key=lambda work: work.begin)


def runs(work: Sequence[Work]) -> list[Run]:
    """The runs, in the order of their begin."""
    found = []
    for run_id in dict.fromkeys(w.run_id for w in work):
        own = [w for w in work if w.run_id == run_id]
        found.append(
            Run(
                run_id=run_id,
                begin=min(w.begin for w in own),
                end=max(w.end for w in own),
                began_at=min(w.began_at for w in own),
                complete=any(w.complete for w in own),
            )
        )
    return sorted(found, key=lambda run: run.begin)


def overlaps(in_order: Sequence[Run]) -> list[str]:
    """Runs that were at work at the same time."""
    problems = []
    for i, later in enumerate(in_order):
        problems += [
            f"run {later.run_id} began "
            f"{(earlier.end - later.begin) / SECOND:.3f} s before the end of "
            f"{earlier.run_id}"
            for earlier in in_order[:i]
            if earlier.end >= later.begin
        ]
    return problems


def late_commits(in_order: Sequence[Run], commits: Sequence[Commit]) -> list[str]:
    """Rows of a run that were committed after a later run had begun."""
    position = {run.run_id: i for i, run in enumerate(in_order)}
    return [
        f"row {commit.note!r} of run {commit.run_id} was committed "
        f"{(commit.at - later.began_at) / SECOND:.3f} s after {later.run_id} began"
        for commit in commits
        for later in in_order[position[commit.run_id] + 1 :]
        if commit.at > later.began_at
    ]


def in_our_time(mark: Commit, in_order: Sequence[Run], steps: Sequence[int]) -> Commit:
    """A mark with its time by the clock of all; it has that of a clock ahead by one of `steps`.

    steps: nanoseconds, 0 among them. A mark is never made before its run's end, and soon after.
    """
    ends = {run.run_id: run.began_at + run.end - run.begin for run in in_order}
    end = ends.get(mark.run_id, mark.at) // MILLISECOND * MILLISECOND
    possible = [mark.at - step for step in steps if mark.at - step >= end]
    return replace(mark, at=min(possible, default=mark.at))


def false_marks(
    in_order: Sequence[Run], marks: Sequence[Commit], signals: Sequence[tuple[str, int]]
) -> list[str]:
    """Done markers of runs that did not complete, and runs that began although one was there.

    signals: the run that got one which it forwards, and when (CLOCK_MONOTONIC).
    """
    by_id = {run.run_id: run for run in in_order}
    problems = []
    for mark in marks:
        marked = by_id.get(mark.run_id)
        if marked is None or not marked.complete:
            problems.append(f"run {mark.run_id} is marked done but did not complete")
        elif any(r == marked.run_id and marked.begin < at < marked.end for r, at in signals):
            problems.append(f"run {mark.run_id} is marked done although it was signalled")
        problems += [
            f"run {run.run_id} began although {mark.run_id} had been marked done"
            for run in in_order
            if run.began_at > mark.at
        ]
    return problems
