"""How far a long piece of work is, on stderr: a bar on a terminal, else a line now and then."""

from __future__ import annotations

import sys
import time

from agtool.core.output import say, show_line

_WIDTH = 30


class Progress:
    """Progress of equal pieces; use as a context. Work of half a second shows none.

    Args:
        total: how many pieces; 0: nobody knows.
    """

    def __init__(self, what: str, total: int = 0) -> None:
        self._what = what
        self._total = total
        self._done = 0
        self._terminal = sys.stderr.isatty()
        self._interval = 0.1 if self._terminal else 10.0
        self._next = time.monotonic() + (0.5 if self._terminal else self._interval)

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._terminal:
            show_line("")

    def advance(self) -> None:
        """One piece more is done."""
        self._done += 1
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + self._interval
        text = f"{self._what}: {self._done:,}" + (f" of {self._total:,}" if self._total else "")
        if not self._total and self._terminal:
            show_line(text)
        elif self._terminal:
            filled = _WIDTH * self._done // self._total
            show_line(f"[{'#' * filled}{'.' * (_WIDTH - filled)}] {text}")
        else:
            say(text)
