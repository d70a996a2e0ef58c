"""Asking the person at the terminal."""

from __future__ import annotations

import sys

from agtool.core.command import Format
from agtool.core.errors import DeclinedError, UsageError


class Question:
    """How a command asks before it changes something: with `--yes` not at all.

    Args:
        yes: go on without asking.
        output: with anything but a table nobody is asked.
    """

    def __init__(self, *, yes: bool, output: Format = Format.table) -> None:
        self._yes = yes
        self._output = output

    def require_answer(self, question: str) -> None:
        """Raise UsageError if the question will have to be asked and nobody is there."""
        if self._yes:
            return
        hint = "Add --yes to go on without being asked."
        if self._output is not Format.table:
            raise UsageError(
                f"with --output {self._output.value} there is no question: {question}", hint=hint
            )
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise UsageError(f"there is nobody to ask: {question}", hint=hint)

    def confirm(self, question: str, *, declined: str = "Nothing was changed.") -> None:
        """Return if it may be done.

        Args:
            declined: what is told after a no.

        Raises:
            DeclinedError: the person said no.
            UsageError: nobody is there to ask.
        """
        self.require_answer(question)
        if self._yes:
            return
        sys.stderr.write(f"agtool: {question} [y/N] ")
        sys.stderr.flush()
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            raise DeclinedError(declined)
