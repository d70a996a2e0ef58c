"""How `watch` goes on after what seldom happens, and what its probes are told."""

from collections.abc import Iterator
from typing import Any, cast

import pytest

from agtool.ci_nodepool.pool.plan import Change
from agtool.ci_nodepool.watch import keep as loop
from agtool.ci_nodepool.watch.keep import State, Stopped, keep
from agtool.core.errors import UnreachableError
from agtool.core.kube.errors import GoneError
from agtool.core.kube.session import Session

AWAY = UnreachableError("nobody there")


class Told:
    """A session that answers to lists and watches as it is told, then tells `keep` to end.

    Attributes:
        answers: names of nodes for a list, () for a watch that ends; or what is raised.
        asked: what for, in this order.
    """

    def __init__(self, *answers: tuple[str, ...] | Exception) -> None:
        self._answers = iter(answers)
        self.asked: list[str] = []

    def lists(self, *_: object, **__: object) -> list[dict[str, Any]]:
        self.asked.append("list")
        items = [{"metadata": {"name": name}} for name in self._next()]
        return [{"metadata": {"resourceVersion": "1"}, "items": items}]

    def watch(self, *_: object, **__: object) -> Iterator[dict[str, Any]]:
        self.asked.append("watch")
        self._next()
        return iter(())

    def _next(self) -> tuple[str, ...]:
        answer = next(self._answers, Stopped())
        if isinstance(answer, BaseException):
            raise answer
        return answer


def kept(session: Told, state: State) -> list[str]:
    """Return the log of `keep` on that session, which changes nothing."""
    log: list[str] = []
    with pytest.raises(Stopped):
        keep(cast("Session", session), "", Change, state, log.append)
    return log


def test_an_api_server_that_is_away_for_long_is_no_reason_to_be_restarted() -> None:
    state = State(last_turn=-1e9)
    assert state.not_alive()
    assert kept(Told(AWAY, AWAY), state) == ["nobody there: trying again"]
    assert not state.not_alive()
    assert state.not_ready() == "nobody there"


def test_nodes_that_went_unseen_are_forgotten() -> None:
    session = Told(("a", "b"), (), AWAY, GoneError("too old"), ("a",), ())
    assert kept(session, State()) == [
        "watching 2 nodes",
        "nobody there: trying again",
        "watching 1 node",
    ]
    assert session.asked == ["list", *["watch"] * 3, "list", *["watch"] * 2]


def test_all_is_listed_again_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "RESYNC", 0)
    session = Told(("a",), (), ("a",), ())
    kept(session, State())
    assert session.asked == ["list", "watch"] * 2 + ["list"]
