"""What goes on now, on stderr: one line that changes on a terminal, else a line now and then."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from agtool.core.log import Log
from agtool.core.output import Cursor, say, write_to_stderr

if TYPE_CHECKING:
    from typing_extensions import Self

_TAKE_AWAY = "\r\x1b[K"
"""What takes a line away."""

_WIDTH = 30
"""Characters of a bar."""


class Live:
    """The line that says what goes on; use as a context, which takes it away at its end.

    Args:
        repeat: seconds after which a log gets a line although the subject is the same; None: never.
    """

    def __init__(self, *, repeat: float | None = None) -> None:
        self.on_terminal = sys.stderr.isatty() and not Log.as_json
        self._repeat = repeat
        self._subject: object = None
        self._said_at = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()

    def show(
        self,
        text: str,
        subject: object = None,
        *,
        fresh: bool = True,
        **fields: Any,
    ) -> None:
        """Show `text` in the place of what was shown before.

        Args:
            subject: what it is about; a log gets a line when that changes. Default: the text.
            fresh: whether something has happened, and not only time gone by.
            fields: as for `say`, the code among them.
        """
        if self.on_terminal:
            # Not with rich, whose live display writes whether or not the terminal takes it: Ctrl-S
            # would stop us.
            width = shutil.get_terminal_size().columns - 1
            Cursor.leave = _TAKE_AWAY
            write_to_stderr(f"{_TAKE_AWAY}{f'agtool: {text}'[:width]}", patience=0)
            return
        now = time.monotonic()
        subject = text if subject is None else subject
        again = self._repeat is not None and fresh and now - self._said_at >= self._repeat
        if subject != self._subject or again:
            self._subject, self._said_at = subject, now
            say(text, **{"code": "progress", **fields})

    def clear(self) -> None:
        """Take the line away, if there is one."""
        if Cursor.leave == _TAKE_AWAY:
            Cursor.leave = ""
            write_to_stderr(_TAKE_AWAY, patience=0)


@contextmanager
def said_if_slow(text: str, seconds: float = 3.0) -> Iterator[None]:
    """Write a line if what is done inside takes longer than that: it must not look idle."""
    timer = threading.Timer(seconds, say, [text])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


class Progress(Live):
    """Progress of equal pieces; use as a context. Work of half a second shows none.

    Args:
        total: how many pieces; 0: nobody knows.
        written: how so many are written.

    Attributes:
        done: how many are done.
    """

    def __init__(
        self, what: str, total: int = 0, written: Callable[[int], str] = "{:,}".format
    ) -> None:
        super().__init__()
        self._what = what
        self._total = total
        self._written = written
        self.done = 0
        self._interval = 0.1 if self.on_terminal else 10.0
        self._next = time.monotonic() + (0.5 if self.on_terminal else self._interval)

    def advance(self, pieces: int = 1) -> None:
        """So many more are done."""
        self.done += pieces
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + self._interval
        of = f" of {self._written(self._total)}" if self._total else ""
        text = f"{self._what}: {self._written(self.done)}{of}"
        if self._total and self.on_terminal:
            filled = _WIDTH * self.done // self._total
            text = f"[{'#' * filled}{'.' * (_WIDTH - filled)}] {text}"
        self.show(text)
