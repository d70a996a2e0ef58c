"""The file of --record, where there was something to record and where there was not."""

import json
import socket
from pathlib import Path

import pytest

from agtool.core.errors import ConfigurationError
from agtool.core.options import ClusterOptions
from agtool.debug.model import Job, Request
from agtool.debug.run import run
from agtool.debug.session.record import Recording
from tests.unit.debug.test_run import KUBECONFIG


def test_a_session_that_never_began_leaves_no_file(tmp_path: Path) -> None:
    kubeconfig, file = tmp_path / "kubeconfig", tmp_path / "session.cast"
    kubeconfig.write_text(KUBECONFIG)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        job = Job(
            cluster=ClusterOptions(kubeconfig=kubeconfig),
            request=Request(name="debug-x", namespace="shop", image="alpine", lifetime=60),
            command=["true"],
            shell=None,
            stdin=False,
            terminal=False,
            timeout=1,
            record=file,
            forwards=[(taken.getsockname()[1], 80)],
        )
        for _ in range(2):
            with pytest.raises(ConfigurationError, match="cannot be used"):
                run(job)
    assert not file.exists()


def test_what_was_recorded_stays(tmp_path: Path) -> None:
    file = tmp_path / "session.cast"
    with Recording(file) as outer, outer as recording:  # as a run, and its session in it
        recording.begin((80, 24), ["true"])
    header = json.loads(file.read_text())
    assert (header["version"], header["command"]) == (2, "true")
