"""With `--log-format json` each message on stderr is a line of JSON, from the first to the last."""

import json
import re
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Database
from tests.e2e.conftest import Agtool, Gate, wait_until
from tests.e2e.terminal import Terminal
from tests.servers.process import free_port

JSON = ("migrate-once", "--log-format", "json")


def lines(stderr: str) -> list[dict[str, Any]]:
    """The messages, each of which has what all have."""
    found = [json.loads(line) for line in stderr.splitlines()]
    for line in found:
        assert list(line)[:4] == ["time", "level", "code", "message"]
        assert line["level"] in {"info", "warning", "error"}
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", line["code"])
    return found


def codes(stderr: str) -> list[str]:
    """Their code words."""
    return [line["code"] for line in lines(stderr)]


def test_a_run(agtool: Agtool, database: Database) -> None:
    run = (*JSON, "--key", "k", "--", "sh", "-c", "exit 4")
    done = agtool.run(*run, url=database.url, env={"POD_NAME": "shop-1"})
    started, ended = lines(done.stderr)
    assert (started["code"], started["program"], started["level"]) == (
        "command-started",
        "sh",
        "info",
    )
    assert (ended["code"], ended["exit_code"], ended["marked_done"]) == ("command-ended", 4, False)

    agtool.run(*JSON, "--key", "k", "--", "true", url=database.url)
    done = agtool.run(*JSON, "--key", "k", "--", "true", url=database.url)
    (line,) = lines(done.stderr)
    assert (line["code"], line["name"], line["key"]) == ("already-done", "default", "k")


def test_what_the_command_writes_is_its_own(agtool: Agtool, database: Database) -> None:
    done = agtool.run(*JSON, "--", "sh", "-c", "echo out; echo err >&2", url=database.url)
    assert done.stdout == "out\n"
    own = [line for line in done.stderr.splitlines() if line != "err"]
    assert codes("\n".join(own)) == ["command-started", "command-ended"]
    assert "err" in done.stderr.splitlines()


def test_a_waiter(agtool: Agtool, database: Database, gate: Gate) -> None:
    agtool.start("migrate-once", "--", *gate.command, url=database.url, env={"POD_NAME": "shop-1"})
    gate.wait()
    done = agtool.run(*JSON, "--wait-timeout", "2s", "--", "true", url=database.url)
    first, last = lines(done.stderr)
    assert (first["code"], last["code"], last["level"]) == ("waiting", "waited-too-long", "error")
    assert first["holder"] == last["holder"]
    assert "shop-1" in first["holder"]
    assert "--status" in last["hint"]

    waiter = agtool.start(*JSON, "--", "true", url=database.url)
    waiter.wait_for("waiting")
    waiter.send(signal.SIGTERM)
    *_, last = lines(waiter.wait().stderr)
    assert (last["code"], last["signal"]) == ("interrupted", "SIGTERM")
    gate.open()


def test_a_signal_that_is_passed_on(agtool: Agtool, database: Database) -> None:
    # The shell itself tells of what it has killed.
    polite = "exec 2>/dev/null; trap 'exit 0' TERM; echo ready; while :; do sleep 0.05; done"
    running = agtool.start(*JSON, "--key", "k", "--", "sh", "-c", polite, url=database.url)
    running.wait_for("command-started")
    wait_until(lambda: "ready" in running.stdout, "the command runs")
    running.send(signal.SIGTERM)
    *_, ended, marked = lines(running.wait().stderr)
    assert (ended["signal"], ended["exit_code"]) == ("SIGTERM", 0)
    assert (marked["code"], marked["level"], marked["key"]) == ("not-marked-done", "warning", "k")


def test_what_the_command_leaves_behind(agtool: Agtool, database: Database) -> None:
    done = agtool.run(*JSON, "--", "sh", "-c", "sleep 600 & exit 0", url=database.url)
    assert {"command-started", "left-behind", "command-ended"} <= set(codes(done.stderr))


def test_a_lost_lock(agtool: Agtool, database: Database) -> None:
    running = agtool.start(*JSON, "--", "sleep", "600", url=database.url)
    running.wait_for("command-started")
    database.server.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        f"WHERE datname = '{database.name}' AND application_name LIKE 'agtool migrate-once%'"
    )
    done = running.wait()
    assert done.exit_code == 125
    levels = [line["level"] for line in lines(done.stderr) if line["code"] == "lock-lost"]
    assert levels == ["warning", "error"]


def test_agtool_is_killed(agtool: Agtool, database: Database) -> None:
    command = ("sh", "-c", "echo ready; exec sleep 600")
    running = agtool.start(*JSON, "--", *command, url=database.url)
    wait_until(lambda: "ready" in running.stdout, "the command runs")
    running.send(signal.SIGKILL)
    running.process.wait()
    wait_until(lambda: not running.processes(), "the keeper has ended")
    assert codes(running.stderr)[-1] == "agtool-killed"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--nosuch", "--", "true"], "usage"),
        (["--name"], "usage"),
        (["--name", "", "--", "true"], "usage"),
        (["--kill-grace", "2h", "--", "true"], "usage"),
        (["--lock", "some", "--", "true"], "usage"),
        (["--output", "xml", "--", "true"], "usage"),
        (["--limit", "5", "--", "true"], "usage"),
        ([], "usage"),
        (["--database-url", "oracle://h/d", "--", "true"], "configuration"),
        (["--result-file", "/no/such/folder/file", "--", "true"], "configuration"),
        (["--metrics-file", "/no/such/folder/file", "--", "true"], "configuration"),
        (["--connect-timeout", "0", "--database-url", "PORT", "--", "true"], "unreachable"),
        (["--status", "--database-url", "oracle://h/d"], "configuration"),
        (["--", "/no/such/program"], "cannot-run"),
        (["--wait"], "usage"),
        (["--check", "--wait"], "usage"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
@pytest.mark.parametrize("way", ["first", "last", "equals", "variable"])
def test_errors(way: str, arguments: list[str], code: str, agtool: Agtool, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/app.db"
    closed = f"postgresql://app:secret@127.0.0.1:{free_port()}/app"
    own = [closed if word == "PORT" else word for word in arguments]
    if way == "last" and own[-1:] == ["--name"]:
        own = ["--name", "x"]  # else it would take the option as its value
    env = {}
    at = own.index("--") if "--" in own else len(own)
    match way:
        case "first":
            own = ["--log-format", "json", *own]
        case "last":
            own[at:at] = ["--log-format", "json"]
        case "equals":
            own = ["--log-format=json", *own]
        case _:
            env = {"AGTOOL_LOG_FORMAT": "json"}
    done = agtool.run("migrate-once", *own, url=url, env=env)
    assert done.exit_code not in {0, 70}
    if code not in {"cannot-run"}:
        assert lines(done.stderr)[-1]["exit_code"] == done.exit_code
    assert (codes(done.stderr)[-1], lines(done.stderr)[-1]["level"]) == (code, "error")


def test_the_last_one_counts(agtool: Agtool) -> None:
    both = ("migrate-once", "--log-format", "json", "--log-format", "text", "--nosuch")
    assert agtool.run(*both).stderr.startswith("agtool: error:")
    env = {"AGTOOL_LOG_FORMAT": "json"}
    done = agtool.run("migrate-once", "--log-format", "text", "--nosuch", env=env)
    assert done.stderr.startswith("agtool: error:")


def test_another_format_is_refused(agtool: Agtool) -> None:
    done = agtool.run("migrate-once", "--log-format", "xml", "--", "true")
    assert done.exit_code == 125
    assert "--log-format" in done.stderr


def test_the_traceback_is_in_the_line(agtool: Agtool) -> None:
    done = agtool.run("--debug", *JSON, "--database-url", "oracle://h/d", "--", "true")
    first, last = lines(done.stderr)
    assert "Traceback (most recent call last)" in first["traceback"]
    assert first["code"] == last["code"] == "configuration"


def test_warnings(agtool: Agtool, database: Database) -> None:
    done = agtool.run(*JSON, "--", "true", url=f"{database.url}?pool=5")
    first, *_ = lines(done.stderr)
    assert (first["code"], first["level"]) == ("database", "warning")
    assert "pool" in first["message"]


def test_on_a_terminal_there_is_no_live_line(
    agtool: Agtool, database: Database, gate: Gate
) -> None:
    agtool.start("migrate-once", "--", *gate.command, url=database.url)
    gate.wait()
    terminal = Terminal(
        [sys.executable, "-m", "agtool", *JSON, "--wait-timeout", "3s", "--", "true"],
        {"AGTOOL_DATABASE_URL": database.url, "COLUMNS": "30"},
    )
    try:
        assert terminal.wait() == 124
        assert codes(terminal.text.replace("\r\n", "\n")) == ["waiting", "waited-too-long"]
    finally:
        terminal.kill()
        gate.open()


def test_other_commands_have_no_such_option(agtool: Agtool) -> None:
    done = agtool.run("le-staging", "status", "--log-format", "json")
    assert done.exit_code == 2
    assert "--log-format" in done.stderr
