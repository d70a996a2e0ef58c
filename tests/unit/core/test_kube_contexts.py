"""Which kubeconfig is meant, what it may hold, and what is sent of it."""

import json
import os
import pwd
import socket
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest
import typer

from agtool.core.errors import ConfigurationError
from agtool.core.kube import contexts
from agtool.core.kube.channels import PROTOCOL
from agtool.core.kube.contexts import kubeconfig_files, namespace_of_context
from agtool.core.kube.session import connect
from agtool.core.kube.spdy import open_spdy
from agtool.core.kube.upgraded import RefusedError
from agtool.core.kube.websocket import open_websocket
from agtool.core.options import header_text
from tests.unit.core.test_kube_access import SECRET, config, plugin, write


@pytest.fixture(autouse=True)
def _nothing_of_the_person(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(contexts, "SERVICE_ACCOUNT", tmp_path / "account")


@pytest.fixture
def account(tmp_path: Path) -> Path:
    """Give what a pod has."""
    folder = tmp_path / "account"
    folder.mkdir()
    (folder / "token").write_text(SECRET)
    (folder / "namespace").write_text("web\n")
    return folder


def in_namespace(namespace: Any, user: Any = None) -> dict[str, Any]:
    content = config(user=user)
    content["contexts"][0]["context"]["namespace"] = namespace
    return content


def test_the_namespace_is_read_without_the_log_in_plugin(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    user = plugin(tmp_path, f"touch {ran}; exit 1")
    path = write(tmp_path, in_namespace("shop", user))
    assert namespace_of_context(path, None) == "shop"
    assert not ran.exists()


def test_no_namespace_is_guessed_where_a_kubeconfig_was_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert namespace_of_context(None, None) == "default"
    with pytest.raises(ConfigurationError, match="no kubeconfig with a context 'prod'"):
        namespace_of_context(None, "prod")
    with pytest.raises(ConfigurationError, match="there is no kubeconfig"):
        namespace_of_context(tmp_path / "none", None)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))  # as kubectl: that is none
    assert namespace_of_context(None, None) == "default"


def test_nor_where_the_usual_one_is_not_valid(tmp_path: Path) -> None:
    (tmp_path / "home/.kube").mkdir(parents=True)
    write(tmp_path / "home/.kube", "a: [")
    with pytest.raises(ConfigurationError, match="not valid YAML"):
        namespace_of_context(None, None)


@pytest.mark.usefixtures("account")
def test_the_namespace_of_the_pod() -> None:
    assert namespace_of_context(None, None) == "web"


@pytest.mark.usefixtures("account")
def test_a_user_without_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with a random user id in a container: the pod's own account is taken."""

    def unknown(_: int) -> None:
        raise KeyError

    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    assert kubeconfig_files(None) == []
    assert namespace_of_context(None, None) == "web"


def test_the_home_of_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "~no-such-user-here/config")
    with pytest.raises(ConfigurationError, match="there is no kubeconfig ~no-such-user-here"):
        connect()


def closed(folder: Path) -> Path:
    """A path that cannot be looked at. Also root, who may look into any folder, cannot do that."""
    return folder / ("x" * 300)


def test_a_file_that_cannot_be_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match="cannot read"):
        connect(kubeconfig=closed(tmp_path))
    monkeypatch.setenv("KUBECONFIG", str(closed(tmp_path) / "config"))
    with pytest.raises(ConfigurationError, match="cannot read") as caught:
        connect()
    assert caught.value.hint == "Check KUBECONFIG."


def test_a_home_that_cannot_be_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setenv("HOME", str(closed(tmp_path)))
    with pytest.raises(ConfigurationError, match="cannot read"):
        namespace_of_context(None, None)
    request.getfixturevalue("account")
    assert namespace_of_context(None, None) == "web"


def test_a_colon_in_a_path(tmp_path: Path) -> None:
    """As in the name of a cluster of EKS; and what the client changes goes back there."""
    path = write(tmp_path, config(), "arn:aws:eks:eu-west-1:1:cluster")
    assert connect(kubeconfig=path).context == "one"
    context = contexts.read_context([str(path)], None)
    context.merged["users"][0]["user"].value["token"] = "fresh"
    context.save()
    assert "fresh" in path.read_text()


@pytest.mark.parametrize(
    ("content", "key"),
    [
        (in_namespace(2024), "namespace"),
        (config(user={"token": 2024}), "token"),
        (config(user={"as": 2024}), "as"),
        (config(user={"as": "joe", "as-uid": 2024}), "as-uid"),
        (config(clusters=[{"name": "one", "cluster": {"server": 2024}}]), "server"),
        (config() | {"current-context": 2024}, "current-context"),
        (
            config(
                clusters=[
                    {
                        "name": "one",
                        "cluster": {
                            "server": "https://one.invalid",
                            "insecure-skip-tls-verify": "false",
                        },
                    }
                ]
            ),
            "insecure-skip-tls-verify",
        ),
    ],
)
def test_what_yaml_makes_a_number_of(tmp_path: Path, content: Any, key: str) -> None:
    with pytest.raises(ConfigurationError, match=f"`{key}` in the kubeconfig") as caught:
        connect(kubeconfig=write(tmp_path, content))
    assert "2024" not in caught.value.message + caught.value.hint


def test_a_token_that_ends_with_a_newline(tmp_path: Path) -> None:
    """As a block of YAML has it."""
    session = connect(kubeconfig=write(tmp_path, config(user={"token": f"{SECRET}\n"})))
    assert f"authorization: Bearer {SECRET}" in session.websocket_settings().headers


@pytest.mark.parametrize(
    ("user", "what"),
    [
        ({"token": f"{SECRET}\nmore"}, "the token"),
        ({"token": f"{SECRET}\x00"}, "the token"),
        ({"token": "x", "as": f"{SECRET}\r\nHost: x"}, "Impersonate-User"),
        ({"token": "x", "as": "joe", "as-groups": [f"{SECRET}\n"]}, "Impersonate-Group"),
        ({"token": "x", "as": "joe", "as-groups": [2024]}, "Impersonate-Group"),
        ({"token": "x", "as": "joe", "as-user-extra": {"a": [f"{SECRET}\n"]}}, "Impersonate-Extra"),
    ],
)
def test_what_no_header_can_hold(tmp_path: Path, user: Any, what: str) -> None:
    """Neither the message nor a traceback shows it."""
    with pytest.raises(ConfigurationError, match=f"{what}.* cannot be sent") as caught:
        connect(kubeconfig=write(tmp_path, config(user=user)))
    assert SECRET not in caught.value.message + caught.value.hint
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("value", ["a\nb", "a\x7f", os.fsdecode(b"\xff")])
def test_whom_nobody_can_act_as(value: str) -> None:
    for given in (value, [value]):
        with pytest.raises(typer.BadParameter, match="one line in UTF-8"):
            header_text(given)  # type: ignore[type-var]
    assert header_text("Łukasz") == "Łukasz"


def test_names_are_sent_in_utf_8(tmp_path: Path) -> None:
    """In all three ways: in Latin-1 it would be another user, or none."""
    names = ["josé", "Łukasz", "開発"]
    received: list[list[bytes]] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            for _ in range(3):
                connection, _ = server.accept()
                with connection, connection.makefile("rb") as lines:
                    received.append(list(iter(lines.readline, b"\r\n")))
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        content = config()
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        content["clusters"][0]["cluster"]["server"] = url
        path = write(tmp_path, content)
        with connect(kubeconfig=path, as_user=names[0], as_groups=names[1:]) as session:
            session.get("/version")
            settings = session.websocket_settings()
            with pytest.raises(RefusedError):
                open_websocket(settings, "/exec", PROTOCOL, timeout=30)
            with pytest.raises(RefusedError):
                open_spdy(settings, "/exec", "v4.channel.k8s.io", {}, timeout=30)
        thread.join(30)
    assert len(received) == 3
    for lines in received:
        sent = [line.strip().decode() for line in lines if line.startswith(b"Impersonate-")]
        assert sent == [
            "Impersonate-User: josé",
            "Impersonate-Group: Łukasz",
            "Impersonate-Group: 開発",
        ]


def test_no_folder_for_temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with readOnlyRootFilesystem: the kubeconfig is not at fault."""
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: [str(tmp_path / "none")])
    path = write(tmp_path, json.dumps(config()))
    with pytest.raises(ConfigurationError, match="no folder for temporary files") as caught:
        connect(kubeconfig=path)
    assert "TMPDIR" in caught.value.hint
    assert str(path) not in caught.value.message
