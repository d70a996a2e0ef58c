"""Waiting for sockets."""

import socket
import sys

import pytest

from agtool.core.ready import most_descriptors, readable, wait_for, writable


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
