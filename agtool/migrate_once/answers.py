"""Answers of a server that may never come: a network can hang for longer than we can wait."""

from __future__ import annotations

import _thread
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
    return begin(call).wait(seconds)


def begin(call: Callable[[], object]) -> threading.Event:
    """Call in a thread that does not keep us from ending; what says when it has returned.

    Not by threading.Thread, whose `start` waits for the thread to begin: for ever, if there is no
    memory for it then (https://github.com/python/cpython/issues/140746).

    Raises RuntimeError: there can be no more threads.
    """
    over = threading.Event()

    def run() -> None:
        try:
            call()
        finally:
            over.set()

    _thread.start_new_thread(run, ())
    return over
