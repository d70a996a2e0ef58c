"""`--attempts`: a broken migration is not run by each replica; `--retry` counts from zero."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Database
from tests.e2e.conftest import Agtool, Done, Gate, wait_until

RUN = ("migrate-once", "--key", "k", "--attempts")


def key(agtool: Agtool, url: str) -> dict[str, Any]:
    """What --status says of the key."""
    done = agtool.run("migrate-once", "--status", "--key", "k", "--output", "json", url=url)
    found: dict[str, Any] = json.loads(done.stdout)["data"]["key"]
    return found


def assert_exhausted(done: Done, failures: str, code: int) -> None:
    """It ended without running the command, and says why."""
    assert (done.exit_code, done.stdout) == (125, "")
    assert f"key k has failed {failures}" in done.stderr
    assert f"with exit code {code}" in done.stderr
    assert "--retry" in done.stderr


def test_replicas_stop_after_so_many_failures(agtool: Agtool, url: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    command = ("--", "sh", "-c", f"echo ran >> {log}; sleep 0.3; exit 7")
    replicas = [agtool.start(*RUN, "2", *command, url=url) for _ in range(6)]
    ended = [replica.wait(100) for replica in replicas]
    assert sorted(done.exit_code for done in ended) == [7, 7, 125, 125, 125, 125]
    assert log.read_text().split() == ["ran", "ran"]
    for done in ended:
        if done.exit_code == 125:
            assert_exhausted(done, "2 times", 7)
    # And later ones; not those with more attempts, or with none to count.
    assert_exhausted(agtool.run(*RUN, "2", *command, url=url), "2 times", 7)
    assert agtool.run(*RUN, "3", *command, url=url).exit_code == 7
    assert agtool.run("migrate-once", "--key", "k", *command, url=url).exit_code == 7
    assert_exhausted(agtool.run(*RUN, "4", *command, url=url), "4 times", 7)
    assert key(agtool, url)["failures"] == 4


def test_what_counts_is_the_key_under_its_name(agtool: Agtool, url: str) -> None:
    agtool.run(*RUN, "1", "--", "false", url=url)
    other = ("migrate-once", "--attempts", "1", "--key")
    assert agtool.run(*other, "k2", "--", "true", url=url).exit_code == 0
    assert agtool.run(*other, "k", "--name", "x", "--", "true", url=url).exit_code == 0
    assert agtool.run(*RUN, "1", "--", "true", url=url).exit_code == 125


def test_retry_counts_from_zero(agtool: Agtool, url: str, gate: Gate) -> None:
    for _ in range(2):
        agtool.run(*RUN, "2", "--", "sh", "-c", "exit 3", url=url)
    assert_exhausted(agtool.run(*RUN, "2", "--", "true", url=url), "2 times", 3)
    run = agtool.run(*RUN, "2", "--retry", "--", "sh", "-c", "exit 4", url=url)
    assert run.exit_code == 4
    assert (key(agtool, url)["failures"], key(agtool, url)["failed_with"]) == (1, 4)
    assert agtool.run(*RUN, "2", "--", "sh", "-c", "exit 5", url=url).exit_code == 5
    assert_exhausted(agtool.run(*RUN, "2", "--", "true", url=url), "2 times", 5)
    # Without a number of its own, for those who have one; while it runs, they wait for it.
    retry = agtool.start("migrate-once", "--key", "k", "--retry", "--", *gate.command, url=url)
    gate.wait()
    waiter = agtool.start(*RUN, "2", "--", "true", url=url)
    waiter.wait_for("waiting for")
    gate.open()
    assert retry.wait().exit_code == waiter.wait().exit_code == 0
    assert "already done" in waiter.stderr
    assert key(agtool, url) == {
        "name": "default",
        "key": "k",
        "done": True,
        "failures": 0,
        "failed_on": None,
        "failed_with": None,
    }


def test_the_result_file_has_the_code_word_and_the_exit_code(
    agtool: Agtool, url: str, tmp_path: Path
) -> None:
    file = tmp_path / "result"
    failing = ("--", "sh", "-c", "exit 9")
    agtool.run(*RUN, "1", *failing, url=url, env={"POD_NAME": "shop-1"})
    agtool.run(*RUN, "1", "--result-file", file, *failing, url=url)
    written = json.loads(file.read_text())
    assert (written["status"], written["exit_code"]) == ("failed", 125)
    data = written["data"]
    assert (data["outcome"], data["failures"], data["failed_with"]) == ("attempts-exhausted", 1, 9)
    assert "shop-1" in data["reason"]
    assert (data["ran_seconds"], data["marked_done"]) == (None, False)


def test_messages_and_metrics(agtool: Agtool, url: str, tmp_path: Path) -> None:
    file = tmp_path / "a.prom"
    agtool.run(*RUN, "1", "--", "false", url=url)
    told = ("--log-format", "json", "--metrics-file", file)
    done = agtool.run(*RUN, "1", *told, "--", "true", url=url)
    (line,) = [json.loads(line) for line in done.stderr.splitlines()]
    assert (line["level"], line["code"]) == ("error", "attempts-exhausted")
    assert (line["key"], line["failures"], line["failed_with"]) == ("k", 1, 1)
    assert 'result="attempts-exhausted"} 1' in file.read_text()


def test_those_who_only_wait_end_too(agtool: Agtool, url: str) -> None:
    waiter = agtool.start("migrate-once", "--wait", "--key", "k", "--attempts", "2", url=url)
    waiter.wait_for("waiting until")
    agtool.run(*RUN, "2", "--", "sh", "-c", "exit 6", url=url)
    agtool.run(*RUN, "2", "--", "sh", "-c", "exit 6", url=url)
    assert_exhausted(waiter.wait(), "2 times", 6)


def test_the_status_and_the_check_tell(agtool: Agtool, url: str) -> None:
    check = ("migrate-once", "--check", "--key", "k", "--attempts", "1")
    assert agtool.run(*check, url=url).exit_code == 0
    run = (*RUN, "1", "--", "sh", "-c", "exit 8")
    agtool.run(*run, url=url, env={"POD_NAME": "shop-1"})
    done = agtool.run("migrate-once", "--status", "--key", "k", url=url)
    assert done.exit_code == 1
    assert "key k: not done; it has failed 1 time, the last time on shop-1" in done.stdout
    assert "with exit code 8" in done.stdout
    done = agtool.run(*check, "--output", "json", url=url)
    found = json.loads(done.stdout)["data"]
    assert (done.exit_code, found["would"]) == (1, "attempts-exhausted")
    assert [problem["code"] for problem in found["problems"]] == ["attempts-exhausted"]
    assert agtool.run("migrate-once", "--check", "--key", "k", url=url).exit_code == 0


def test_a_command_that_cannot_be_run_has_failed(agtool: Agtool, url: str) -> None:
    assert agtool.run(*RUN, "1", "--", "/no/such/program", url=url).exit_code == 127
    assert_exhausted(agtool.run(*RUN, "1", "--", "true", url=url), "1 time", 127)


def test_what_was_told_to_end_has_not_failed(agtool: Agtool, url: str) -> None:
    """A pod that is deleted, as by a node that is drained, says nothing of the migration."""
    running = agtool.start(*RUN, "1", "--", "sh", "-c", "echo ready; exec sleep 600", url=url)
    wait_until(lambda: "ready" in running.stdout, "the command runs")
    running.send(signal.SIGTERM)
    assert running.wait().exit_code == 143
    assert key(agtool, url)["failures"] == 0
    assert agtool.run(*RUN, "1", "--", "echo", "ran", url=url).stdout == "ran\n"


def test_what_was_killed_has_failed(agtool: Agtool, url: str) -> None:
    """As for want of memory, which the next one would be killed for too."""
    running = agtool.start(*RUN, "1", "--", "sleep", "600", url=url)
    running.wait_for("running sleep")
    running.kill()
    done = agtool.run(*RUN, "1", "--", "true", url=url, seconds=100)
    assert done.exit_code == 125
    assert "key k has failed 1 time" in done.stderr
    assert "an unknown exit code" in done.stderr
    assert key(agtool, url)["failed_with"] is None


def test_a_killed_run_forgets_no_earlier_failure(agtool: Agtool, url: str, gate: Gate) -> None:
    """In an empty database the record of those has made room for the run."""
    assert agtool.run(*RUN, "2", "--", "sh", "-c", "exit 7", url=url).exit_code == 7
    running = agtool.start(*RUN, "2", "--", *gate.command, url=url)
    gate.wait()
    running.send(signal.SIGKILL)
    wait_until(lambda: not running.processes(), "its keeper has recorded the end")
    assert key(agtool, url)["failures"] == 2
    assert agtool.run(*RUN, "2", "--", "true", url=url).exit_code == 125


def test_nor_does_one_that_is_killed_with_its_keeper(agtool: Agtool, url: str) -> None:
    """As by the kernel, which ends all of a container that has no memory left; time and again."""
    assert agtool.run(*RUN, "3", "--", "sh", "-c", "exit 7", url=url).exit_code == 7
    for _ in range(2):
        running = agtool.start(*RUN, "3", "--", "sleep", "600", url=url)
        running.wait_for("running sleep", seconds=60)
        for pid in (*running.processes(),):
            os.kill(pid, signal.SIGSTOP)  # so that none sees another one's end
        running.kill()
    done = agtool.run(*RUN, "3", "--", "true", url=url, seconds=100)
    assert done.exit_code == 125
    assert "key k has failed 3 times" in done.stderr
    assert key(agtool, url)["failures"] == 3


def test_a_lost_lock_has_failed(agtool: Agtool, database: Database) -> None:
    running = agtool.start(*RUN, "1", "--", "sleep", "600", url=database.url)
    running.wait_for("running sleep")
    database.server.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        f"WHERE datname = '{database.name}' AND application_name LIKE 'agtool migrate-once%'"
    )
    assert running.wait().exit_code == 125
    assert agtool.run(*RUN, "1", "--", "true", url=database.url).exit_code == 125


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--attempts", "2", "--", "true"], "--attempts has no effect without --key"),
        (["--retry", "--", "true"], "--retry has no effect without --key"),
        (["--retry", "--key", "k"], "there is no COMMAND to run"),
        (["--retry", "--key", "k", "--wait"], "--retry has no effect with --wait"),
        (["--retry", "--key", "k", "--check"], "--retry has no effect with --check"),
        (["--attempts", "2", "--key", "k", "--status"], "--attempts has no effect with --status"),
        (["--attempts", "0", "--key", "k", "--", "true"], "is not a number from 1 to 1000"),
        (["--attempts", "x", "--key", "k", "--", "true"], "is not a number from 1 to 1000"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_makes_no_sense(
    arguments: list[str], says: str, agtool: Agtool, tmp_path: Path
) -> None:
    done = agtool.run("migrate-once", *arguments, url=f"sqlite:///{tmp_path}/app.db")
    assert done.exit_code == 125
    assert says in done.stderr


def test_the_number_from_the_environment(agtool: Agtool, url: str) -> None:
    env = {"AGTOOL_ATTEMPTS": "1", "AGTOOL_KEY": "k"}
    run = ("migrate-once", "--")
    assert agtool.run(*run, "false", url=url, env=env).exit_code == 1
    assert agtool.run(*run, "true", url=url, env=env).exit_code == 125
    assert agtool.run("migrate-once", "--wait", url=url, env=env).exit_code == 125
    # There is nothing to count, or it does not count there: a pod's settings are for all of it.
    assert agtool.run(*run, "true", url=url, env={**env, "AGTOOL_KEY": ""}).exit_code == 0
    assert agtool.run("migrate-once", "--status", url=url, env=env).exit_code == 0
