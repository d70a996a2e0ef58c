"""What is told while we wait: a live line on a terminal, lines now and then in a log; on stderr."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from agtool.core.duration import in_words
from agtool.core.live import Live
from agtool.core.text import count, some
from agtool.migrate_once.acquire import Dying, Leftover, News, NotDone, Waiting
from agtool.migrate_once.model import Situation, Unfinished
from agtool.migrate_once.patience import Unreachable

_REPEAT = 15.0
"""Seconds between two lines of a log that say the same."""


def sentence(news: News, lock_name: str, age: float) -> str:
    """News that are `age` seconds old, for people, in one line."""
    match news:
        case Unreachable(error, left):
            return f"{error.message}; trying again for {in_words(max(0.0, left - age))}"
        case Waiting(situation):
            return _waiting(situation, lock_name, age)
        case NotDone(key, situation):
            return _not_done(key, situation)
        case Dying([Unfinished(run_id="")], left):
            return (
                "got the lock; nothing tells whether an earlier run in this empty database is "
                f"still stopping: starting in {in_words(max(0.0, left - age))} at the latest"
            )
        case Dying(runs, left):
            return (
                f"got the lock; the previous run ({some([run.place for run in runs])}) has not "
                f"recorded its end and may still be stopping: starting in "
                f"{in_words(max(0.0, left - age))} at the latest"
            )
        case Leftover(left):
            if left.sessions:
                statements = count(len(left.sessions), "statement")
                what = f"stopping {statements} of the previous run on the server"
            else:
                from agtool.migrate_once.findings import names

                what = (
                    f"nothing tells whether {names(left.strangers)} works for the previous run: "
                    f"starting in {in_words(max(0.0, left.seconds - age))} at the latest"
                )
            return f"got the lock; {what}"


def _waiting(situation: Situation, lock_name: str, age: float) -> str:
    others = f"; {count(situation.waiters, 'other')} waiting" if situation.waiters else ""
    holder = situation.holder
    if holder is None or holder.started_at is None:
        return f"waiting for the lock ({lock_name}){others}"
    held = (holder.seconds or 0.0) + age
    return (
        f"waiting for the lock, held by {holder.place} for {in_words(held)} "
        f"(since {holder.started_at:%H:%M:%S UTC}){others}"
    )


def _not_done(key: str | None, situation: Situation) -> str:
    holder = situation.holder
    if holder is None or holder.started_at is None:
        return f"waiting until key {key} is done; nobody works on it now"
    what = "works on it" if holder.key == key else "runs another command"
    since = f"{holder.started_at:%H:%M:%S UTC}"
    return f"waiting until key {key} is done; {holder.place} {what} since {since}"


def facts(news: News, age: float) -> dict[str, Any]:
    """The same for programs: a code word, and values."""
    match news:
        case Unreachable(error, left):
            return {"code": error.code, "seconds_left": round(max(0.0, left - age), 1)}
        case Waiting(situation) | NotDone(_, situation):
            holder = situation.holder
            return {
                "code": "waiting",
                "holder": holder and holder.place,
                "held_since": holder and holder.started_at and holder.started_at.isoformat(),
                "waiters": situation.waiters,
            }
        case Dying(runs, left):
            return {
                "code": "previous-run-stopping",
                "runs": [run.place for run in runs],
                "seconds_left": round(max(0.0, left - age), 1),
            }
        case Leftover(left) if left.sessions:
            return {"code": "stopping-statements", "statements": len(left.sessions)}
        case Leftover(left):
            return {
                "code": "unknown-session",
                "sessions": [str(session) for session in left.strangers],
                "seconds_left": round(max(0.0, left.seconds - age), 1),
            }


class Story(Live):
    """Tells the news of waiting; use as a context.

    Attributes:
        tick: seconds after which `tell` wants to be called again; None: when there are news.
    """

    def __init__(self, lock_name: str) -> None:
        super().__init__(repeat=_REPEAT)
        self._lock_name = lock_name
        self._latest: News | None = None
        self._came_at = 0.0
        self.tick = 1.0 if self.on_terminal else None

    def tell(self, news: Sequence[News]) -> None:
        """Show the latest of the news, or how the last one has aged."""
        now = time.monotonic()
        if news:
            self._latest, self._came_at = news[-1], now
        if self._latest is not None:
            age = now - self._came_at
            text = sentence(self._latest, self._lock_name, age)
            situation = getattr(self._latest, "situation", None)
            holder = situation and situation.holder and situation.holder.run_id
            self.show(
                text, (type(self._latest), holder), fresh=bool(news), **facts(self._latest, age)
            )
