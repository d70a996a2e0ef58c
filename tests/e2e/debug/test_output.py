"""What it prints, to those who do not read it too. No cluster is needed."""

import json
import os
import subprocess
import sys

import pytest

from tests import documents
from tests.e2e.conftest import clean_environment

WRONG = ("--list", "--cleanup", "--output", "json")

USAGE_ERRORS = [
    "--nosuch -- ls --list",
    "--list --nosuch",
    "--list --keep",
    "--cleanup -- ls",
    "--image",
    "--ttl soon -- ls",
    "--user -1 -- ls",
    "--target deployment/web -- ls",
    "--label agtool/debug=kept -- ls",
    "-o json -- ls",
    "--naemspace x -- ls",
]


def debug(*arguments: str, to: str = "") -> subprocess.CompletedProcess[str]:
    """Run agtool debug without any kubeconfig, its stdout led somewhere by a shell."""
    argv = [sys.executable, "-m", "agtool", "debug", *arguments]
    env = clean_environment({"KUBECONFIG": "/nonexistent"})
    shell = ["bash", "-c", f'"$@" {to}', "bash", *argv]
    done = subprocess.run(shell, env=env, capture_output=True, text=True, check=False, timeout=60)
    documents.check_if_any(done.stdout)
    return done


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (WRONG, 125, "usage"),
        (("--list", "--output", "json", "--label", "x"), 125, "usage"),
        (("--output", "json", "--nosuch"), 125, "usage"),
        (("--list", "--output", "json", "-n", "No Name"), 125, "usage"),
        (("--list", "--output", "json"), 3, "configuration"),
    ],
)
def test_each_failure_is_one_document(arguments: tuple[str, ...], code: int, word: str) -> None:
    done = debug(*arguments)
    document = json.loads(done.stdout)
    assert (done.returncode, document["exit_code"], done.stderr) == (code, code, "")
    assert document["version"] == 2
    assert document["errors"][0]["code"] == word


@pytest.mark.parametrize("line", USAGE_ERRORS)
def test_usage_errors_do_not_pass_for_a_commands_own(line: str) -> None:
    done = debug(*line.split())
    assert (done.returncode, "Traceback" in done.stderr) == (125, False), done.stderr


@pytest.mark.parametrize("option", ["--image", "--tools"])
@pytest.mark.parametrize("image", ["", "foo bar", "Foo:1"])
@pytest.mark.parametrize("rest", [["--dry-run"], ["--", "ls"]])
def test_what_cannot_be_an_image_is_refused(option: str, image: str, rest: list[str]) -> None:
    done = debug(option, image, *rest)
    assert (done.returncode, done.stdout) == (125, "")
    assert option in done.stderr


def test_other_errors_of_a_list_keep_their_codes() -> None:
    assert (debug("--list").returncode, debug("--cleanup").returncode) == (3, 3)
    assert debug("--", "ls", "--list").returncode == 125


@pytest.mark.parametrize("to", [">/dev/full", "> >(exec <&-; sleep 5)"])
def test_a_document_that_nobody_takes_is_told_on_stderr(to: str) -> None:
    done = debug(*WRONG, to=f"{to}; code=$?; sleep 0.1; exit $code")
    assert done.returncode == 125
    assert "--list and --cleanup do not go together" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_manifest_and_a_full_disk() -> None:
    done = debug("--dry-run", to=">/dev/full")
    assert done.returncode == 125
    assert "cannot write the output: No space left on device" in done.stderr


def test_a_manifest_and_no_output_at_all() -> None:
    done = debug("--dry-run", to=">&-")
    assert done.returncode == 125
    assert "cannot write the output: Bad file descriptor" in done.stderr


def test_a_manifest_whose_reader_goes_away() -> None:
    done = debug("--dry-run", to="| true; exit ${PIPESTATUS[0]}")
    assert (done.returncode, done.stderr) == (141, "")


def test_a_terminal_that_has_vanished_is_none() -> None:
    ours, theirs = os.openpty()
    os.close(ours)
    argv = [sys.executable, "-m", "agtool", "debug"]
    env = clean_environment({"KUBECONFIG": "/nonexistent"})
    done = subprocess.run(argv, stdin=theirs, env=env, capture_output=True, text=True, check=False)
    os.close(theirs)
    assert done.returncode == 125
    assert "there is no terminal for a shell" in done.stderr
