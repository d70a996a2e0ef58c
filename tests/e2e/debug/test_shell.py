"""A shell on a terminal."""

import fcntl
import os
import re
import signal
import struct
import termios
import time
from pathlib import Path

from tests.e2e.conftest import wait_until
from tests.e2e.debug.conftest import Person, name_in
from tests.e2e.terminal import Terminal

PROMPT = r"bash-\S+\$ "
CTRL_C = "\x03"


def test_a_shell_from_nothing_and_back(person: Person) -> None:
    terminal = person.terminal(size=(33, 111))
    terminal.expect(PROMPT)
    # The size was there before the first input.
    terminal.type("stty size; echo $0\r")
    terminal.expect("33 111")
    terminal.expect("bash")
    terminal.type("exit 3\r")
    assert terminal.wait() == 3
    person.nothing_is_left()


def test_what_is_typed_before_the_prompt_is_not_lost(person: Person) -> None:
    terminal = person.terminal()
    terminal.expect("starting on")
    terminal.type("echo early $((6*7))\r")
    terminal.expect("early 42")


def test_sh_where_there_is_no_bash(person: Person) -> None:
    terminal = person.terminal("--image", person.cluster.images.busybox)
    terminal.expect(r"[$] ")
    terminal.type("echo I am $0\r")
    terminal.expect("I am sh")


def test_the_shell_that_is_named(person: Person) -> None:
    terminal = person.terminal("--shell", "/bin/ash")
    terminal.expect(r"[$] ")
    terminal.type("echo I am $0\r")
    terminal.expect("I am /bin/ash")


def test_a_change_of_size(person: Person) -> None:
    terminal = person.terminal()
    terminal.expect(PROMPT)
    fcntl.ioctl(terminal.master, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 132, 0, 0))
    os.kill(terminal.pid, signal.SIGWINCH)

    give_up = time.monotonic() + 20
    while time.monotonic() < give_up:
        terminal.type("echo size=$(stty size)\r")
        terminal.expect(r"size=(\d+ \d+)\r")
        terminal.expect(PROMPT)
        if "40 132" in terminal.seen:
            return
    raise AssertionError(terminal.seen)


def modes(terminal: Terminal) -> list[object]:
    return list(termios.tcgetattr(terminal.master))


def test_the_terminal_is_restored(person: Person) -> None:
    terminal = person.terminal()
    before = modes(terminal)
    terminal.expect(PROMPT)
    wait_until(lambda: modes(terminal) != before, "raw mode")
    terminal.type("exit\r")
    assert terminal.wait() == 0
    assert modes(terminal) == before


def test_the_terminal_is_restored_when_the_pod_is_gone(person: Person) -> None:
    terminal = person.terminal()
    before = modes(terminal)
    terminal.expect(PROMPT)
    name = person.pod()["metadata"]["name"]
    person.api.delete(f"/api/v1/namespaces/{person.namespace}/pods/{name}")
    code = terminal.wait()
    assert code in {125, 137}, terminal.text
    assert "the pod was deleted" in terminal.text
    assert "Traceback" not in terminal.text
    assert modes(terminal) == before


def test_ctrl_c_under_a_flood(person: Person) -> None:
    terminal = person.terminal()
    terminal.expect(PROMPT)
    terminal.type("trap 'echo $EPOCHREALTIME > /dev/shm/int' INT; while :; do echo flood; done\r")
    terminal.expect("flood\r\n" * 50)
    sent = time.time()
    terminal.type(CTRL_C)
    # Whoever reads from the terminal goes on reading.
    arrived = ""
    give_up = time.monotonic() + 30
    name = person.pod()["metadata"]["name"]
    while not arrived and time.monotonic() < give_up:
        terminal.drain(0.2)
        arrived = person.exec(name, "cat", "/dev/shm/int").strip()  # noqa: S108  # of the container
    took = float(arrived) - sent
    # The point is 0.2 s; a machine with other work may be slower. Without priority it is seconds.
    assert took < 1, took


def test_the_exit_code_of_a_shell_killed_by_a_signal(person: Person) -> None:
    terminal = person.terminal()
    terminal.expect(PROMPT)
    terminal.type("kill -KILL $$\r")
    assert terminal.wait() == 137


def test_stopped_from_outside_the_terminal_is_as_before(person: Person) -> None:
    terminal = person.terminal()
    before = modes(terminal)
    terminal.expect(PROMPT)
    wait_until(lambda: modes(terminal) != before, "raw mode")
    raw = modes(terminal)
    os.kill(terminal.pid, signal.SIGTSTP)
    stat = Path(f"/proc/{terminal.pid}/stat")
    wait_until(lambda: ") T " in stat.read_text(), "it is stopped")
    assert modes(terminal) == before
    os.kill(terminal.pid, signal.SIGCONT)
    wait_until(lambda: modes(terminal) == raw, "raw again")
    terminal.type("echo still $((6*7))\r")
    terminal.expect("still 42")


def test_it_says_where_one_is(person: Person) -> None:
    terminal = person.terminal()
    terminal.expect(PROMPT)
    told = re.sub(r"\s+", " ", terminal.seen)
    assert name_in(told)
    assert f"in namespace {person.namespace} of context" in told
    assert "restricted, user 65532" in told
