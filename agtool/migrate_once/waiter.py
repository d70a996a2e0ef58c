"""The waiting of an invocation: in a thread, told on stderr, and ended by a signal."""

from __future__ import annotations

import select
import signal
import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from agtool.core.signals import Signals, Wakeup, reap
from agtool.migrate_once.acquire import News
from agtool.migrate_once.story import Story

_LAST_CHANCE = 0.7
"""Seconds for the waiting thread to let go of what it has when we are told to end."""

T = TypeVar("T")


class Task(Protocol[T]):
    """What the thread does."""

    cancelled: threading.Event

    def run(self) -> T:
        """Return what was waited for, or raise Cancelled soon after `cancelled` is set."""

    def give_back(self, result: T) -> None:
        """Undo what was got in the last moment; never raises."""


class Waiter(Generic[T]):
    """The waiting, in a thread.

    A driver's calls cannot be interrupted by a signal (a name that does not resolve blocks for
    half a minute), and we must end within a second.

    Args:
        task: makes what the thread does, given what to call with news.
    """

    def __init__(self, task: Callable[[Callable[[News], None]], Task[T]]) -> None:
        self._news: deque[News] = deque()
        self._results: list[T] = []
        self._errors: list[BaseException] = []
        self._wakeup = Wakeup()  # never closed: the thread may live as long as we
        self._task = task(self._tell)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def wait(self, signals: Signals, story: Story) -> signal.Signals | None:
        """Until there is a result, or a signal comes (returned)."""
        with story:
            while not (self._results or self._errors):
                select.select([signals.fileno(), self._wakeup.fileno()], [], [], story.tick)
                reap()  # as PID 1 we get the orphans of the container
                if received := signals.drain():
                    self._cancel()
                    return received[0]
                self._wakeup.drain()
                story.tell([self._news.popleft() for _ in range(len(self._news))])
        return None

    def result(self) -> T:
        """What the waiting came to; its error is raised."""
        self._thread.join()  # so that the fork that follows sees a single thread
        if self._errors:
            raise self._errors[0]
        return self._results[0]

    def _cancel(self) -> None:
        """Give up waiting, and what may have been got in the last moment."""
        self._task.cancelled.set()
        self._thread.join(_LAST_CHANCE)
        for result in self._results:
            self._task.give_back(result)

    def _tell(self, news: News) -> None:
        self._news.append(news)
        self._wakeup.wake()

    def _run(self) -> None:
        try:
            self._results.append(self._task.run())
        except BaseException as error:  # noqa: BLE001  # raised by `result`, in the main thread
            self._errors.append(error)
        self._wakeup.wake()
