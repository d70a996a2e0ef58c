"""`--status`: the holder, the waiters and the history, for people and for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agtool.core.table import table
from agtool.core.text import printable
from agtool.migrate_once import documents
from agtool.migrate_once.model import Run, Status

if TYPE_CHECKING:
    from datetime import datetime

    from agtool.core.output import View


def as_document(status: Status, lock_name: str) -> documents.Status:
    """For programs."""

    def listed(runs: list[Run]) -> list[documents.Run]:
        return [_as_document(run, status.now) for run in runs]

    return documents.Status(
        lock=lock_name,
        held=status.held,
        now=status.now,
        running=listed(status.running),
        waiting=listed(status.waiting),
        history=listed(status.history),
    )


def _as_document(run: Run, now: datetime) -> documents.Run:
    values = {**run._asdict(), "seconds": run.seconds(now)}
    return documents.Run(**{name: values[name] for name in documents.Run.__annotations__})


def view(status: documents.Status) -> View:
    """For people."""
    yield printable(f"{status.lock}: {_summary(status)}")
    rows = [
        (
            # It began, does not hold the lock any more, and has not recorded how it ended.
            "unfinished" if run.state == "running" and not status.held else run.state,
            run.place,
            run.name,
            run.key or "",
            since.strftime("%Y-%m-%d %H:%M:%S") if since else "",
            "" if run.seconds is None else f"{run.seconds:.1f}",
            "" if run.exit_code is None else str(run.exit_code),
        )
        for run in (*status.running, *status.waiting, *status.history)
        for since in [run.started_at or run.waiting_since]
    ]
    if rows:
        columns = ("state", "place", "name", "key", "since (UTC)", "seconds", "exit")
        yield table(columns, rows, identifiers=("place", "name", "key"))


def _summary(status: documents.Status) -> str:
    waiting = f"{len(status.waiting)} waiting"
    if not status.held:
        return f"free, {waiting}" + ("" if status.history else "; nothing has run yet")
    if not status.running:
        return f"held, but its holder has not recorded a run; {waiting}"
    return f"held by {status.running[0].place}, {waiting}"
