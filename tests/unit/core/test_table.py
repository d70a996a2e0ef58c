"""Tables: what a person copies is never cut."""

import io
import re
import sys

import pytest

from agtool.core.output import print_view
from agtool.core.table import table
from agtool.core.text import count, printable, some

NAME = "debug-b9vsx-with-a-name-that-is-long"
ROWS = [
    [NAME, "a sentence that says at some length what is so"],
    ["b", "[red]no markup[/red]\x1b[31m\u202e"],
]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(monkeypatch: pytest.MonkeyPatch, output: io.StringIO, columns: int) -> list[str]:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(sys, "stdout", output)
    print_view(["before", table(["NAME", "WHY"], ROWS, identifiers=["NAME"])])
    return re.sub(r"\x1b\[[01]m", "", output.getvalue()).splitlines()  # bold heads


@pytest.mark.parametrize("columns", [20, 40, 60, 200])
def test_identifiers_are_whole_on_a_terminal(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    lines = shown(monkeypatch, Terminal(), columns)
    assert lines[0] == "before"
    assert any(line.startswith(NAME) for line in lines)
    text = "".join("".join(lines[1:]).split())
    # The other column is folded, and nothing of it is lost.
    assert "\u2026" not in text
    if columns >= 60:
        assert max(map(len, lines)) <= columns


def test_a_pipe_has_no_width(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = shown(monkeypatch, io.StringIO(), 40)
    assert len(lines) == 4
    assert lines[2].split(maxsplit=1) == ROWS[0]


def test_what_others_wrote_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = shown(monkeypatch, io.StringIO(), 40)
    assert lines[3].rstrip().split(maxsplit=1) == ["b", "[red]no markup[/red]\ufffd[31m\ufffd"]


def test_a_table_without_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    output = io.StringIO()
    monkeypatch.setattr(sys, "stdout", output)
    print_view([table(["NAME", "WHY"], [], identifiers=["NAME"])])
    assert output.getvalue().split() == ["NAME", "WHY"]


def test_printable() -> None:
    assert printable("a\tb\x1b[0m\r\n\u202e\u00e9") == "a\ufffdb\ufffd[0m\ufffd\ufffd\ufffd\u00e9"
    assert printable("a\nb\x00", besides="\n") == "a\nb\ufffd"


def test_numbers_of_things() -> None:
    assert (count(1, "node"), count(0, "node"), count(5000, "node")) == (
        "1 node",
        "0 nodes",
        "5,000 nodes",
    )
    assert count(2, "entry", "entries") == "2 entries"
    assert some(["a", "b"]) == "a, b"
    assert some([str(n) for n in range(12)], most=2) == "0, 1 and 10 more"
