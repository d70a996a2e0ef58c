"""Kubeconfigs: those that work as in kubectl, and what is said of those that do not."""

import base64
import json
import logging
import os
import shlex
import stat
import threading
from pathlib import Path
from typing import Any

import certifi
import pytest
from kubernetes.config import incluster_config

from agtool.core.errors import ConfigurationError
from agtool.core.kube import contexts
from agtool.core.kube import session as kube
from agtool.core.kube.plugin import without_a_person
from agtool.core.kube.proxy import Proxy
from agtool.core.kube.retry import backoff, pause_before_retry
from agtool.core.kube.session import connect

SECRET = "s3cret-t0ken"  # nobody's


def config(name: str = "one", user: Any = None, **more: Any) -> dict[str, Any]:
    context = {"cluster": name, "user": name}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [{"name": name, "cluster": {"server": f"https://{name}.invalid:6443"}}],
        "users": [{"name": name, "user": {"token": SECRET} if user is None else user}],
        "contexts": [{"name": name, "context": context}],
        **more,
    }


def write(folder: Path, content: Any, name: str = "config") -> Path:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


@pytest.fixture(autouse=True)
def _nothing_of_the_person(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name == "KUBECONFIG" or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def test_the_current_context(tmp_path: Path) -> None:
    session = connect(kubeconfig=write(tmp_path, config()))
    assert (session.context, session.namespace) == ("one", "default")
    assert session.server == "https://one.invalid:6443"
    assert f"authorization: Bearer {SECRET}" in session.websocket_settings().headers


def test_the_options_that_lead_there_again(tmp_path: Path) -> None:
    path = write(tmp_path, config("it's mine"), "my config")
    session = connect(kubeconfig=path, as_user="jane", as_groups=["a", "b"], namespace="web")
    assert shlex.split(session.options) == [
        *("--kubeconfig", str(path), "--context", "it's mine"),
        *("--as", "jane", "--as-group", "a", "--as-group", "b", "-n", "web"),
    ]


def test_the_options_in_a_pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # What the kubelet gives to a pod: three files and two variables.
    for name, text in (("token", SECRET), ("namespace", "web"), ("ca.crt", certifi.contents())):
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(contexts, "SERVICE_ACCOUNT", tmp_path)
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(tmp_path / "ca.crt"))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    session = connect()
    assert (session.context, session.namespace) == ("(in the cluster)", "web")
    assert session.server == "https://10.0.0.1:443"
    assert session.options == "-n web"  # there is no context to name
    with pytest.raises(ConfigurationError, match="no kubeconfig with a context 'prod'"):
        connect(context="prod")  # and not quietly this cluster


def test_namespaces(tmp_path: Path) -> None:
    content = config()
    content["contexts"][0]["context"]["namespace"] = "ci"
    path = write(tmp_path, content)
    assert connect(kubeconfig=path).namespace == "ci"
    assert connect(kubeconfig=path, namespace="web").namespace == "web"


def test_several_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As kubectl: the first current context counts, missing files do not matter."""
    files = [
        tmp_path / "none",
        write(tmp_path, config("a"), "a"),
        write(tmp_path, config("b"), "b"),
    ]
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join(map(str, files)))
    assert connect().context == "a"
    assert connect(context="b").server == "https://b.invalid:6443"
    with pytest.raises(ConfigurationError) as caught:
        connect(context="c")
    assert caught.value.hint == "Contexts: a, b."


@pytest.mark.parametrize("by", ["option", "variable"])
def test_a_folder_in_place_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    good = write(tmp_path, config())
    monkeypatch.setenv("KUBECONFIG", f"{good}{os.pathsep}{tmp_path}")
    given = tmp_path if by == "option" else None
    with pytest.raises(ConfigurationError, match=r"the kubeconfig .* is a folder") as caught:
        connect(kubeconfig=given)
    assert caught.value.hint == ("Check --kubeconfig." if given else "Check KUBECONFIG.")


@pytest.mark.parametrize("by", ["option", "variable"])
def test_a_pipe_in_place_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    monkeypatch.setenv("KUBECONFIG", str(pipe))
    text = json.dumps(config("a"))
    writer = threading.Thread(target=pipe.write_text, args=(text,), daemon=True)
    writer.start()
    assert connect(kubeconfig=pipe if by == "option" else None).context == "a"
    writer.join(30)


def test_the_default_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no kubeconfig") as caught:
        connect()
    assert "KUBECONFIG" in caught.value.hint
    (tmp_path / "home/.kube").mkdir(parents=True)
    write(tmp_path / "home/.kube", config())
    assert connect().context == "one"


def test_the_kubeconfigs_own_impersonation(tmp_path: Path) -> None:
    user = {"token": SECRET, "as": "joe", "as-groups": ["a", "b"], "as-user-extra": {"x/y": ["1"]}}
    path = write(tmp_path, config(user=user))
    headers = connect(kubeconfig=path).websocket_settings().headers
    assert headers[-4:] == [
        "Impersonate-User: joe",
        "Impersonate-Group: a",
        "Impersonate-Group: b",
        "Impersonate-Extra-x%2Fy: 1",
    ]
    headers = connect(kubeconfig=path, as_user="ann").websocket_settings().headers
    assert headers[-1] == "Impersonate-User: ann"


def plugin(folder: Path, body: str) -> dict[str, Any]:
    program = write(folder, f"#!/bin/sh\n{body}\n", "plugin")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    version = "client.authentication.k8s.io/v1"
    return {"exec": {"apiVersion": version, "command": str(program), "interactiveMode": "Never"}}


def test_a_log_in_plugin(tmp_path: Path) -> None:
    user = plugin(tmp_path, credential(token="from-the-plugin"))
    headers = connect(kubeconfig=write(tmp_path, config(user=user))).websocket_settings().headers
    assert "authorization: Bearer from-the-plugin" in headers


def credential(**status: str) -> str:
    """A plugin that gives these."""
    version = "client.authentication.k8s.io/v1"
    answer = {"apiVersion": version, "kind": "ExecCredential", "status": status}
    return f"echo '{json.dumps(answer)}'"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (credential(clientCertificateData="x"), "a certificate or a key, and not both"),
        (credential(clientKeyData="x"), "a certificate or a key, and not both"),
        (credential(), "neither a token nor a certificate"),
        (credential(token="x", expirationTimestamp="tomorrow"), "makes no sense"),
        (credential(token="x").replace("k8s.io/v1", "k8s.io/v1beta1"), "apiVersion .*v1beta1"),
        ("echo '{}'", "no ExecCredential"),
        ("echo '[]'", "no ExecCredential"),
        ('echo \'{"kind": "ExecCredential"}\'', "apiVersion None"),
        ("echo not JSON", "no JSON"),
        ("exit 1", "exit code 1"),
        ("kill -9 $$", "signal 9"),
    ],
)
def test_a_log_in_plugin_whose_answer_makes_no_sense(tmp_path: Path, body: str, why: str) -> None:
    handlers = list(logging.getLogger().handlers)
    with pytest.raises(ConfigurationError, match=f"the log-in plugin .*{why}"):
        connect(kubeconfig=write(tmp_path, config(user=plugin(tmp_path, body))))
    assert logging.getLogger().handlers == handlers


def test_a_token_that_has_expired_is_asked_for_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """When the plugin fails then, that is an error too."""
    once = tmp_path / "once"
    good = credential(token="short-lived", expirationTimestamp="2020-01-01T00:00:00Z")
    user = plugin(tmp_path, f"[ -e {once} ] && exit 3; touch {once}; {good}")
    session = connect(kubeconfig=write(tmp_path, config(user=user)))
    with pytest.raises(ConfigurationError, match="exit code 3"):
        session.websocket_settings()
    assert caplog.records == []


def test_what_a_log_in_plugin_says_is_shown(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    user = plugin(tmp_path, "echo please log in >&2; exit 1")
    with pytest.raises(ConfigurationError, match="exit code 1"):
        connect(kubeconfig=write(tmp_path, config(user=user)))
    assert capfd.readouterr().err == "please log in\n"
    with (
        without_a_person(quiet=True),
        pytest.raises(ConfigurationError, match="exit code 1: please log in"),
    ):
        connect(kubeconfig=write(tmp_path, config(user=user)))
    assert capfd.readouterr().err == ""


def test_a_log_in_plugin_that_is_not_installed(tmp_path: Path) -> None:
    user = plugin(tmp_path, "")
    user["exec"]["command"] = "no-such-plugin"
    user["exec"]["installHint"] = "Get it from https://example.com/plugin"
    with pytest.raises(ConfigurationError, match="no-such-plugin is not installed") as caught:
        connect(kubeconfig=write(tmp_path, config(user=user)))
    assert caught.value.hint == "Get it from https://example.com/plugin"


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ({"interactiveMode": None}, "no interactiveMode"),
        ({"interactiveMode": "Sometimes"}, "interactiveMode is 'Sometimes'"),
        ({"interactiveMode": "Always"}, "our input is no terminal"),
        ({"apiVersion": "client.authentication.k8s.io/v1alpha1"}, "apiVersion is .*v1alpha1"),
        ({"apiVersion": None}, "no apiVersion"),
        ({"command": None}, "no command"),
        ({"env": [{"value": "x"}]}, "makes no sense"),
    ],
)
def test_an_entry_that_kubectl_does_not_take_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry: dict[str, Any], why: str
) -> None:
    monkeypatch.setattr("os.isatty", lambda _: False)
    user = plugin(tmp_path, credential(token="x"))
    user["exec"] |= entry
    with pytest.raises(ConfigurationError, match=f"the log-in plugin .*{why}"):
        connect(kubeconfig=write(tmp_path, config(user=user)))


def test_what_a_log_in_plugin_is_told(tmp_path: Path) -> None:
    told = tmp_path / "told"
    content = config(user=plugin(tmp_path, f"env >{told}; " + credential(token="x")))
    content["users"][0]["user"]["exec"] |= {
        "env": [{"name": "REGION", "value": "here"}],
        "args": [],
        "provideClusterInfo": True,
        "command": "./plugin",  # beside the kubeconfig
    }
    end = "-----END CERTIFICATE-----\n"
    authority = certifi.contents().partition(end)[0] + end  # a variable has not room for all
    (tmp_path / "ca").write_text(authority)
    extension = {"name": "client.authentication.k8s.io/exec", "extension": {"audience": "me"}}
    cluster = content["clusters"][0]["cluster"]
    cluster |= {"certificate-authority": "ca", "extensions": [extension]}
    connect(kubeconfig=write(tmp_path, content))
    lines = dict(line.partition("=")[::2] for line in told.read_text().splitlines())
    assert lines["REGION"] == "here"
    info = json.loads(lines["KUBERNETES_EXEC_INFO"])
    assert info["spec"]["interactive"] is False
    known = info["spec"]["cluster"]
    assert (known["server"], known["config"]) == (cluster["server"], {"audience": "me"})
    assert base64.b64decode(known["certificate-authority-data"]).decode() == authority


@pytest.mark.parametrize(
    "content",
    [
        "",
        "just text",
        "- a list",
        "a: [",
        "\x00",
        config(contexts=[]),
        config(contexts="none"),
        config(clusters=[]),
        config(users=None, **{"current-context": ""}),
        config(user={"client-certificate-data": "!", "client-key-data": SECRET}),
        config(user={"client-certificate": "/no/such/file", "client-key": "/none"}),
        config(user={"exec": {"token": SECRET}}),
        config(user={"auth-provider": {"name": "oidc", "config": {"secret": SECRET}}}),
        config(clusters=[{"name": "one", "cluster": {"certificate-authority-data": SECRET}}]),
    ],
)
def test_a_kubeconfig_that_is_not_valid_is_told_without_its_secrets(
    tmp_path: Path, content: Any
) -> None:
    path = write(tmp_path, content)
    with pytest.raises(ConfigurationError) as caught:
        connect(kubeconfig=path).get("/version")
    assert SECRET not in caught.value.message + caught.value.hint
    named = (str(path), "plugin", "of context 'one'")
    assert any(name in caught.value.message for name in named)


def test_no_key_stays_in_the_folder_for_temporary_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    with pytest.raises(ConfigurationError):
        connect(
            kubeconfig=write(
                tmp_path,
                config(user={"client-certificate-data": "YQ==", "client-key-data": "Yg=="}),
            )
        )
    assert list(temporary.iterdir()) == []


def test_a_proxy(tmp_path: Path) -> None:
    content = config()
    content["clusters"][0]["cluster"]["proxy-url"] = "http://proxy.invalid:3128"
    settings = connect(kubeconfig=write(tmp_path, content)).websocket_settings()
    assert settings.proxy == Proxy("http", "proxy.invalid", 3128)


@pytest.mark.parametrize(
    ("method", "status", "headers", "attempt", "waits"),
    [
        ("GET", 200, {}, 0, False),
        ("GET", 404, {"Retry-After": "1"}, 0, False),
        ("POST", 429, {}, 0, True),
        ("POST", 503, {}, 0, False),
        ("POST", 503, {"Retry-After": "1"}, 0, True),
        ("PATCH", 503, {}, 9, True),
        ("PATCH", 500, {}, 0, False),
        ("GET", 500, {}, 2, True),
        ("GET", 500, {}, 3, False),
        ("GET", 501, {}, 0, False),
    ],
)
def test_what_is_sent_again(
    method: str, status: int, headers: dict[str, str], attempt: int, *, waits: bool
) -> None:
    assert (pause_before_retry(method, status, headers, attempt) is not None) == waits


def test_pauses() -> None:
    assert pause_before_retry("GET", 429, {"Retry-After": "7"}, 0) == 7
    assert pause_before_retry("GET", 429, {"Retry-After": "0"}, 0) == 0.1
    assert 0.05 <= backoff(0) <= 0.1
    assert backoff(100) <= 5
    assert kube.MERGE_PATCH == "application/merge-patch+json"
