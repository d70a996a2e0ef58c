"""`--status`: the holder, the waiters and the history, as a table or as data."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from agtool.core.output import print_table
from agtool.migrate_once.model import Run, Status

if TYPE_CHECKING:
    from rich.text import Text


def as_data(status: Status, lock_name: str) -> dict[str, Any]:
    """For programs: times in ISO 8601 (UTC), durations in seconds."""
    return {
        "lock": lock_name,
        "held": status.held,
        "now": status.now.isoformat(),
        "running": [_as_data(run, status.now) for run in status.running],
        "waiting": [_as_data(run, status.now) for run in status.waiting],
        "history": [_as_data(run, status.now) for run in status.history],
    }


def _as_data(run: Run, now: datetime) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "name": run.name,
        "key": run.key,
        "place": run.place,
        "state": run.state,
        "waiting_since": _iso(run.waiting_since),
        "started_at": _iso(run.started_at),
        "finished_at": _iso(run.finished_at),
        "seconds": run.seconds(now),
        "exit_code": run.exit_code,
    }


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def print_status(status: Status, lock_name: str) -> None:
    """For people."""
    from rich.table import Table

    table = Table("state", "where", "name", "key", "since (UTC)", "seconds", "exit", box=None)
    for run in (*status.running, *status.waiting, *status.history):
        state = run.state
        if state == "running" and not status.held:
            state = "gone"  # it began, holds no lock any more, and has not said how it ended
        since = run.started_at or run.waiting_since
        seconds = run.seconds(status.now)
        table.add_row(
            state,
            _cell(run.place),
            _cell(run.name),
            _cell(run.key or ""),
            since.strftime("%Y-%m-%d %H:%M:%S") if since else "",
            "" if seconds is None else f"{seconds:.1f}",
            "" if run.exit_code is None else str(run.exit_code),
        )
    print_table(_cell(f"{lock_name}: {_summary(status)}"))
    if table.row_count:
        print_table(table)


def _cell(text: str) -> Text:
    """What somebody stored, as it is: no markup, no control characters."""
    from rich.text import Text

    return Text("".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text))


def _summary(status: Status) -> str:
    waiters = f"{len(status.waiting)} waiting"
    if not status.held:
        return f"free, {waiters}" + ("" if status.history else "; nothing has run yet")
    if not status.running:
        return f"held by somebody who has not said who it is, {waiters}"
    return f"held by {status.running[0].place}, {waiters}"
