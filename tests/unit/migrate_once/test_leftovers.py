"""What is left on a server is ended or waited for, within bounds. The server is written by hand."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from agtool.core.errors import UnreachableError
from agtool.migrate_once.backend import Session
from agtool.migrate_once.leftovers import Left, end_statements

OURS, REFUSED = Session("1", "app", "", ""), Session("2", "owner", "", "", refused=True)
STRANGER = Session("3", "app", "JDBC", "12:00:00 UTC")


@dataclass
class Server:
    """Answers one after the other; the last one for ever."""

    sessions: list[list[Session]]
    strangers: list[list[Session]] = field(default_factory=lambda: [[]])
    waited: list[float] = field(default_factory=list)

    def stop(self) -> list[Session]:
        return self.sessions.pop(0) if len(self.sessions) > 1 else self.sessions[0]

    def look(self, waited: float) -> list[Session]:
        self.waited.append(waited)
        return self.strangers.pop(0) if len(self.strangers) > 1 else self.strangers[0]


def end(
    server: Server, patience: float, *, strangers: bool = True
) -> tuple[Left | None, list[Left]]:
    told: list[Left] = []
    look: Callable[[float], list[Session]] | None = server.look if strangers else None
    left = end_statements(server.stop, look, patience, tell=told.append, sleep=lambda _: None)
    return left, told


def test_nothing_left_is_nothing_told() -> None:
    assert end(Server([[]]), 60) == (None, [])


def test_what_is_being_ended_is_asked_for_until_it_is_gone() -> None:
    left, told = end(Server([[OURS, REFUSED], [REFUSED], []]), 60)
    assert left is None
    assert [one.sessions for one in told] == [[OURS, REFUSED], [REFUSED]]


def test_strangers_are_looked_for_when_nothing_else_is_left() -> None:
    server = Server([[OURS], []], [[STRANGER], []])
    left, told = end(server, 60)
    assert left is None
    assert [(one.sessions, one.strangers) for one in told] == [([OURS], []), ([], [STRANGER])]
    # Those that have begun since then are somebody else's.
    first, second = server.waited
    assert first < 0.05
    assert second >= first


def test_strangers_are_nothing_to_one_that_ended_well() -> None:
    assert end(Server([[]], [[STRANGER]]), 60, strangers=False) == (None, [])


@pytest.mark.parametrize(
    ("server", "code"),
    [
        (Server([[OURS]]), "still-running"),
        (Server([[REFUSED]]), "still-running"),
        (Server([[]], [[STRANGER]]), "unknown-session"),
    ],
)
def test_patience_ends(server: Server, code: str) -> None:
    left, _ = end(server, 0)
    assert left is not None
    assert left.finding.code == code
    assert "session " in left.finding.message


def test_an_error_is_the_callers() -> None:
    def fail() -> list[Session]:
        raise UnreachableError("no answer")

    with pytest.raises(UnreachableError):
        end_statements(fail, None, 60, tell=lambda _: None)
