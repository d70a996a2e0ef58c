"""What it prints, to those who do not read it too. No cluster is needed."""

import json
import subprocess
import sys

import pytest

from tests.e2e.conftest import clean_environment

WRONG = ("--list", "--cleanup", "--output", "json")


def debug(*arguments: str, to: str = "") -> subprocess.CompletedProcess[str]:
    """Run agtool debug without any kubeconfig, its stdout led somewhere by a shell."""
    argv = [sys.executable, "-m", "agtool", "debug", *arguments]
    env = clean_environment({"KUBECONFIG": "/nonexistent"})
    shell = ["bash", "-c", f'"$@" {to}', "bash", *argv]
    return subprocess.run(shell, env=env, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (WRONG, 2, "usage"),
        (("--list", "--output", "json", "--label", "x"), 2, "usage"),
        (("--list", "--output", "json"), 3, "configuration"),
    ],
)
def test_each_failure_is_one_document(arguments: tuple[str, ...], code: int, word: str) -> None:
    done = debug(*arguments)
    document = json.loads(done.stdout)
    assert (done.returncode, document["exit_code"], done.stderr) == (code, code, "")
    assert document["errors"][0]["code"] == word


@pytest.mark.parametrize("to", [">/dev/full", "> >(exec <&-; sleep 5)"])
def test_a_document_that_nobody_takes_is_told_on_stderr(to: str) -> None:
    done = debug(*WRONG, to=f"{to}; code=$?; sleep 0.1; exit $code")
    assert done.returncode == 2
    assert "--list and --cleanup do not go together" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_manifest_and_a_full_disk() -> None:
    done = debug("--dry-run", to=">/dev/full")
    assert done.returncode == 125
    assert "cannot write the output: No space left on device" in done.stderr


def test_a_manifest_whose_reader_goes_away() -> None:
    done = debug("--dry-run", to="| true; exit ${PIPESTATUS[0]}")
    assert (done.returncode, done.stderr) == (141, "")
