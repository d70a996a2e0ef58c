"""On a terminal: the keyboard's signals, job control, reading, and a terminal that vanishes."""

import shlex
import signal
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from agtool.core.process.tree import descendants
from tests.conftest import Database
from tests.e2e.conftest import Agtool, Gate, wait_until
from tests.e2e.terminal import Terminal

AGTOOL = [sys.executable, "-m", "agtool", "migrate-once"]
CTRL_C, CTRL_Z, CTRL_BACKSLASH = "\x03", "\x1a", "\x1c"


def on(database: Database) -> dict[str, str]:
    """The settings that choose the database."""
    return {"AGTOOL_DATABASE_URL": database.url, "COLUMNS": "200"}


@pytest.fixture
def terminals() -> Iterator[list[Terminal]]:
    """Terminals to be killed at the end."""
    started: list[Terminal] = []
    yield started
    for terminal in started:
        terminal.kill()


def test_ctrl_c_reaches_the_command_once(database: Database, terminals: list[Terminal]) -> None:
    script = (
        "import signal, time, os\n"
        "def got(*_): os.write(1, b'INT once\\n')\n"
        "signal.signal(signal.SIGINT, got); print('ready', flush=True)\n"
        "end = time.monotonic() + 2\n"
        "while time.monotonic() < end: time.sleep(0.1)\n"
        "os._exit(3)"
    )
    terminal = Terminal([*AGTOOL, "--", sys.executable, "-c", script], on(database))
    terminals.append(terminal)
    terminal.expect("ready")
    terminal.type(CTRL_C)
    assert terminal.wait() == 3
    assert terminal.text.count("INT once") == 1


@pytest.mark.parametrize(("key", "code"), [(CTRL_C, -signal.SIGINT), (CTRL_BACKSLASH, 131)])
def test_the_keyboard_ends_the_command(
    database: Database, terminals: list[Terminal], key: str, code: int
) -> None:
    script = "ulimit -c 0; echo ready; exec sleep 600"
    terminal = Terminal([*AGTOOL, "--", "sh", "-c", script], on(database))
    terminals.append(terminal)
    terminal.expect("ready")
    terminal.type(key)
    assert terminal.wait() == code


def test_the_command_reads_what_is_typed(database: Database, terminals: list[Terminal]) -> None:
    terminal = Terminal(
        [*AGTOOL, "--", "sh", "-c", "echo name?; read x; echo hello $x"], on(database)
    )
    terminals.append(terminal)
    terminal.expect(r"name\?")
    terminal.type("world\n")
    terminal.expect("hello world")
    assert terminal.wait() == 0


def test_a_waiter_shows_the_holder_and_ends_on_ctrl_c(
    agtool: Agtool, database: Database, gate: Gate, terminals: list[Terminal]
) -> None:
    holder = agtool.start("migrate-once", "--", *gate.command, url=database.url)
    gate.wait()
    terminal = Terminal([*AGTOOL, "--", "echo", "ran"], on(database))
    terminals.append(terminal)
    terminal.expect(rf"waiting for the lock, held by .*\(pid {holder.pid}\) for \d+ s")
    terminal.type(CTRL_C)
    assert terminal.wait() == -signal.SIGINT
    assert "\r\x1b[K" in terminal.text  # the live line is taken away
    gate.open()
    assert holder.wait().exit_code == 0


def test_ctrl_z_keeps_the_lock(
    agtool: Agtool, database: Database, terminals: list[Terminal], tmp_path: Path
) -> None:
    shell = Terminal(["bash", "--norc", "--noprofile", "-i"], on(database))
    terminals.append(shell)
    shell.expect(r"\$ ")
    go = shlex.quote(f"{tmp_path}/go")
    script = f"echo ready; while [ ! -e {go} ]; do sleep 0.1; done; echo finished"
    shell.type(shlex.join([*AGTOOL, "--key", "k", "--", "sh", "-c", script]) + "\n")
    shell.expect(r"\nready")
    shell.type(CTRL_Z)
    shell.expect("Stopped")
    # Longer than the keeper would wait for a sign of life, were it not stopped as well.
    time.sleep(8)
    status = agtool.run("migrate-once", "--status", url=database.url)
    assert ": held by" in status.stdout
    (tmp_path / "go").touch()
    shell.type("fg\n")
    shell.expect(r"\nfinished")
    shell.type("echo code=$?\n")
    shell.expect("code=0")


def _name(pid: int) -> str:
    """A process's name; nothing: it ended meanwhile."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


def test_a_shell_loop_ends_on_ctrl_c(database: Database, terminals: list[Terminal]) -> None:
    command = shlex.join([*AGTOOL, "--", "sleep", "600"])
    script = f"for i in 1 2 3; do echo round $i; {command}; done; echo not reached"
    shell = Terminal(["bash", "--norc", "--noprofile", "-c", script], on(database))
    terminals.append(shell)
    shell.expect("running sleep")
    wait_until(lambda: "sleep" in map(_name, descendants(shell.pid)), "the command runs")
    shell.type(CTRL_C)
    assert shell.wait() in {130, -signal.SIGINT}
    assert "round 2" not in shell.text
    assert "not reached" not in shell.text


def test_exit_130_without_ctrl_c_is_only_a_number(
    database: Database, terminals: list[Terminal]
) -> None:
    terminal = Terminal([*AGTOOL, "--", "sh", "-c", "exit 130"], on(database))
    terminals.append(terminal)
    assert terminal.wait() == 130


def test_a_halted_terminal_does_not_keep_the_lock_from_others(
    agtool: Agtool, database: Database, gate: Gate, terminals: list[Terminal]
) -> None:
    holder = agtool.start("migrate-once", "--", *gate.command, url=database.url)
    gate.wait()
    terminal = Terminal([*AGTOOL, "--", "true"], on(database))
    terminals.append(terminal)
    terminal.expect("waiting for")
    termios.tcflow(terminal.master, termios.TCOOFF)  # as Ctrl-S
    gate.open()
    assert holder.wait().exit_code == 0
    third = agtool.run("migrate-once", "--wait-timeout", "30s", "--", "true", url=database.url)
    assert third.exit_code == 0
    assert terminal.wait() == 0


def test_a_terminal_that_vanishes(
    agtool: Agtool, database: Database, terminals: list[Terminal], tmp_path: Path
) -> None:
    pid = tmp_path / "pid"
    script = f"echo $$ > {pid}; echo ready; exec sleep 600"
    terminal = Terminal([*AGTOOL, "--key", "k", "--", "sh", "-c", script], on(database))
    terminals.append(terminal)
    terminal.expect("ready")
    terminal.close()
    command = int(pid.read_text())
    wait_until(lambda: not Path(f"/proc/{command}").exists(), "the command ends on SIGHUP")
    again = agtool.run("migrate-once", "--key", "k", "--", "echo", "ran", url=database.url)
    assert (again.exit_code, again.stdout) == (0, "ran\n")
