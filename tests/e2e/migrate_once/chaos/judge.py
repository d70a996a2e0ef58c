"""What was wrong with a round, and all that is known about it."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from agtool.core.errors import WRAPPER_FAILED
from tests.e2e.migrate_once.chaos.replica import Replica, Scene
from tests.e2e.migrate_once.chaos.verdict import (
    Commit,
    Run,
    false_marks,
    in_our_time,
    late_commits,
    overlaps,
    read_work,
    runs,
)
from tests.e2e.migrate_once.chaos.worker import FAILED
from tests.model.trace import is_explained, read

_REFUSED_SLEEP = re.compile(r"sleep\(.*\)\nOSError: \[Errno 22\]")
"""What libfaketime 0.9.10 answers where the moment until which Python sleeps is just over."""


def judge(scene: Scene, marks: Sequence[Commit], in_order: Sequence[Run], mark: str) -> list[str]:
    """What was wrong with a round, in words. in_order: the runs without the last replica's."""
    problems = []
    deadline = time.monotonic() + 20
    while left := marked(mark):
        if time.monotonic() > deadline:
            problems.append(f"processes are left: {left}")
            break
        time.sleep(0.02)
    everything = runs(read_work(scene.folder / "beats"))
    problems += overlaps(everything)
    if scene.lane.engine == "sqlite":  # there, who makes a mark says when
        steps = {f"r{replica.number}": replica.steps for replica in scene.replicas}
        marks = [in_our_time(mark, everything, steps[mark.run_id]) for mark in marks]
    problems += false_marks(in_order, marks, scene.signals)
    commits = scene.lane.work()
    if any(run.complete for run in everything[-1:]) and not commits:
        problems.append("the last run was complete, but its rows are not there")
    problems += late_commits(everything, commits)
    for replica in scene.replicas:
        if replica.alive() or replica.any_code:
            continue
        code = replica.exit_code()
        allowed = {0, *scene.codes, *replica.codes, *([FAILED] if replica.plan.fails else [])}
        log = replica.stderr.read_text(errors="replace")
        if code == 1 and "agtool:" not in log and log.rstrip().endswith("KeyboardInterrupt"):
            continue  # SIGINT met Python itself, before agtool was there
        if code == WRAPPER_FAILED and refused_sleep(replica):
            continue
        if code is not None and code not in allowed:
            problems.append(f"r{replica.number} ended with {code}, and not one of {allowed}")
    return problems


def refused_sleep(replica: Replica) -> bool:
    """Whether libfaketime has ended an agtool, in a way that is nobody else's."""
    log = replica.stderr.read_text(errors="replace")
    return replica.clock is not None and _REFUSED_SLEEP.search(log) is not None


def hold_against_model(scene: Scene) -> list[str]:
    """Whether the model can do what agtool says that it did, with one fault."""
    lines = (scene.folder / "trace").read_text(encoding="utf-8").splitlines()
    if is_explained(read(lines), scene.lane.model, faults=1):
        return []
    return ["the model of the lock cannot do what the trace says"]


def describe(scene: Scene) -> str:
    """All that is known about a round, in the order of time."""
    events = list(scene.timeline)
    for work in read_work(scene.folder / "beats"):
        who = f"{work.role} {work.pid} of {work.run_id}"
        complete = ", complete" if work.complete else ""
        events += [(work.begin, f"{who} begins"), (work.end, f"{who} ends{complete}")]
    events.sort()
    lines = [f"  {(at - events[0][0]) / 1e9:8.3f}  {text}" for at, text in events]
    for log in sorted(scene.folder.glob("*.stderr")):
        lines += [f"  {log.stem}: {line}" for line in log.read_text().splitlines()]
    lines += [f"  {row}" for row in scene.lane.record()]
    lines.append(f"  kept: {scene.folder}")
    return "\n".join(lines)


def marked(mark: str) -> list[int]:
    """The live processes with the round's mark in their environment."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):  # it ended meanwhile
            if mark.encode() in path.read_bytes():
                found.append(int(path.parent.name))
    return found
