"""An API server that was away, and forbids everything until it has read the roles."""

from collections.abc import Callable, Iterator

import pytest

from agtool.core.errors import UnreachableError
from agtool.core.kube import dial
from agtool.core.kube.outage import Outage
from agtool.core.kube.upgraded import RefusedError


class Session:
    """One whose log-in is as it is."""

    def __init__(self) -> None:
        self.outage = Outage()

    def websocket_settings(self) -> object:
        return object()

    def renew(self, _: object) -> bool:
        return False


def answers(*failures: Exception) -> Callable[[object], str]:
    """What raises these, one after the other, and connects then."""
    left: Iterator[Exception] = iter(failures)

    def connect(_: object) -> str:
        for failure in left:
            raise failure
        return "connected"

    return connect


def forbidden() -> RefusedError:
    return RefusedError(403, b"", request="GET /exec", server="https://api")


def test_a_connection_after_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dial, "AGAIN", 0)
    session, connect = Session(), answers(UnreachableError("away"), forbidden(), forbidden())
    with pytest.raises(UnreachableError):
        dial._renewed(session, connect)  # type: ignore[arg-type]  # noqa: SLF001
    assert dial._renewed(session, connect) == "connected"  # type: ignore[arg-type, comparison-overlap]  # noqa: SLF001


def test_what_is_forbidden_without_one() -> None:
    with pytest.raises(RefusedError):
        dial._renewed(Session(), answers(forbidden()))  # type: ignore[arg-type]  # noqa: SLF001


def test_an_outage_is_over_some_day() -> None:
    there = Outage()
    assert not there.was_recent()
    there.happens()
    assert there.was_recent()
    assert not there.was_recent(0)
