"""Messages and documents."""

import json
import os
import subprocess
import sys
import time

import pytest

from agtool.core.errors import DeniedError
from agtool.core.output import document

SAY = "from agtool.core.output import say; say('hello\\nworld'); print('went on')"


def test_the_document_for_programs() -> None:
    assert document("x", data={"a": 1}) == {
        "version": 1,
        "command": "x",
        "status": "ok",
        "exit_code": 0,
        "data": {"a": 1},
        "errors": [],
    }
    assert document("x", exit_code=7)["status"] == "failed"
    refused = document("x", exit_code=5, errors=[DeniedError("no", hint="ask")])
    assert refused["status"] == "error"
    assert refused["errors"] == [{"code": "denied", "message": "no", "hint": "ask"}]


def test_a_message_is_marked_as_ours() -> None:
    run = subprocess.run([sys.executable, "-c", SAY], capture_output=True, text=True, check=True)
    assert run.stderr == "agtool: hello\nagtool: world\n"


def test_a_full_pipe_does_not_hold_us_up() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with os.fdopen(writer, "wb", buffering=0) as pipe:
        while pipe.write(b"x" * 65536):
            pass
        os.set_blocking(writer, True)
        began = time.monotonic()
        run = subprocess.run(
            [sys.executable, "-c", SAY], stderr=pipe, stdout=subprocess.PIPE, text=True, check=True
        )
    os.close(reader)
    assert run.stdout == "went on\n"
    assert time.monotonic() - began < 30


def test_a_full_disk_does_not_end_us() -> None:
    run = subprocess.run(
        ["sh", "-c", 'exec "$0" -c "$1" 2>/dev/full', sys.executable, SAY],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stdout) == (0, "went on\n")


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        ("ci-nodepool taint --bogus -o json", "ci-nodepool taint"),
        ("le-staging verify --warn-days x --output=json a.test", "le-staging verify"),
        ("debug --output json --list --bogus", "debug"),
    ],
)
def test_options_that_cannot_be_read(arguments: str, command: str) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "agtool", *arguments.split()],
        capture_output=True,
        text=True,
        check=False,
    )
    told = json.loads(run.stdout)
    assert (run.returncode, run.stderr) == (2, "")
    assert (told["command"], told["exit_code"], told["status"]) == (command, 2, "error")
    assert told["errors"][0]["code"] == "usage"
