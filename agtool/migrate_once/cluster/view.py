"""`migrate-once status` for people: the locks, and one table of pods and of runs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from agtool.core.table import table
from agtool.core.text import printable
from agtool.migrate_once.status import of_key, summary, when

if TYPE_CHECKING:
    from agtool.core.output import View
    from agtool.migrate_once.documents import WorkloadStatus

_COLUMNS = ("state", "pod", "key", "since (UTC)", "seconds", "exit", "remark")

_WORDS = {"working": "holds the lock", "waiting": "waits"}


def view(status: WorkloadStatus) -> View:
    """What was found."""
    for answer in status.answers:
        found = answer.status
        yield printable(f"{found.lock}: {summary(found)}")
        if found.key is not None:
            yield printable(f"key {found.key.key}: {of_key(found.key)}")
    if not status.answers:
        yield "no agtool could be asked now; this is what the pods tell"
    yield table(_COLUMNS, _rows(status), identifiers=("pod", "key"))


def _rows(status: WorkloadStatus) -> Iterator[tuple[str, ...]]:
    now = datetime.now(timezone.utc)
    shown = set()
    for pod in status.pods:
        shown.add(pod.run_id)
        remarks = [pod.outcome or "", pod.reason or ""]
        if pod.restarts:
            remarks.append(f"started again {pod.restarts} times")
        yield (
            _WORDS.get(pod.state, pod.state),
            pod.pod,
            pod.key or "",
            when(pod.since, now),
            _seconds(pod.seconds),
            "" if pod.exit_code is None else str(pod.exit_code),
            "; ".join(filter(None, remarks)),
        )
    for answer in status.answers:
        found = answer.status
        for run in (*found.running, *(found.waiting or ()), *found.history):
            if run.run_id in shown:
                continue
            lost = run.state == "running" and not found.held
            yield (
                "unfinished" if lost else _WORDS.get(run.state, run.state),
                run.place,
                run.key or "",
                when(run.started_at or run.waiting_since, now),
                _seconds(run.seconds),
                "" if run.exit_code is None else str(run.exit_code),
                "another pod, or an earlier one",
            )


def _seconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.1f}"
