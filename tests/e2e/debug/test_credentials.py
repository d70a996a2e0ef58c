"""Credentials that change while a session runs, and the plugins that give them."""

import datetime as dt
import json
import os
import re
import stat
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.cluster import pki
from tests.cluster.proxy import ApiProxy
from tests.conftest import needed
from tests.e2e.conftest import clean_environment, wait_until
from tests.e2e.debug.conftest import Person, name_in
from tests.e2e.debug.login import account, end_with, go_on, log_in, start_waiting, token_of
from tests.servers.process import ServerUnavailable
from tests.servers.proxy import TcpProxy

__all__ = ["account"]

SHORT = 8
"""Seconds for which a certificate is valid."""

VERSION = "client.authentication.k8s.io/v1"


class Plugin:
    """A log-in plugin of a person: a script whose calls are counted."""

    def __init__(self, person: Person, folder: Path, body: str, **entry: object) -> None:
        self.folder = folder
        self._calls = folder / "calls"
        program = folder / "plugin"
        program.write_text(f"#!/bin/sh\necho >>{self._calls}\n{body}\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        url, ca = person.cluster.url, person.cluster.ca
        person.kubeconfig = pki.write_kubeconfig(folder / "mine", url, ca, "")
        content = json.loads(person.kubeconfig.read_text())
        plugin = {"apiVersion": VERSION, "command": str(program), "interactiveMode": "Never"}
        content["users"][0]["user"] = {"exec": {**plugin, **entry}}
        person.kubeconfig.write_text(json.dumps(content))

    def calls(self) -> int:
        """How often it was run."""
        return len(self._calls.read_text().splitlines())

    def give(self, **status: str) -> None:
        """What it answers from now on."""
        answer = {"apiVersion": VERSION, "kind": "ExecCredential", "status": status}
        new = self.folder / "new"
        new.write_text(json.dumps(answer))
        new.rename(self.folder / "answer")


def authority(person: Person) -> pki.Authority:
    """Of the cluster; only our own has its key."""
    folder = person.cluster.service_account_key.parent
    with needed():
        if not (folder / "ca.key").exists():
            raise ServerUnavailable("the key of the cluster's authority is not there")
    return pki.Authority(folder)


def certificate(person: Person, seconds: int) -> dict[str, str]:
    """A certificate of an administrator, as a plugin gives it."""
    valid = dt.timedelta(seconds=seconds)
    pair = authority(person).client("jane", ["system:masters"], valid)
    return {
        "clientCertificateData": pair.certificate.decode(),
        "clientKeyData": pair.key.decode(),
    }


@pytest.mark.parametrize("told", [True, False])
def test_a_certificate_that_expires(person: Person, tmp_path: Path, told: bool) -> None:
    """Whether the plugin tells when, or the API server says so by 401."""
    plugin = Plugin(person, tmp_path, f"cat {tmp_path}/answer")
    until = dt.datetime.now(dt.timezone.utc) + dt.timedelta(seconds=SHORT)
    when = {"expirationTimestamp": until.strftime("%Y-%m-%dT%H:%M:%SZ")} if told else {}
    plugin.give(**certificate(person, SHORT), **when)
    running = start_waiting(person)
    before = plugin.calls()
    plugin.give(**certificate(person, 600))
    # The kube-apiserver forgives nothing; a second more for what is rounded.
    wait_until(lambda: dt.datetime.now(dt.timezone.utc) > until + dt.timedelta(seconds=2), "time")
    done = go_on(person, running, person.pod()["metadata"]["name"])
    assert "warning" not in done.stderr
    assert plugin.calls() == before + 1
    assert not person.pods()


def test_a_plugin_that_fails_in_the_end(person: Person, tmp_path: Path) -> None:
    plugin = Plugin(person, tmp_path, f"cat {tmp_path}/answer || {{ echo sorry >&2; exit 4; }}")
    plugin.give(**certificate(person, SHORT))
    running = start_waiting(person)
    until = time.monotonic() + SHORT + 2
    (tmp_path / "answer").unlink()
    wait_until(lambda: time.monotonic() > until, "the certificate has expired")
    name = person.pod()["metadata"]["name"]
    done = go_on(person, running, name)
    assert f"pod {name} could not be removed" in done.stderr
    assert "the log-in plugin of the kubeconfig failed" in done.stderr
    assert "exit code 4" in done.stderr
    assert "sorry" in done.stderr


@pytest.mark.usefixtures("account")
def test_a_token_file_that_is_rotated(person: Person, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(token_of(person, "first"))
    target = urlsplit(person.cluster.url)
    with TcpProxy(target.hostname or "", target.port or 443) as proxy:
        log_in(person, "", tmp_path)
        content = json.loads(person.kubeconfig.read_text())
        content["users"][0]["user"] = {"tokenFile": str(file)}
        cluster = content["clusters"][0]["cluster"]
        cluster |= {"server": f"https://{proxy.host}:{proxy.port}"}
        cluster |= {"tls-server-name": "kubernetes.default.svc"}
        person.kubeconfig.write_text(json.dumps(content))
        terminal = person.terminal()
        terminal.expect(r"\$ ")
        name = person.pod()["metadata"]["name"]
        held(person, name)
        before = lifelines(person, name)
        file.write_text(token_of(person, "second"))
        end_with(person, "first")
        proxy.cut(newest=1)
        wait_until(lambda: lifelines(person, name) - before, "there is another lifeline")
        terminal.type("echo still $((6*7))\r")
        terminal.expect("still 42")
        terminal.type("exit 5\r")
        assert terminal.wait() == 5
        assert "warning" not in terminal.text
        assert not person.pods()


def lifelines(person: Person, pod: str) -> set[str]:
    """The process ids of those in a pod."""
    listed = person.exec(pod, "ps", "-o", "pid,args").splitlines()
    return {line.split()[0] for line in listed if f"agtool-lifeline-{pod}" in line}


def held(person: Person, pod: str) -> None:
    wait_until(lambda: lifelines(person, pod), "the lifeline holds")


def test_a_lifeline_that_is_refused_ends_no_session(
    person: Person, api_proxy: Callable[..., ApiProxy]
) -> None:
    proxy = api_proxy(person.cluster)
    person.kubeconfig = proxy.kubeconfig
    terminal = person.terminal()
    terminal.expect(r"\$ ")
    name = person.pod()["metadata"]["name"]
    held(person, name)
    proxy.unauthorized = _of_the_lifeline()
    proxy.cut_those_of("agtool-lifeline")
    terminal.expect("the second connection to the pod is lost: .*401")
    # It goes since it has seen that we are there, and leaves the shell alone.
    wait_until(lambda: not lifelines(person, name), "the pod's side has gone")
    # The terminal has all its lines again.
    terminal.type('until [ "$(stty size)" = "24 80" ]; do sleep 0.1; done; echo still $((6*7))\r')
    terminal.expect("still 42\r")
    # With credentials that are accepted again, all is as before.
    proxy.unauthorized = None
    held(person, name)
    terminal.type("exit 5\r")
    assert terminal.wait() == 5
    assert not person.pods()


def test_without_a_terminal_likewise(person: Person, api_proxy: Callable[..., ApiProxy]) -> None:
    name = name_in(person.run("--keep").stderr)
    proxy = api_proxy(person.cluster)
    person.kubeconfig = proxy.kubeconfig
    running = start_waiting(person, "--attach", name)
    wait_until(lambda: "agtool-lifeline" in person.exec(name, "ps"), "the lifeline holds")
    proxy.unauthorized = _of_the_lifeline()
    proxy.cut_those_of("agtool-lifeline")
    running.wait_for("the second connection to the pod is lost")

    def patient() -> bool:
        # Its grace is over, and it waits for what holds the command.
        listed = person.exec(name, "ps", "-o", "args").splitlines()
        return "sleep 5" in listed

    wait_until(patient, "the pod's side waits")
    go_on(person, running, name)


def _of_the_lifeline() -> re.Pattern[str]:
    return re.compile("agtool-lifeline")


GREEDY = 'cat >"$0.input"; [ -t 0 ] && echo asked >&2; cat "$(dirname "$0")/answer"'


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize("mode", ["Never", "IfAvailable"])
def test_a_plugin_does_not_get_the_commands_input(
    person: Person, tmp_path: Path, mode: str
) -> None:
    plugin = Plugin(person, tmp_path, GREEDY, interactiveMode=mode)
    plugin.give(token=token_of(person))
    done = person.piped(b"DROP TABLE x;", "--", "cat")
    assert (done.returncode, done.stdout) == (0, b"DROP TABLE x;"), done.stderr
    assert (tmp_path / "plugin.input").read_bytes() == b""


PROMPT = (
    'printf "Code: " >&2; read code; [ "$code" = 1234 ] || exit 5; cat "$(dirname "$0")/answer"'
)


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize("mode", ["IfAvailable", "Always"])
def test_a_plugin_that_asks(person: Person, tmp_path: Path, mode: str) -> None:
    """Also where stdout is not the terminal."""
    plugin = Plugin(person, tmp_path, PROMPT, interactiveMode=mode)
    plugin.give(token=token_of(person))
    words = " ".join(f"'{word}'" for word in person.argv("--no-stdin", "--", "echo", "ran"))
    terminal = person.terminal_of("sh", "-c", f"{words} | tr a-z A-Z")
    terminal.expect("Code: ")
    terminal.type("1234\r")
    terminal.expect("RAN")
    assert terminal.wait() == 0
    terminal = person.terminal("--", "echo", "ran")
    terminal.expect("Code: ")
    terminal.type("99\r")
    assert terminal.wait() == 125
    assert "exit code 5" in terminal.text
    assert "Traceback" not in terminal.text
    assert "NoneType" not in terminal.text
    if mode == "Always":
        done = person.piped(b"1234\n", "--", "cat")
        assert (done.returncode, done.stdout) == (125, b"")
        assert b"our input is no terminal" in done.stderr


def test_a_plugin_that_is_missing(person: Person, tmp_path: Path) -> None:
    hint = "Get it: https://example.com/plugin"
    Plugin(person, tmp_path, "", command="no-such-plugin", installHint=hint)
    done = person.run("--", "true")
    assert done.exit_code == 125
    assert "no-such-plugin is not installed" in done.stderr
    assert hint in done.stderr
    environment = clean_environment({**os.environ, **person.env})
    kubectl = [str(person.cluster.kubectl), "get", "pods"]
    theirs = subprocess.run(kubectl, env=environment, capture_output=True, check=False)
    assert hint.encode() in theirs.stderr
