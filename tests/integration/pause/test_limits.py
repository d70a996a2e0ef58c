"""-t and -i: the end of a pause that nobody ends."""

import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.conftest import needed
from tests.integration.pause.namespace import PATIENCE, first_process, ready, run_beside


def test_lifetime(pause: Path) -> None:
    began = time.monotonic()
    with needed(), first_process([pause, "-t", "1"]) as process:
        assert process.wait(PATIENCE) == 0
    assert 1.0 <= time.monotonic() - began < 4


def test_idle_from_the_start(pause: Path) -> None:
    began = time.monotonic()
    with needed(), first_process([pause, "-i", "1"]) as process:
        assert process.wait(PATIENCE) == 0
    assert 1.0 <= time.monotonic() - began < 4


def test_idle_after_a_process_came_and_went(pause: Path) -> None:
    with needed(), first_process([pause, "-i", "2"]) as process:
        assert run_beside(process, "sleep", "3.5") == 0
        gone = time.monotonic()
        assert process.poll() is None
        assert process.wait(PATIENCE) == 0
        assert 2.0 <= time.monotonic() - gone < 6


def test_the_first_limit_counts(pause: Path) -> None:
    began = time.monotonic()
    for arguments in ["-t", "1", "-i", "60"], ["-i", "1", "-t", "60"]:
        with needed(), first_process([pause, *arguments]) as process:
            assert process.wait(PATIENCE) == 0
    assert time.monotonic() - began < 8


@pytest.mark.parametrize("option", ["-t", "-i"])
def test_signals_end_it_before(pause: Path, option: str) -> None:
    with needed(), first_process([pause, option, "999999999"]) as process:
        ready(process)
        process.terminate()
        assert process.wait(PATIENCE) == 0


def test_ignored_signals_change_nothing(pause: Path) -> None:
    began = time.monotonic()
    with needed(), first_process([pause, "-t", "2"]) as process:
        while process.poll() is None and time.monotonic() < began + PATIENCE:
            process.send_signal(signal.SIGCONT)
            time.sleep(0.05)
        assert process.returncode == 0
    assert 2.0 <= time.monotonic() - began < 6


def test_idle_below_a_shell(pause: Path) -> None:
    # PID 1 does not count, whoever it is, nor does pause itself.
    with needed(), first_process(["sh", "-c", '"$0" -i 1; exit $?', pause]) as process:
        assert process.wait(PATIENCE) == 0


def test_never_idle_where_others_are(pause: Path) -> None:
    with subprocess.Popen([pause, "-i", "1"], start_new_session=True) as process:
        try:
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(2.5)
        finally:
            process.kill()
