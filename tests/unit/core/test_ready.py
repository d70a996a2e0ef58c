"""Waiting for sockets."""

import socket
import sys

import pytest

from agtool.core.errors import ConfigurationError
from agtool.core.ready import most_descriptors, readable, wait_for, writable
from agtool.core.system import require_unix


@pytest.mark.parametrize("platform", [sys.platform, "win32"])
def test_sockets(monkeypatch: pytest.MonkeyPatch, platform: str) -> None:
    # Windows' way is select(), which is here too.
    monkeypatch.setattr(sys, "platform", platform)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert writable(ours, 0)
        assert not readable(ours, 0)
        theirs.send(b"x")
        assert readable(ours, 1)
        both = [ours.fileno(), theirs.fileno()]
        assert wait_for(both, 1, write=False) == [ours.fileno()]
        assert sorted(wait_for(both, 1, write=True)) == sorted(both)
        ours.recv(1)
        theirs.close()
        assert readable(ours, 1)  # its end
    assert most_descriptors() > 0


def test_windows_is_refused_with_words(monkeypatch: pytest.MonkeyPatch) -> None:
    require_unix("debug")
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(ConfigurationError, match="agtool debug does not run on Windows"):
        require_unix("debug")
