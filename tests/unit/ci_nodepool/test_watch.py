"""What the probes of `watch` are told while there is no API server."""

from typing import cast

import pytest

from agtool.ci_nodepool.plan import Change
from agtool.ci_nodepool.watch import State, Stopped, keep
from agtool.core.errors import UnreachableError
from agtool.core.kube import Session


class NoServer:
    """Cannot be reached, and is told to end when that was tried three times."""

    tried = 0

    def lists(self, *_: object, **__: object) -> None:
        self.tried += 1
        if self.tried == 3:
            raise Stopped
        raise UnreachableError("nobody there")


def test_an_api_server_that_is_away_for_long_is_no_reason_to_be_restarted() -> None:
    state = State(last_turn=-1e9)
    assert not state.alive()
    log: list[str] = []
    with pytest.raises(Stopped):
        keep(cast("Session", NoServer()), "", Change, state, log.append)
    assert state.alive()
    assert state.not_ready() == "nobody there"
    assert log == ["nobody there: trying again"]
