"""What a command that has ended still executes on the server: ended, or waited for."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from agtool.core.errors import AgtoolError
from agtool.core.finding import Finding
from agtool.migrate_once.backend import Backend, Session
from agtool.migrate_once.findings import left_running, not_told_apart
from agtool.migrate_once.model import REPLY

CANNOT_LOOK = "cannot look for the command's statements on the server"

_PAUSE = 0.1


class Left(NamedTuple):
    """What is still at work.

    Attributes:
        sessions: of the command; they are being ended, unless the server refuses that.
        strangers: that may be the command's; looked for when there are no others.
        seconds: for which we go on waiting for their end.
    """

    sessions: list[Session]
    strangers: list[Session]
    seconds: float

    @property
    def finding(self) -> Finding:
        """The same for people, when there is no more time."""
        return left_running(self.sessions) if self.sessions else not_told_apart(self.strangers)


def end_statements(
    stop: Callable[[], list[Session]],
    strangers: Callable[[float], list[Session]] | None,
    patience: float,
    *,
    tell: Callable[[Left], None],
    sleep: Callable[[float], None] = time.sleep,
) -> Left | None:
    """Return when nothing is left, or what is left after `patience` seconds.

    Args:
        stop, strangers: of a lock or a backend, for certain runs. None: what is not known to be a
            command's is not waited for.
        tell: called with what is left.

    Raises:
        Whatever the functions raise.
    """
    began = time.monotonic()
    alone_since: float | None = None
    while True:
        sessions, others = stop(), []
        if not sessions and strangers is not None:
            alone_since = alone_since or time.monotonic()
            others = strangers(time.monotonic() - alone_since)
        if not (sessions or others):
            return None
        left = Left(sessions, others, began + patience - time.monotonic())
        if left.seconds <= 0:
            return left
        tell(left)
        sleep(_PAUSE)


def end_by_others(
    backend: Backend, run_id: str, horizon: float, patience: float, tell: Callable[[Left], None]
) -> Finding | None:
    """End the run's statements without its lock; what stands in the way of it."""
    give_up = time.monotonic() + REPLY
    while True:
        try:
            left = end_statements(
                partial(backend.stop_statements, [run_id]),
                lambda waited: backend.strangers([run_id], waited, horizon),
                patience,
                tell=tell,
            )
            return left.finding if left else None
        except AgtoolError as error:
            if time.monotonic() >= give_up:
                return Finding(error.code, f"{CANNOT_LOOK}: {error.message}", error.hint)
            time.sleep(_PAUSE)
