"""The build of Kubernetes, as far as it needs no minutes: what it says when it cannot be done."""

import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.cluster import build, toolchain
from tests.cluster.instances import locked
from tests.cluster.places import cache
from tests.conftest import needed
from tests.servers.process import ServerUnavailable, free_port

ROOT = Path(__file__).parents[3]

# They need a Go, which the first build fetches where there is none.
pytestmark = pytest.mark.kubernetes


@pytest.fixture(autouse=True)
def _empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing has been built; but there is a Go."""
    with needed():
        go = toolchain.compiler()
        if go is None:
            raise ServerUnavailable("there is no Go yet: `python -m tests.cluster build` gets one")
    monkeypatch.setenv("PATH", str(go.parent), prepend=os.pathsep)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def test_what_is_not_built_says_how_it_is() -> None:
    with pytest.raises(ServerUnavailable, match=r"python -m tests\.cluster build"):
        build.programs()


def test_builds_wait_for_each_other_and_a_failed_download_says_what_to_do() -> None:
    cache().mkdir(parents=True)
    with locked(cache() / "build.lock"):
        started = subprocess.Popen(
            [sys.executable, "-m", "tests.cluster", "build"],
            cwd=ROOT,
            env={**os.environ, "GOPROXY": f"http://127.0.0.1:{free_port()}"},
            stderr=subprocess.PIPE,
            text=True,
        )
        assert started.stderr is not None
        assert f"once: {build.MINUTES} minutes" in started.stderr.readline()
        assert "another build is under way" in started.stderr.readline()
        assert not (cache() / "build").exists()
    with started:
        said = started.stderr.read()
    assert started.returncode == 1
    assert "connection refused" in said
    assert "run it again: it goes on from here" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("ignored", [False, True], ids=["foreground", "background"])
def test_a_build_beside_a_command_ends_with_its_code_and_leaves_nothing(*, ignored: bool) -> None:
    build = [sys.executable, "-m", "tests.cluster", "build", "--beside"]
    if ignored:  # as a shell does it in its background
        build = ["sh", "-c", "trap '' INT; \"$@\"", "sh", *build]
    begun = cache() / "build" / "build.log"
    waits = f"until [ -e {begun} ]; do sleep 0.05; done; exit 7"
    # A server that takes the request and never answers: the build would last for ever.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        proxy = f"http://127.0.0.1:{silent.getsockname()[1]}"
        done = run([*build, "sh", "-c", waits], proxy)
    assert (done.returncode, done.stderr) == (7, b"")
    with locked(cache() / "build.lock", lambda: pytest.fail("a build is under way still")):
        pass


def test_a_build_that_is_ended_takes_go_with_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        proxy = f"http://127.0.0.1:{silent.getsockname()[1]}"
        argv = [sys.executable, "-m", "tests.cluster", "build"]
        environment = {**os.environ, "GOPROXY": proxy}
        with subprocess.Popen(argv, cwd=ROOT, env=environment, stderr=subprocess.PIPE) as started:
            asked, _ = silent.accept()
            started.terminate()
            assert started.stderr is not None
            assert started.stderr.read().endswith(b"cluster: terminated\n")
        with asked:
            asked.settimeout(60)
            # Go has the other end: it has ended too.
            while asked.recv(65536):
                pass
    assert started.returncode == 143


def test_a_build_beside_a_command_goes_on_to_its_end() -> None:
    build = [sys.executable, "-m", "tests.cluster", "build", "--beside", "true"]
    done = run(build, f"http://127.0.0.1:{free_port()}")
    assert done.returncode == 1
    assert b"connection refused" in done.stderr


def run(argv: Sequence[str], proxy: str) -> subprocess.CompletedProcess[bytes]:
    """Run a command to its end, for which Go's modules come from this place."""
    environment = {**os.environ, "GOPROXY": proxy}
    return subprocess.run(argv, cwd=ROOT, env=environment, stderr=subprocess.PIPE, check=False)
