"""Signals, exit codes and the process tree, seen from outside."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Database, needed
from tests.e2e.conftest import Agtool, Gate, Running, wait_until
from tests.servers.process import ServerUnavailable

FORWARDED = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT]

# Says which signals it got, and ends with 5 on the first; its child does the same.
LISTENER = r"""
import os, signal, time
child = os.fork()
name = "child" if child == 0 else "command"
def got(number, frame):
    os.write(1, f"{name} {signal.Signals(number).name}\n".encode())
    if child: os.wait()
    os._exit(5)
for number in (1, 2, 3, 15):
    signal.signal(number, got)
os.write(1, f"{name} ready\n".encode())
while True: time.sleep(1)
"""


@pytest.mark.parametrize(
    ("script", "code"),
    [("exit 0", 0), ("exit 7", 7), ("exit 255", 255), ("kill -9 $$", 137), ("kill -15 $$", 143)],
)
def test_exit_codes_are_the_commands(
    agtool: Agtool, database: Database, script: str, code: int
) -> None:
    assert agtool.run("migrate-once", "--", "sh", "-c", script, url=database.url).exit_code == code


def test_a_command_that_cannot_be_run(agtool: Agtool, database: Database, tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("no program")
    for command, code in [("no-such-command", 127), (str(tmp_path), 126), (str(text), 126)]:
        done = agtool.run("migrate-once", "--key", "k", "--", command, url=database.url)
        assert done.exit_code == code
        assert f"cannot run {command}" in done.stderr
    assert agtool.run("migrate-once", "--key", "k", "--", "true", url=database.url).exit_code == 0


def test_stdin_and_stdout_belong_to_the_command(database: Database) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "agtool", "migrate-once", "--", "tr", "a-z", "A-Z"],
        input="hello\n",
        env={**os.environ, "AGTOOL_DATABASE_URL": database.url},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout == "HELLO\n"


@pytest.mark.parametrize("number", FORWARDED)
def test_signals_go_to_the_whole_group_once(
    agtool: Agtool, database: Database, tmp_path: Path, number: signal.Signals
) -> None:
    result = tmp_path / "result.json"
    running = agtool.start(
        "migrate-once", "--key", "k", "--result-file", result, "--", sys.executable, "-c", LISTENER,
        url=database.url,
    )  # fmt: skip
    wait_until(lambda: running.stdout.count("ready") == 2, "both listen")
    running.send(number)
    done = running.wait()
    assert done.exit_code == 5
    got = sorted(line for line in done.stdout.splitlines() if "SIG" in line)
    assert got == [f"child {number.name}", f"command {number.name}"]
    data = json.loads(result.read_text())["data"]
    assert data["signal"] == number.name
    assert data["marked_done"] is False


def test_exit_0_after_a_forwarded_signal_is_not_done(agtool: Agtool, database: Database) -> None:
    polite = "trap 'exit 0' TERM; echo ready; while :; do sleep 0.05; done"
    running = agtool.start("migrate-once", "--key", "k", "--", "sh", "-c", polite, url=database.url)
    wait_until(lambda: "ready" in running.stdout, "the command runs")
    running.send(signal.SIGTERM)
    assert running.wait().exit_code == 0
    again = agtool.run("migrate-once", "--key", "k", "--", "echo", "ran", url=database.url)
    assert again.stdout == "ran\n"
    third = agtool.run("migrate-once", "--key", "k", "--", "echo", "ran", url=database.url)
    assert third.stdout == ""


def test_a_stopped_command_can_be_ended(agtool: Agtool, database: Database) -> None:
    script = "echo $$; kill -STOP $$; echo not reached"
    running = agtool.start("migrate-once", "--", "sh", "-c", script, url=database.url)
    wait_until(lambda: "\n" in running.stdout, "the command runs")
    command = int(running.stdout)
    wait_until(lambda: _state(command) == "T", "the command is stopped")
    running.send(signal.SIGTERM)
    assert running.wait().exit_code == 143


@pytest.mark.parametrize("number", FORWARDED)
def test_a_waiter_ends_though_the_lock_is_held(
    agtool: Agtool, database: Database, gate: Gate, number: signal.Signals
) -> None:
    holder = agtool.start("migrate-once", "--", *gate.command, url=database.url)
    gate.wait()
    waiter = agtool.start("migrate-once", "--", "echo", "ran", url=database.url)
    waiter.wait_for("waiting for")
    waiter.send(number)
    done = waiter.wait()
    assert (done.exit_code, done.stdout) == (128 + number, "")
    assert f"{number.name} while waiting" in done.stderr
    gate.open()
    assert holder.wait().exit_code == 0


def test_a_server_that_never_answers_does_not_keep_a_waiter(agtool: Agtool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        waiter = agtool.start("migrate-once", "--", "true", url=f"postgresql://127.0.0.1:{port}/x")
        connection, _ = silent.accept()  # libpq has connected, and waits in C for an answer
        waiter.send(signal.SIGTERM)
        assert waiter.wait().exit_code == 143
        connection.close()


def test_waiting_too_long(agtool: Agtool, database: Database, gate: Gate) -> None:
    holder = agtool.start("migrate-once", "--", *gate.command, url=database.url)
    gate.wait()
    done = agtool.run("migrate-once", "--wait-timeout", "1s", "--", "echo", "ran", url=database.url)
    assert (done.exit_code, done.stdout) == (124, "")
    assert done.seconds >= 1
    assert "waited 1 s" in done.stderr
    gate.open()
    assert holder.wait().exit_code == 0


def test_nohup_is_respected(agtool: Agtool, database: Database) -> None:
    program = ["nohup", sys.executable, "-m", "agtool"]
    show = "grep SigIgn /proc/self/status"
    done = agtool.run("migrate-once", "--", "sh", "-c", show, url=database.url, program=program)
    assert int(done.stdout.split()[-1], 16) & 1 << (signal.SIGHUP - 1)


def test_the_command_finds_signals_as_they_are_by_default(
    agtool: Agtool, database: Database
) -> None:
    show = ["grep", "-E", "Sig(Blk|Ign)", "/proc/self/status"]
    done = agtool.run("migrate-once", "--", *show, url=database.url)
    without = subprocess.run(show, capture_output=True, text=True, check=True)
    assert done.stdout == without.stdout


def test_what_the_command_leaves_behind_ends_before_the_lock_is_free(
    agtool: Agtool, database: Database, tmp_path: Path
) -> None:
    pid = tmp_path / "pid"
    # A daemon: a session of its own, and no descriptor of ours.
    daemon = f"import os,time; open({str(pid)!r},'w').write(str(os.getpid())); time.sleep(600)"
    script = (
        "import subprocess, sys;"
        f"subprocess.Popen([sys.executable, '-c', {daemon!r}], start_new_session=True,"
        " stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)"
    )
    done = agtool.run("migrate-once", "--", sys.executable, "-c", script, url=database.url)
    assert done.exit_code == 0
    assert "left 1 process behind" in done.stderr
    assert not Path(f"/proc/{pid.read_text()}").exists()


def test_a_background_process_may_finish_its_last_words(agtool: Agtool, database: Database) -> None:
    script = "(sleep 0.5; echo last words) & exit 3"
    done = agtool.run("migrate-once", "--", "sh", "-c", script, url=database.url)
    assert (done.exit_code, done.stdout) == (3, "last words\n")
    assert "behind" not in done.stderr


def _state(pid: int) -> str:
    """The letter of a process's state; T: stopped."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


class TestAsPid1:
    """In a PID namespace of its own, as in a container."""

    @pytest.fixture
    def program(self) -> list[str]:
        with needed():
            if os.getuid() != 0 or shutil.which("unshare") is None:
                raise ServerUnavailable("a PID namespace needs root and unshare(1)")
        return [
            "unshare", "--pid", "--fork", "--mount-proc", "--kill-child",
            sys.executable, "-m", "agtool",
        ]  # fmt: skip

    @staticmethod
    def init_of(running: Running) -> int:
        """The process that is 1 in its namespace."""
        children = Path(f"/proc/{running.pid}/task/{running.pid}/children")
        wait_until(lambda: children.read_text().split(), "the namespace has a process")
        return int(children.read_text().split()[0])

    def test_zombies_are_reaped_and_the_code_is_passed(
        self, agtool: Agtool, database: Database, program: list[str]
    ) -> None:
        # Fifty orphans, which die after their parents. A zombie keeps its name.
        orphans = "for i in $(seq 50); do (sleep 600 &); done"
        there = "[ $(ps -eo comm= | grep -c ^sleep) -eq"
        end = "kill -9 $(ps -eo pid=,comm= | sed -n 's/ sleep$//p')"
        script = f"{orphans}; until {there} 50 ]; do :; done; {end}; until {there} 0 ]; do :; done"
        script = f"test $$ != 1 || exit 1; {script}; exit 9"
        done = agtool.run(
            "migrate-once", "--", "sh", "-c", script, url=database.url, program=program
        )
        assert done.exit_code == 9

    def test_sigterm_reaches_the_command(
        self, agtool: Agtool, database: Database, program: list[str]
    ) -> None:
        running = agtool.start(
            "migrate-once", "--", sys.executable, "-c", LISTENER, url=database.url, program=program
        )
        wait_until(lambda: running.stdout.count("ready") == 2, "both listen")
        os.kill(self.init_of(running), signal.SIGTERM)
        assert running.wait().exit_code == 5

    def test_a_waiter_ends_on_sigterm(
        self, agtool: Agtool, database: Database, program: list[str], gate: Gate
    ) -> None:
        holder = agtool.start("migrate-once", "--", *gate.command, url=database.url)
        gate.wait()
        waiter = agtool.start("migrate-once", "--", "true", url=database.url, program=program)
        waiter.wait_for("waiting for")
        os.kill(self.init_of(waiter), signal.SIGTERM)
        assert waiter.wait().exit_code == 143
        gate.open()
        assert holder.wait().exit_code == 0

    def test_zombies_are_reaped_while_waiting(
        self, agtool: Agtool, database: Database, program: list[str], gate: Gate
    ) -> None:
        agtool.start("migrate-once", "--", *gate.command, url=database.url)
        gate.wait()
        waiter = agtool.start("migrate-once", "--", "true", url=database.url, program=program)
        waiter.wait_for("waiting for")
        init = self.init_of(waiter)
        children = Path(f"/proc/{init}/task/{init}/children")
        before = set(children.read_text().split())
        # As `kubectl exec` does: a process from outside whose child is orphaned inside.
        subprocess.run(
            ["nsenter", "--target", str(init), "--pid", "--mount", "sh", "-c", "(sleep 600 &)"],
            check=True,
        )
        (orphan,) = set(children.read_text().split()) - before
        os.kill(int(orphan), signal.SIGKILL)
        wait_until(lambda: orphan not in children.read_text().split(), "it is no zombie")
        gate.open()
