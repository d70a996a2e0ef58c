"""Pods that stay, and come back to."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

from tests.e2e.conftest import clean_environment, wait_until
from tests.e2e.debug.conftest import Person, name_in

PROMPT = r"\$ "


def test_a_kept_pod(person: Person) -> None:
    terminal = person.terminal("--keep")
    terminal.expect("--attach debug-")
    terminal.expect(PROMPT)
    terminal.type("echo once > /dev/shm/file; exit\r")
    assert terminal.wait() == 0
    name = person.pod()["metadata"]["name"]

    done = person.run("--attach", name, "--", "sh", "-c", "cat /dev/shm/file; exit 4")
    assert (done.exit_code, done.stdout) == (4, "once\n")
    terminal = person.terminal("--attach", name)
    terminal.expect(PROMPT)
    terminal.type("exit 6\r")
    assert terminal.wait() == 6
    assert person.pod()["metadata"]["name"] == name

    data = json.loads(person.run("--list", "--output", "json").stdout)
    (listed,) = data["data"]["pods"]
    assert (listed["name"], listed["kept"], listed["state"]) == (name, True, "running")


def test_the_name_that_attach_needs(person: Person) -> None:
    name = name_in(person.run("--keep").stderr)
    assert person.run("--list", "-o", "name").stdout == f"{name}\n"
    for columns in (80, 60):
        terminal = person.terminal("--list", size=(24, columns))
        assert terminal.wait() == 0
        assert re.search(rf"^{name} ", terminal.text, re.MULTILINE), terminal.text
    done = person.run("--attach", name, "--", "echo", "ran")
    assert (done.exit_code, done.stdout) == (0, "ran\n"), done.stderr


def test_the_shell_completes_kept_pods(person: Person) -> None:
    running = person.start("--", "sh", "-c", "echo up >&2; sleep 60")
    running.wait_for("up")
    name = name_in(person.run("--keep").stderr)

    def offered() -> list[str]:
        line = f"agtool debug -n {person.namespace} --attach debug-"
        asked = {"_AGTOOL_COMPLETE": "complete_fish", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
        # A machine that has other work needs longer than a person is let wait.
        asked["AGTOOL_COMPLETION_TIMEOUT"] = "50s"
        env = clean_environment({**person.env, **asked, "_TYPER_COMPLETE_ARGS": line})
        argv = [sys.executable, "-m", "agtool"]
        done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
        return done.stdout.split()

    assert offered() == [name]  # the other one is not kept


def test_what_cleanup_has_removed(person: Person) -> None:
    name = name_in(person.run("--keep", "--ttl", "1s").stderr)
    pod = f"/api/v1/namespaces/{person.namespace}/pods/{name}"
    wait_until(lambda: person.api.get(pod)["status"]["phase"] == "Failed", "its lifetime is over")
    assert person.run("--cleanup", "-o", "name").stdout == f"{name}\n"
    document = json.loads(person.run("--cleanup", "-o", "json").stdout)
    assert (document["status"], document["data"]) == ("ok", {"pods": []})
    assert person.run("--cleanup", "-o", "name").stdout == ""


def test_what_it_says_how_to_come_back(person: Person, tmp_path: Path) -> None:
    own = tmp_path / "its own config"
    shutil.copy(person.kubeconfig, own)
    told = person.run("--kubeconfig", own, "--keep", "--ttl", "30h").stderr
    day = (datetime.now().astimezone() + timedelta(hours=30)).date()
    assert f"stays until {day}" in told
    assert str(day) in person.run("--list").stdout
    again = re.search(r"agtool debug (.*--attach .*)", told)
    remove = re.search(r"(kubectl .*)", told)
    assert again
    assert remove
    path = f"{person.cluster.kubectl.parent}{os.pathsep}{os.environ['PATH']}"
    env = {"HOME": str(tmp_path), "PATH": path}
    argv = [sys.executable, "-m", "agtool", "debug", *shlex.split(again[1]), "--", "echo", "back"]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
    assert done.stdout == "back\n", done.stderr
    subprocess.run(["sh", "-c", remove[1]], env=env, capture_output=True, check=True)
    person.nothing_is_left()


def test_a_lost_session_ends_and_the_others_go_on(person: Person) -> None:
    name = name_in(person.run("--keep").stderr)
    lost, other = person.terminal("--attach", name), person.terminal("--attach", name)
    for terminal, mark in ((lost, "11111"), (other, "22222")):
        terminal.expect(PROMPT)
        terminal.type(f"sleep {mark}\r")
        wait_until(lambda m=mark: f"sleep {m}" in person.exec(name, "ps"), mark)  # type: ignore[misc]
    wait_until(lambda: person.exec(name, "ps").count("agtool-lifeline") == 2, "lifelines hold")
    os.kill(lost.pid, signal.SIGKILL)
    wait_until(lambda: "sleep 11111" not in person.exec(name, "ps"), "the lost shell ends")
    assert "sleep 22222" in person.exec(name, "ps")
    assert person.pod()["status"]["phase"] == "Running"


def test_only_our_own_pods(person: Person) -> None:
    body = {
        "metadata": {"name": "web-0"},
        "spec": {"containers": [{"name": "c", "image": person.cluster.images.busybox}]},
    }
    person.api.post(f"/api/v1/namespaces/{person.namespace}/pods", body)
    done = person.run("--attach", "web-0", "--", "true")
    assert done.exit_code == 125
    assert "--target pod/web-0" in done.stderr
    done = person.run("--attach", "web-1", "--", "true")
    assert (done.exit_code, "not found" in done.stderr) == (125, True)
    assert f"-n {person.namespace} --list" in done.stderr
