"""It ends, in whatever way we end."""

import os
import re
import shlex
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cluster.proxy import ApiProxy
from tests.e2e.conftest import wait_until
from tests.e2e.debug.conftest import Person, name_in

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
PROMPT = r"\$ "
UP = ("--", "sh", "-c", "echo up >&2; sleep 600")


@pytest.mark.parametrize("number", SIGNALS)
def test_signals_while_a_command_runs(person: Person, number: signal.Signals) -> None:
    running = person.start(*UP)
    running.wait_for("up")
    running.send(number)
    done = running.wait()
    assert done.exit_code in {128 + number, -number}, done.stderr
    assert not person.pods()


@pytest.mark.parametrize("number", SIGNALS)
def test_signals_while_the_pod_is_pending(person: Person, number: signal.Signals) -> None:
    running = person.start("--cpu", "4000", "--", "true")
    running.wait_for("no node takes the pod")
    running.send(number)
    done = running.wait()
    assert done.exit_code in {128 + number, -number}, done.stderr
    assert not person.pods()


MOMENTS = {
    "the nodes are listed": r"GET /api/v1/nodes\?",
    "its owner is made": r"POST .*/jobs$",
    "the pod is made": r"POST .*/pods$",
    "pause is sent": r"POST .*/configmaps$",
    "the pod is watched": r"GET .*/pods\?.*watch",
    "the connection is made": r"GET .*/exec\?",
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_ctrl_c_at_any_moment(
    person: Person, api_proxy: Callable[..., ApiProxy], moment: str
) -> None:
    proxy = api_proxy(person.cluster)
    proxy.latency = 0.3
    person.kubeconfig = proxy.kubeconfig
    running = person.start(*UP)

    def come() -> bool:
        return any(re.match(MOMENTS[moment], f"{r.method} {r.path}") for r in proxy.requests)

    wait_until(come, moment)
    running.send(signal.SIGINT)
    time.sleep(0.1)
    running.send(signal.SIGINT)  # who presses it twice
    done = running.wait()
    assert done.exit_code in {130, -signal.SIGINT}, done.stderr
    assert "Traceback" not in done.stderr
    assert not person.pods()


def test_a_terminal_that_is_closed(person: Person) -> None:
    terminal = person.terminal()
    terminal.expect(r"\$ ")
    terminal.close()
    wait_until(lambda: not person.pods(), "the pod is removed")


def test_another_kubeconfig_meanwhile(person: Person, tmp_path: Path) -> None:
    own = tmp_path / "config"
    shutil.copy(person.kubeconfig, own)
    running = person.start(*UP, env={"KUBECONFIG": str(own)})
    running.wait_for("up")
    text = own.read_text().replace("https://", "https://elsewhere.example:1/")
    own.write_text(text)
    running.send(signal.SIGTERM)
    done = running.wait()
    assert done.exit_code == 143
    assert "warning" not in done.stderr
    assert not person.pods()


def test_somebody_elses_pod_of_the_same_name_stays(person: Person) -> None:
    running = person.start(*UP)
    running.wait_for("up")
    name = name_in(running.stderr)
    pods = f"/api/v1/namespaces/{person.namespace}/pods"
    person.api.delete(f"{pods}/{name}", {"gracePeriodSeconds": 0})
    body = {
        "metadata": {"name": name},
        "spec": {"containers": [{"name": "c", "image": person.cluster.images.pause}]},
    }
    wait_until(lambda: not person.api.exists(f"{pods}/{name}"), "the first one is gone")
    person.api.post(pods, body)
    running.wait()
    pod = person.api.get(f"{pods}/{name}")
    assert "deletionTimestamp" not in pod["metadata"]


def test_killed_it_leaves_what_ends_by_itself(person: Person) -> None:
    terminal = person.terminal()
    terminal.expect(r"\$ ")
    name = person.pod()["metadata"]["name"]
    lifeline = f"agtool-lifeline-{name}"
    wait_until(lambda: lifeline in person.exec(name, "ps"), "the lifeline holds")
    os.kill(terminal.pid, signal.SIGKILL)

    def over() -> bool:
        return bool(person.pod()["status"]["phase"] == "Succeeded")

    # The remote shell is ended with the pod, long before the lifetime of an hour.
    wait_until(over, "the pod ends by itself")
    terminal.kill()
    done = person.run("--list")
    assert f"{name}  over" in done.stdout
    done = person.run("--cleanup")
    assert name in done.stdout
    person.nothing_is_left()


def test_the_lifetime(person: Person) -> None:
    done = person.run("--ttl", "3s", *UP)
    assert done.exit_code == 137, done.stderr
    assert "(--ttl) is over" in done.stderr
    assert not person.pods()


def test_a_pod_that_goes_before_its_command_begins(
    person: Person, api_proxy: Callable[..., ApiProxy]
) -> None:
    name = name_in(person.run("--keep").stderr)
    proxy = api_proxy(person.cluster)
    proxy.latency = 3.0
    person.kubeconfig = proxy.kubeconfig
    running = person.start("--attach", name, "--", "true")
    wait_until(lambda: any("/exec?" in request.path for request in proxy.requests), "it is asked")
    pod = f"/api/v1/namespaces/{person.namespace}/pods/{name}"
    person.api.delete(pod, {"gracePeriodSeconds": 0})
    done = running.wait()
    assert done.exit_code == 125
    assert "agtool: error: the pod was deleted" in done.stderr
    assert "not found" not in done.stderr


def test_a_cluster_that_does_not_say_why_a_command_was_killed(
    person: Person, api_proxy: Callable[..., ApiProxy]
) -> None:
    proxy = api_proxy(person.cluster)
    person.kubeconfig = proxy.kubeconfig
    file = "/dev/shm/now"  # noqa: S108  # in the pod
    wait = f"echo up >&2; until [ -e {file} ]; do sleep 0.1; done; kill -9 $$"
    running = person.start("--", "sh", "-c", wait)
    running.wait_for("up\n")
    proxy.unauthorized = re.compile(r"GET \S*/pods/debug-[a-z0-9]+$")
    person.exec(name_in(running.stderr), "touch", file)
    done = running.wait()
    assert done.exit_code == 137
    assert "what became of the pod is not known: " in done.stderr
    assert "does not accept our credentials (401)" in done.stderr
    assert not person.pods()


def test_cleanup_takes_what_is_orphaned_and_nothing_else(person: Person) -> None:
    running = person.start(*UP)
    running.wait_for("up")
    person.run("--keep")
    orphan = person.start("--cpu", "4000", "--", "true")
    orphan.wait_for("no node takes the pod")
    orphan.kill()
    others = {
        "metadata": {"name": "theirs", "labels": {"app.kubernetes.io/managed-by": "agtool"}},
        "spec": {"containers": [{"name": "c", "image": person.cluster.images.pause}]},
    }
    pods = f"/api/v1/namespaces/{person.namespace}/pods"
    person.api.post(pods, others)
    listed = person.run("--list").stdout
    assert f"{name_in(orphan.stderr)}  orphaned" in listed
    assert f"{name_in(running.stderr)}  running" in listed
    done = person.run("--cleanup", "-o", "name")
    assert done.stdout == f"{name_in(orphan.stderr)}\n"
    assert len(person.pods()) == 2
    assert person.api.exists(f"{pods}/theirs")
    assert person.run("--cleanup", "-o", "name").stdout == ""


def test_a_job_of_a_shell_in_the_background(person: Person) -> None:
    terminal = person.terminal_of("bash", "--norc", "--noprofile", "-i")
    terminal.expect(PROMPT)
    line = shlex.join(person.argv("--", "sh", "-c", "echo it is-'up'; sleep 600"))
    terminal.type(f"{line} &\r")
    terminal.expect("it is-up")
    terminal.type("kill %1; wait %1; echo code-$?\r")
    terminal.expect("code-143")
    person.nothing_is_left()


def test_a_shell_that_was_put_into_the_background(person: Person) -> None:
    terminal = person.terminal_of("bash", "--norc", "--noprofile", "-i")
    terminal.expect(PROMPT)
    terminal.type(f"{shlex.join(person.argv('-t', '--', 'sleep', '600'))} &\r")
    terminal.expect(r"\[1\] \d+\s")
    stat = Path("/proc", terminal.seen.split()[-1], "stat")
    # It wants the terminal, which is the shell's.
    wait_until(lambda: stat.read_text().rpartition(")")[2].split()[0] == "T", "it is stopped")
    terminal.type("kill %1\r")
    wait_until(lambda: not stat.exists(), "it has ended")
    person.nothing_is_left()
