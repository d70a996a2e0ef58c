"""The live line: one that changes on a terminal, a line now and then in a log."""

import os
import pty
import select
import sys

import pytest

from agtool.core import live
from agtool.core.live import Live, Progress
from agtool.core.output import say


class Clock:
    """Time that a test makes go by."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Give the clock of the live line."""
    made = Clock()
    monkeypatch.setattr(live, "time", made)
    return made


class Screen:
    """A terminal with 40 columns, which stderr becomes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, columns: int = 40) -> None:
        self._master, slave = pty.openpty()
        self._stderr = os.fdopen(slave, "w")
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setattr(sys, "stderr", self._stderr)

    def __enter__(self) -> "Screen":
        return self

    def __exit__(self, *_: object) -> None:
        self._stderr.close()
        os.close(self._master)

    def read(self) -> str:
        """What was written since the last call."""
        text = b""
        while select.select([self._master], [], [], 0.05)[0]:
            text += os.read(self._master, 65536)
        return text.decode()


def test_on_a_terminal_it_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with Screen(monkeypatch) as screen, Live() as line:
        line.show("one")
        line.show("two " + "x" * 100)
        assert screen.read() == "\r\x1b[Kagtool: one\r\x1b[K" + f"agtool: two {'x' * 100}"[:39]
        say("stays")
        assert screen.read() == "\r\x1b[Kagtool: stays\r\n"
        line.show("three")
        screen.read()
        line.clear()
        assert screen.read() == "\r\x1b[K"


def test_what_others_say_meanwhile_gets_a_line_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    with Screen(monkeypatch) as screen, Live() as line:
        line.show("waiting")
        say("cannot reach it: trying again", level="warning")  # as a thread of its own does
        say("still not")
        shown = screen.read()
    told = "agtool: warning: cannot reach it: trying again\r\nagtool: still not\r\n"
    assert shown == f"\r\x1b[Kagtool: waiting\r\x1b[K{told}"


def test_a_line_that_was_not_shown_is_not_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    with Screen(monkeypatch) as screen:
        with Live():
            pass
        assert screen.read() == ""


def test_in_a_log_it_is_a_line_for_each_subject(
    clock: Clock, capfd: pytest.CaptureFixture[str]
) -> None:
    with Live(repeat=15) as line:
        line.show("waiting for a, 1 s", "a")
        line.show("waiting for a, 2 s", "a")
        line.show("waiting for b", "b")
        clock.now += 20
        line.show("still b", "b", fresh=False)  # only time has gone by
        line.show("news of b", "b")
        line.show("more of b", "b")
    told = capfd.readouterr().err.splitlines()
    assert told == ["agtool: waiting for a, 1 s", "agtool: waiting for b", "agtool: news of b"]


def test_short_work_shows_no_progress(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    with Screen(monkeypatch) as screen:
        with Progress("nodes", 10) as progress:
            for _ in range(10):
                clock.now += 0.04
                progress.advance()
        assert screen.read() == ""


def test_progress_on_a_terminal(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    with Screen(monkeypatch, 100) as screen, Progress("nodes", 4000) as progress:
        for _ in range(2000):
            progress.advance()
        clock.now += 1
        progress.advance()
        bar = "#" * 15 + "." * 15
        assert screen.read() == f"\r\x1b[Kagtool: [{bar}] nodes: 2,001 of 4,000"


def test_progress_in_a_log(clock: Clock, capfd: pytest.CaptureFixture[str]) -> None:
    with Progress("nodes") as progress:
        for _ in range(25):
            clock.now += 1
            progress.advance()
    assert capfd.readouterr().err.splitlines() == ["agtool: nodes: 10", "agtool: nodes: 20"]


def test_progress_in_pieces_of_any_size(clock: Clock, capfd: pytest.CaptureFixture[str]) -> None:
    with Progress("copying", 5000, "{} bytes".format) as progress:
        for _ in range(4):
            clock.now += 4
            progress.advance(1000)
    assert capfd.readouterr().err.splitlines() == ["agtool: copying: 3000 bytes of 5000 bytes"]
    assert progress.done == 4000
