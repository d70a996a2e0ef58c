"""`--status` for people: the holder, the waiters and the history."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agtool.core.duration import in_words
from agtool.core.table import table
from agtool.core.text import count, printable

if TYPE_CHECKING:
    from datetime import datetime

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
            when(since, status.now),
            "" if run.seconds is None else f"{run.seconds:.1f}",
            "" if run.exit_code is None else str(run.exit_code),
        )
        for run in (*status.running, *(status.waiting or ()), *status.history)
        for since in [run.started_at or run.waiting_since]
    ]
    if rows:
        columns = ("state", "place", "name", "key", "since (UTC)", "seconds", "exit")
        yield table(columns, rows, identifiers=("place", "name", "key"))


def when(moment: datetime | None, now: datetime) -> str:
    """A moment, without the day if that is today's: so it fits beside names in 72 columns."""
    if moment is None:
        return ""
    return moment.strftime("%H:%M:%S" if moment.date() == now.date() else "%Y-%m-%d %H:%M")


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
    """Who holds the lock and for how long, and how many wait."""
    holder = "held"
    if status.running:
        run = status.running[0]
        holder += f" by {run.place}"
        holder += "" if run.seconds is None else f" for {in_words(run.seconds)}"
    if status.waiting is None:
        # Those who wait have no table to write to: the first command gets an empty database.
        return (
            f"{holder}. Others may wait for it: they cannot be counted until this first command "
            "in an empty database has ended"
        )
    waiting = f"{len(status.waiting)} waiting"
    if not status.held:
        return f"free, {waiting}" + ("" if status.history else "; nothing has run yet")
    if not status.running:
        return f"held, but its holder has not recorded a run; {waiting}"
    return f"{holder}, {waiting}"
