"""Asking the person at the terminal, and not asking where nobody is there."""

import io
import sys

import pytest

from agtool.core.command import Format
from agtool.core.errors import DeclinedError, UsageError
from agtool.core.question import Question


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def at_terminal(monkeypatch: pytest.MonkeyPatch, answer: str) -> io.StringIO:
    """A person at the terminal who types this; what is written to them."""
    written = Terminal()
    monkeypatch.setattr(sys, "stderr", written)
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    return written


@pytest.mark.parametrize("answer", ["y\n", "YES\n", " yes \n"])
def test_yes(monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    written = at_terminal(monkeypatch, answer)
    Question(yes=False).confirm("Do it?")
    assert written.getvalue() == "agtool: Do it? [y/N] "


@pytest.mark.parametrize("answer", ["n\n", "\n", "", "yess\n"])
def test_anything_else_is_no(monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    at_terminal(monkeypatch, answer)
    with pytest.raises(DeclinedError, match="No node was changed") as caught:
        Question(yes=False).confirm("Do it?", declined="No node was changed.")
    assert caught.value.exit_code == 1


def test_nobody_is_asked_with_yes(monkeypatch: pytest.MonkeyPatch) -> None:
    written = at_terminal(monkeypatch, "n\n")
    Question(yes=True, output=Format.json).confirm("Do it?")
    assert written.getvalue() == ""


@pytest.mark.parametrize("output", [Format.json, Format.name])
def test_who_wants_a_document_is_not_asked(monkeypatch: pytest.MonkeyPatch, output: Format) -> None:
    written = at_terminal(monkeypatch, "y\n")
    with pytest.raises(UsageError, match="Do it") as caught:
        Question(yes=False, output=output).require_answer("Do it?")
    assert "--yes" in caught.value.hint
    assert written.getvalue() == ""


def test_without_a_terminal_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    at_terminal(monkeypatch, "")
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    with pytest.raises(UsageError, match="nobody to ask"):
        Question(yes=False).confirm("Do it?")
