"""What is told while we wait: a live line on a terminal, periodic lines in a log; on stderr."""

from __future__ import annotations

import sys
import time
from datetime import datetime
from typing import TYPE_CHECKING

from agtool.core.output import say
from agtool.migrate_once.acquire import Dying, News, Stopping, Unreachable, Waiting

if TYPE_CHECKING:
    from rich.status import Status

_REPEAT = 15.0
"""Seconds between two lines of a log that say the same."""


def sentence(news: News, lock_name: str) -> str:
    """The news for people, in one line."""
    match news:
        case Unreachable(error, left):
            return f"{error.message}; trying for {left:.0f} s more"
        case Waiting(situation):
            others = f"; {situation.waiters} more wait" if situation.waiters else ""
            holder = situation.holder
            if holder is None or holder.started_at is None:
                return f"waiting for the lock ({lock_name}){others}"
            held = holder.seconds(situation.now) or 0.0
            return (
                f"waiting for {holder.place}, which has held the lock for {held:.0f} s "
                f"(since {clock(holder.started_at)}){others}"
            )
        case Dying(runs, left):
            places = ", ".join(run.place for run in runs)
            return (
                f"got the lock, but {places} lost it without a word; "
                f"starting when its command is certainly dead, in {left:.0f} s at the latest"
            )
        case Stopping(statements):
            return f"got the lock; stopping {statements} statements of a dead command on the server"


def clock(moment: datetime) -> str:
    """A time of day for people."""
    return moment.strftime("%H:%M:%S UTC")


class Story:
    """Tells the news of waiting. `show` and `close` from one thread."""

    def __init__(self, lock_name: str) -> None:
        self._lock_name = lock_name
        self._live = sys.stderr.isatty()
        self._status: Status | None = None
        self._subject: tuple[object, ...] = ()
        self._told_at = 0.0

    def show(self, news: News) -> None:
        text = sentence(news, self._lock_name)
        if self._live:
            self._show_live(text)
            return
        subject = (type(news), _who(news))
        now = time.monotonic()
        if subject != self._subject or now - self._told_at >= _REPEAT:
            self._subject, self._told_at = subject, now
            say(text)

    def close(self) -> None:
        """Take the live line away."""
        if self._status is not None:
            self._status.stop()
            self._status = None

    def _show_live(self, text: str) -> None:
        from rich.console import Console
        from rich.markup import escape

        if self._status is None:
            console = Console(file=sys.stderr, highlight=False)
            self._status = console.status(escape(text))
            self._status.start()
        self._status.update(escape(text))


def _who(news: News) -> str | None:
    holder = news.situation.holder if isinstance(news, Waiting) else None
    return holder.run_id if holder else None
