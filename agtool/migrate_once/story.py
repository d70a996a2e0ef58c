"""What is told while we wait: a live line on a terminal, periodic lines in a log; on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from datetime import datetime

from agtool.core.output import say, show_line
from agtool.migrate_once.acquire import Dying, News, Stopping, Unreachable, Waiting

_REPEAT = 15.0
"""Seconds between two lines of a log that say the same."""


def sentence(news: News, lock_name: str, age: float) -> str:
    """News that are `age` seconds old, for people, in one line."""
    match news:
        case Unreachable(error, left):
            return f"{error.message}; trying for {max(0.0, left - age):.0f} s more"
        case Waiting(situation):
            others = f"; {situation.waiters} more wait" if situation.waiters else ""
            holder = situation.holder
            if holder is None or holder.started_at is None:
                return f"waiting for the lock ({lock_name}){others}"
            held = (holder.seconds(situation.now) or 0.0) + age
            return (
                f"waiting for {holder.place}, which has held the lock for {held:.0f} s "
                f"(since {clock(holder.started_at)}){others}"
            )
        case Dying(runs, left):
            places = ", ".join(run.place for run in runs)
            return (
                f"got the lock, but {places} lost it without a word; starting when its command "
                f"is certainly dead, in {max(0.0, left - age):.0f} s at the latest"
            )
        case Stopping(statements):
            return f"got the lock; stopping {statements} statements of a dead command on the server"


def clock(moment: datetime) -> str:
    """A time of day for people."""
    return moment.strftime("%H:%M:%S UTC")


class Story:
    """Tells the news of waiting. tick: seconds after which `show` wants to be called again."""

    def __init__(self, lock_name: str) -> None:
        self._lock_name = lock_name
        self._live = sys.stderr.isatty()
        self._news: News | None = None
        self._news_at = 0.0
        self._subject: tuple[object, ...] = ()
        self._told_at = 0.0
        self.tick = 1.0 if self._live else None

    def show(self, news: Sequence[News]) -> None:
        """Show the latest of the news, or how the last one has aged."""
        now = time.monotonic()
        if news:
            self._news, self._news_at = news[-1], now
        if self._news is None:
            return
        text = sentence(self._news, self._lock_name, now - self._news_at)
        if self._live:
            show_line(text)
            return
        subject = (type(self._news), _who(self._news))
        if subject != self._subject or (news and now - self._told_at >= _REPEAT):
            self._subject, self._told_at = subject, now
            say(text)

    def close(self) -> None:
        """Take the live line away."""
        if self._live and self._news is not None:
            show_line("")


def _who(news: News) -> str | None:
    holder = news.situation.holder if isinstance(news, Waiting) else None
    return holder.run_id if holder else None
