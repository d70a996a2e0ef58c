"""What is told: who holds the lock, who waits, what has run; for people and for programs."""

import json
import re
import shlex
import signal
import sys
from datetime import datetime
from pathlib import Path

from tests.conftest import Database
from tests.e2e.conftest import Agtool, Gate, clean_environment, wait_until
from tests.e2e.terminal import Terminal


def test_a_waiter_names_the_holder(agtool: Agtool, database: Database, gate: Gate) -> None:
    pod = {"POD_NAME": "shop-6d4cf56db6-x2zvp"}
    agtool.start("migrate-once", "--", *gate.command, url=database.url, env=pod)
    gate.wait()
    waiter = agtool.start("migrate-once", "--", "true", url=database.url)
    waiter.wait_for("waiting for")
    assert re.search(
        r"^agtool: waiting for the lock, held by shop-6d4cf56db6-x2zvp \(pid \d+\) "
        r"for \d+ s \(since \d\d:\d\d:\d\d UTC\)$",
        waiter.stderr,
        re.MULTILINE,
    )
    gate.open()
    done = waiter.wait()
    assert done.exit_code == 0
    assert re.search(r"got the lock after \d+\.\d s; running true", done.stderr)
    assert "\x1b" not in done.stderr  # no terminal, no control sequences


def test_a_log_repeats_itself_only_now_and_then(
    agtool: Agtool, database: Database, gate: Gate
) -> None:
    agtool.start("migrate-once", "--", *gate.command, url=database.url)
    gate.wait()
    waiter = agtool.start("migrate-once", "--wait-timeout", "13s", "--", "true", url=database.url)
    lines = waiter.wait().stderr.splitlines()
    # It looked at the holder three times, every five seconds, and told the same once.
    assert len([line for line in lines if "waiting for" in line]) == 1
    gate.open()


def test_status_on_a_fresh_database_creates_nothing(agtool: Agtool, database: Database) -> None:
    done = agtool.run("migrate-once", "--status", url=database.url)
    assert done.exit_code == 0
    assert "free, 0 waiting; nothing has run yet" in done.stdout
    with database.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('agtool.install_locks')")
        assert cursor.fetchone() == (None,)


def test_status_shows_holder_waiters_and_history(
    agtool: Agtool, database: Database, gate: Gate
) -> None:
    agtool.run("migrate-once", "--key", "sha256:1", "--", "true", url=database.url)
    agtool.run("migrate-once", "--name", "other", "--", "sh", "-c", "exit 4", url=database.url)
    holder = agtool.start(
        "migrate-once", "--key", "sha256:2", "--", *gate.command, url=database.url
    )
    gate.wait()
    waiter = agtool.start("migrate-once", "--", "true", url=database.url)
    waiter.wait_for("waiting for")

    text = agtool.run("migrate-once", "--status", url=database.url)
    assert re.search(rf"\(pid {holder.pid}\) for \d+ \w+, 1 waiting$", text.stdout, re.MULTILINE)
    states = [line.split()[0] for line in text.stdout.splitlines()[2:]]
    assert states == ["running", "waiting", "failed", "done"]

    document = json.loads(
        agtool.run("migrate-once", "--status", "--output", "json", url=database.url).stdout
    )
    assert list(document) == ["version", "command", "status", "exit_code", "data", "errors"]
    assert (document["version"], document["status"], document["errors"]) == (2, "ok", [])
    data = document["data"]
    assert data["held"] is True
    assert [run["key"] for run in data["running"]] == ["sha256:2"]
    assert [f"(pid {waiter.pid})" in run["place"] for run in data["waiting"]] == [True]
    failed, done = data["history"]
    assert (failed["name"], failed["state"], failed["exit_code"]) == ("other", "failed", 4)
    assert (done["key"], done["state"], done["exit_code"]) == ("sha256:1", "done", 0)
    began, ended = (datetime.fromisoformat(done[x]) for x in ("started_at", "finished_at"))
    assert (ended - began).total_seconds() == done["seconds"]
    gate.open()


def test_a_waiter_that_has_gone_is_shown_no_longer(
    agtool: Agtool, database: Database, gate: Gate
) -> None:
    database.inhabit()
    agtool.start("migrate-once", "--", *gate.command, url=database.url)
    gate.wait()
    waiter = agtool.start("migrate-once", "--", "true", url=database.url)
    waiter.wait_for("waiting for")
    waiter.kill()

    def waiting() -> list[object]:
        done = agtool.run("migrate-once", "--status", "--output", "json", url=database.url)
        found: list[object] = json.loads(done.stdout)["data"]["waiting"]
        return found

    assert len(waiting()) == 1
    wait_until(lambda: not waiting(), "it is forgotten")
    gate.open()


def test_the_result_file(agtool: Agtool, database: Database, tmp_path: Path) -> None:
    file = tmp_path / "result.json"
    arguments = ["migrate-once", "--key", "k", "--result-file", str(file), "--"]
    agtool.run(*arguments, "sh", "-c", "sleep 0.2; exit 6", url=database.url)
    document = json.loads(file.read_text())
    assert (document["version"], document["command"]) == (2, "migrate-once")
    assert (document["status"], document["exit_code"]) == ("failed", 6)
    data = document["data"]
    assert (data["outcome"], data["marked_done"], data["key"]) == ("ran", False, "k")
    assert data["ran_seconds"] >= 0.2

    agtool.run(*arguments, "true", url=database.url)
    assert json.loads(file.read_text())["data"]["marked_done"] is True
    agtool.run(*arguments, "false", url=database.url)
    assert json.loads(file.read_text())["data"]["outcome"] == "already-done"


def test_the_reason_of_waiting_too_long(
    agtool: Agtool, database: Database, gate: Gate, tmp_path: Path
) -> None:
    file = tmp_path / "result.json"
    agtool.start("migrate-once", "--", *gate.command, url=database.url, env={"POD_NAME": "shop-1"})
    gate.wait()
    done = agtool.run(
        "migrate-once", "--wait-timeout", "2s", "--result-file", file, "--", "true",
        url=database.url,
    )  # fmt: skip
    assert done.exit_code == 124
    reason = json.loads(file.read_text())["data"]["reason"]
    assert re.fullmatch(r"waited \d+ s for .*agtool.install_locks.*, held by shop-1 .*", reason)
    assert reason in done.stderr
    gate.open()


def test_a_result_file_that_is_an_open_file_is_appended_to(
    agtool: Agtool, database: Database, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    log.write_text("precious\n")
    argv = [sys.executable, "-m", "agtool", "migrate-once"]
    command = shlex.join([*argv, "--result-file", "/dev/stdout", "--", "echo", "ran"])
    done = agtool.run(url=database.url, program=["sh", "-c", f"{command} >> {log}"])
    assert done.exit_code == 0
    first, second, third = log.read_text().splitlines()
    assert (first, second) == ("precious", "ran")
    assert json.loads(third)["exit_code"] == 0


def test_what_somebody_stored_is_shown_as_it_is(agtool: Agtool, database: Database) -> None:
    key, name = "a[/b] [red]x[/red]", "two\nlines\x1b[2J"
    agtool.run("migrate-once", "--key", key, "--name", name, "--", "true", url=database.url)
    done = agtool.run("migrate-once", "--status", url=database.url)
    assert done.exit_code == 0
    assert key in done.stdout
    assert "two\ufffdlines\ufffd[2J" in done.stdout
    ascii_only = {"PYTHONIOENCODING": "ascii"}
    assert agtool.run("migrate-once", "--status", url=database.url, env=ascii_only).exit_code == 0


def test_what_a_person_copies_is_never_cut(agtool: Agtool, database: Database) -> None:
    key, name = f"registry.example/shop@sha256:{'9f86d081' * 8}", "shop-of-the-northern-region"
    pod = {"POD_NAME": "shop-with-a-long-name-6d4cf56db6-x2zvp", "COLUMNS": "80"}
    run = ("migrate-once", "--key", key, "--name", name, "--", "true")
    agtool.run(*run, url=database.url, env=pod)
    done = agtool.run("migrate-once", "--status", url=database.url, env=pod)
    (row,) = [line for line in done.stdout.splitlines() if line.startswith("done")]
    assert {key, name, pod["POD_NAME"]} <= set(row.split())

    terminal = Terminal(
        [sys.executable, "-m", "agtool", "migrate-once", "--status"],
        clean_environment({"AGTOOL_DATABASE_URL": database.url, "COLUMNS": "80"}),
    )
    try:
        assert terminal.wait() == 0
        for text in (key, name, pod["POD_NAME"]):
            assert text in terminal.text
    finally:
        terminal.close()


def test_it_is_told_why_a_key_is_not_done(agtool: Agtool, database: Database) -> None:
    polite = "trap 'exit 0' TERM; echo ready; while :; do sleep 0.05; done"
    running = agtool.start("migrate-once", "--key", "k", "--", "sh", "-c", polite, url=database.url)
    wait_until(lambda: "ready" in running.stdout, "the command runs")
    running.send(signal.SIGTERM)
    assert "key k is not marked as done: it got SIGTERM" in running.wait().stderr


def test_a_stale_result_is_not_left(agtool: Agtool, database: Database, tmp_path: Path) -> None:
    file = tmp_path / "result.json"
    file.write_text("stale")
    running = agtool.start(
        "migrate-once", "--result-file", file, "--", "sleep", "600", url=database.url
    )
    running.wait_for("running sleep")
    running.kill()
    assert "stale" not in file.read_text()
