"""The command line before a command runs: help, usage errors and their exit codes."""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from agtool.core import shells
from agtool.core.command import asks_for_json
from tests.unit.app.conftest import Done

Run = Callable[..., Done]


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        ("", "Usage: agtool [OPTIONS] COMMAND"),
        ("-h", "Usage: agtool [OPTIONS] COMMAND"),
        ("--help", "Usage: agtool [OPTIONS] COMMAND"),
        ("help", "Usage: agtool [OPTIONS] COMMAND"),
        ("shop", "Usage: agtool shop [OPTIONS] COMMAND"),
        ("shop -h", "Usage: agtool shop [OPTIONS] COMMAND"),
        ("help shop", "Usage: agtool shop [OPTIONS] COMMAND"),
        ("help shop sell", "Usage: agtool shop sell [OPTIONS]\n"),
        ("shop sell -h", "Usage: agtool shop sell [OPTIONS]\n"),
        ("wrap --help", "Usage: agtool wrap [OPTIONS] COMMAND...\n"),
        ("help wrap", "Usage: agtool wrap [OPTIONS] COMMAND...\n"),
        ("wrap paper -h", "Usage: agtool wrap paper [OPTIONS] [COLOUR]\n"),
        ("help wrap paper", "Usage: agtool wrap paper [OPTIONS] [COLOUR]\n"),
        ("wrap paper blue", "blue\n"),
        ("help help", "Usage: agtool help [OPTIONS] [COMMAND]...\n"),
        ("version", "agtool 0."),
        ("-V", "agtool 0."),
        ("--version", "agtool 0."),
    ],
)
def test_help_and_version(agtool: Run, arguments: str, shown: str) -> None:
    done = agtool(*arguments.split())
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith(shown)


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        ("--nosuch", 2, "--nosuch"),
        ("shpo", 2, "Did you mean 'shop'?"),
        ("shop sel", 2, "Did you mean 'sell'?"),
        ("shop sell --contxet x", 2, "Did you mean --context?"),
        ("shop sell --output", 2, "Try: agtool shop sell --help"),
        ("shop sell -o xml", 2, "Choose table or json"),
        ("shop sell extra", 2, "extra"),
        ("shop sell", 2, "Add --yes"),
        ("shop look -n Bad_NS", 2, "is not a valid name of a namespace"),
        ("shop sell -y --as-group apples", 2, "needs --as"),
        ("shop sell --outptu x", 2, "Did you mean --output?"),
        ("help shpo", 2, "Try: agtool --help"),
        ("help shop sel", 2, "Try: agtool shop --help"),
        ("help shop sell sell", 2, "has no commands"),
        ("help wrap -- ls", 2, "has no commands"),  # and not: ls --help, wrapped
        ("schema nosuch", 2, "'nosuch'"),
        ("--show-completion tcsh", 2, "Choose bash, zsh, fish"),
        ("wrap", 125, "Missing argument"),
        ("wrap --nosuch -- ls --list", 125, "--nosuch"),
        ("wrap --nosuch -- foo --help", 125, "--nosuch"),
        ("wrap --list --nosuch x", 125, "--nosuch"),
        ("wrap --name", 125, "Try: agtool wrap --help"),
        ("wrap --timeout 10x 1", 125, "is not a duration"),
        ("wrap --timeout 0.5s 1", 125, "no time"),
        ("wrap paper none", 3, "there is no paper"),  # wraps nothing, and has its own codes
        ("wrap paper --nosuch", 2, "Try: agtool wrap paper --help"),
        ("wrap --timeout 1m paper", 125, "Write: agtool wrap paper [OPTIONS]"),
        ("wrap --timeout 1m paper -- 3", 125, "agtool wrap [OPTIONS] -- paper"),
        ("wrap -- paper", 125, "this is a bug"),  # int("paper"): it was taken for the command
        ("wrap --timeout 1m -- paper 3", 125, "this is a bug"),
        ("help wrap papre", 2, "has no commands"),
        ("wrap --list 1", 5, "may not be listed"),  # wraps nothing, and has its own codes
        ("wrap nothing", 125, "this is a bug"),
    ],
)
def test_errors(agtool: Run, arguments: str, code: int, told: str) -> None:
    done = agtool(*arguments.split())
    assert (done.exit_code, done.stdout) == (code, "")
    assert told in done.stderr
    assert all(line.startswith("agtool: ") for line in done.stderr.splitlines())


@pytest.mark.parametrize("arguments", ["wrap 3", "wrap -- 3", "wrap --timeout 1m 3"])
def test_the_code_of_the_wrapped_command_is_passed_on(agtool: Run, arguments: str) -> None:
    assert agtool(*arguments.split()) == (3, "", "")


@pytest.mark.parametrize(
    ("arguments", "command", "code"),
    [
        ("shop sell -o json", "shop sell", 2),
        ("shop sell -o json --nosuch", "shop sell", 2),
        ("shop sell --nosuch -o json", "shop sell", 2),
        ("shop sell --output=json --context", "shop sell", 2),
        ("shop -o json sell", "shop", 2),
        ("--nosuch -o json", "", 2),
        ("wrap -o json --nosuch 1", "wrap", 125),
        ("wrap --timeout 0.5 -o json 1", "wrap", 125),
        ("wrap --list -o json 1", "wrap", 5),
        ("wrap paper none -o json", "wrap paper", 3),
        ("wrap paper --nosuch -o json", "wrap paper", 2),
    ],
)
def test_errors_as_json(agtool: Run, arguments: str, command: str, code: int) -> None:
    """Also those that occur before --output was read."""
    done = agtool(*arguments.split())
    assert done.stderr == ""
    document = json.loads(done.stdout)
    assert done.exit_code == document["exit_code"] == code
    assert (document["version"], document["command"]) == (2, command)
    assert (document["status"], document["data"]) == ("error", {})
    (error,) = document["errors"]
    assert set(error) == {"code", "message", "hint", "subject"}


@pytest.mark.parametrize(
    ("line", "asked"),
    [
        ("--output json", True),
        ("--output=json", True),
        ("-o json", True),
        ("-ojson", True),
        ("-yo json", True),
        ("--nosuch -o json --other", True),
        ("-o table", False),
        ("-o jsonx", False),
        ("--foo-o json", False),
        ("json", False),
        ("-- -o json", False),
        ("-o -- json", False),
        ("", False),
    ],
)
def test_json_is_asked_for(line: str, *, asked: bool) -> None:
    assert asks_for_json(line.split()) == asked


def test_the_traceback_of_an_error(agtool: Run) -> None:
    done = agtool("--debug", "wrap", "--timeout", "0.5", "1")
    assert done.exit_code == 125
    assert done.stderr.startswith("Traceback")
    assert done.stderr.endswith("agtool: error: no time\n")


@pytest.mark.parametrize(
    ("arguments", "code"), [("shop sell -y -o json", 0), ("shop sell -y --as joe -o json", 1)]
)
def test_results_as_json(agtool: Run, arguments: str, code: int) -> None:
    done = agtool(*arguments.split())
    document = json.loads(done.stdout)
    assert (done.exit_code, done.stderr) == (code, "")
    assert document["exit_code"] == code
    assert document["status"] == ("failed" if code else "ok")
    assert document["data"]


def started(arguments: str, **streams: object) -> "subprocess.CompletedProcess[bytes]":
    argv = [sys.executable, "-m", "tests.unit.app.shop", *arguments.split()]
    return subprocess.run(argv, check=False, **streams)  # type: ignore[call-overload,no-any-return]


@pytest.mark.parametrize(
    "arguments", ["", "--help", "version", "help shop", "shop sell -y", "shop sell -y -o json"]
)
def test_a_reader_that_went_away(arguments: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer) as pipe:
        done = started(arguments, stdout=pipe, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.parametrize(
    "arguments",
    ["", "-V", "help shop", "shop", "shop sell --help", "shop sell -y", "shop sell -y -o json"],
)
def test_a_disk_that_is_full(arguments: str) -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = started(arguments, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 3
    assert b"cannot write the output" in done.stderr


def test_descriptors_that_are_closed() -> None:
    def close_stdin_and_stderr() -> None:
        os.close(0)
        os.close(2)

    assert started("shop sell -y", preexec_fn=close_stdin_and_stderr).returncode == 0
    # What was asked for has gone nowhere.
    assert started("shop sell -y", preexec_fn=lambda: os.closerange(0, 3)).returncode == 3


def test_a_home_in_which_completion_cannot_be_installed(
    agtool: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/dev/null")
    done = agtool("--install-completion", "bash")
    assert (done.exit_code, done.stdout) == (3, "")
    assert "agtool --show-completion bash" in done.stderr


def test_a_completion_for_which_there_is_no_room(
    agtool: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    script = tmp_path / ".bash_completions" / "agtool.sh"
    script.parent.mkdir()
    script.write_text("# as it was\n")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(shells.script("bash")) - 1, hard))
    try:
        done = agtool("--install-completion", "bash")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert done.exit_code == 3
    assert f"cannot write {script}: " in done.stderr
    assert script.read_text() == "# as it was\n"
