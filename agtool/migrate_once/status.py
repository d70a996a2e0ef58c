"""`--status` for people: the holder, the waiters and the history."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agtool.core.table import table
from agtool.core.text import count, printable

if TYPE_CHECKING:
    from agtool.core.output import View
    from agtool.migrate_once.documents import Key, Status


def view(status: Status) -> View:
    """What was found, as a line and a table."""
    yield printable(f"{status.lock}: {summary(status)}")
    if status.key is not None:
        yield printable(f"key {status.key.key}: {of_key(status.key)}")
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
        for run in (*status.running, *(status.waiting or ()), *status.history)
        for since in [run.started_at or run.waiting_since]
    ]
    if rows:
        columns = ("state", "place", "name", "key", "since (UTC)", "seconds", "exit")
        yield table(columns, rows, identifiers=("place", "name", "key"))


def of_key(key: Key) -> str:
    """Whether it is done."""
    if key.done:
        return "done"
    if not key.failures:
        return "not done"
    with_code = "" if key.failed_with is None else f" with exit code {key.failed_with}"
    times = count(key.failures, "time")
    return f"not done; it has failed {times}, the last time on {key.failed_on}{with_code}"


def summary(status: Status) -> str:
    """Who holds the lock, and how many wait."""
    waiting = (
        "and nothing tells how many wait, as the database is empty"
        if status.waiting is None
        else f"{len(status.waiting)} waiting"
    )
    if not status.held:
        return f"free, {waiting}" + ("" if status.history else "; nothing has run yet")
    if not status.running:
        return f"held, but its holder has not recorded a run; {waiting}"
    return f"held by {status.running[0].place}, {waiting}"
