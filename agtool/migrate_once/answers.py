"""Answers of a server that may never come: a network can hang for longer than we can wait."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from agtool.migrate_once.backend import LockLost
from agtool.migrate_once.model import REPLY

T = TypeVar("T")


def in_time(call: Callable[[], T], answers: int = 3) -> T:
    """The result of a call to the lock's session, or its error.

    Args:
        answers: that the call waits for; each may be late.

    Raises:
        LockLost: there is neither in the time for so many.
    """
    results: list[T] = []
    errors: list[Exception] = []

    def run() -> None:
        try:
            results.append(call())
        except Exception as error:  # noqa: BLE001  # raised below
            errors.append(error)

    if not within(answers * REPLY, run):
        raise LockLost("no answer from the database")
    if errors:
        raise errors[0]
    return results[0]


def within(seconds: float, call: Callable[[], None]) -> bool:
    """Call in a thread; whether it returned in time."""
    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(seconds)
    return not thread.is_alive()
