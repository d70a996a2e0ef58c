"""core.kube against a real API server, and a proxy that is slow, cuts and refuses."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agtool.core.errors import AgtoolError, UnreachableError
from agtool.core.kube import session as kube
from agtool.core.kube.errors import (
    ConflictError,
    ForbiddenError,
    GoneError,
    NotFoundError,
    RejectedError,
)
from tests.cluster.control_plane import ControlPlane
from tests.cluster.proxy import ApiProxy
from tests.cluster.server import Server

NODES = "/api/v1/nodes"
MakeNodes = Callable[..., list[str]]


@pytest.fixture
def proxy(control_plane: Server, api_proxy: Callable[..., ApiProxy]) -> ApiProxy:
    """Give a proxy before the control plane."""
    return api_proxy(control_plane)


@pytest.fixture
def session(proxy: ApiProxy) -> Iterator[kube.Session]:
    """Give a session through the proxy."""
    with kube.connect(kubeconfig=proxy.kubeconfig, connections=4, timeout=10) as session:
        yield session


def test_objects_are_made_read_changed_and_deleted(session: kube.Session) -> None:
    path = "/api/v1/namespaces/default/configmaps"
    body = {"metadata": {"name": "kube-test"}, "data": {"a": "1"}}
    assert session.post(path, body)["data"] == {"a": "1"}
    try:
        one = session.get(f"{path}/kube-test")
        assert session.put(f"{path}/kube-test", {**one, "data": {"b": "2"}})["data"] == {"b": "2"}
        patched = session.patch(f"{path}/kube-test", {"data": {"b": None, "c": "3"}})
        assert patched["data"] == {"c": "3"}
        operations = [{"op": "add", "path": "/data/d", "value": "4"}]
        changed = session.patch(f"{path}/kube-test", operations, content_type=kube.JSON_PATCH)
        assert changed["data"] == {"c": "3", "d": "4"}
        metadata = session.get(f"{path}/kube-test", accept=kube.METADATA_ONLY)
        assert metadata["kind"] == "PartialObjectMetadata"
        assert "data" not in metadata
        with pytest.raises(ConflictError, match="already exists"):
            session.post(path, body)
        with pytest.raises(ConflictError, match="has been modified"):
            session.patch(f"{path}/kube-test", {"metadata": {"resourceVersion": "1"}})
    finally:
        session.delete(f"{path}/kube-test")
    with pytest.raises(NotFoundError, match='"kube-test" not found'):
        session.get(f"{path}/kube-test")


def test_refusals(session: kube.Session, control_plane: Server) -> None:
    with pytest.raises(RejectedError, match="Invalid value"):
        session.post(NODES, {"metadata": {"name": "Not_A_Name"}})
    with pytest.raises(NotFoundError, match="does not know /apis/nowhere"):
        session.get("/apis/nowhere/v1/things")
    stranger = kube.connect(
        kubeconfig=control_plane.kubeconfig, as_user="joe", as_groups=["dev", "ops"]
    )
    with stranger, pytest.raises(ForbiddenError, match="joe may not list nodes") as caught:
        stranger.get(NODES)
    assert '"verbs": ["list"]' in caught.value.hint
    with stranger, pytest.raises(ForbiddenError, match="delete pods in namespace web") as caught:
        stranger.delete("/api/v1/namespaces/web/pods/one")
    assert caught.value.hint.startswith("Ask for a Role in web")


def test_several_groups_are_sent_as_several(control_plane: Server) -> None:
    """An administrator by the second of two groups."""
    groups = ["dev", "system:masters"]
    with kube.connect(
        kubeconfig=control_plane.kubeconfig, as_user="joe", as_groups=groups
    ) as session:
        assert session.get(NODES)["kind"] == "NodeList"


def test_credentials_that_are_not_accepted(tmp_path: Path, control_plane: Server) -> None:
    from tests.cluster import pki

    kubeconfig = tmp_path / "kubeconfig"
    pki.write_kubeconfig(kubeconfig, control_plane.url, control_plane.ca, "no such token")
    with kube.connect(kubeconfig=kubeconfig) as session, pytest.raises(ForbiddenError) as caught:
        session.get(NODES)
    assert "401" in caught.value.message
    assert "no such token" not in caught.value.message + caught.value.hint


def test_a_token_that_was_replaced_is_read_again(
    tmp_path: Path, control_plane: Server, restricted_user: Callable[..., Path]
) -> None:
    rule = {"apiGroups": [""], "resources": ["nodes"], "verbs": ["list"]}
    good = restricted_user(control_plane, [rule]).read_text()
    kubeconfig = tmp_path / "kubeconfig"
    token = json.loads(good)["users"][0]["user"]["token"]
    kubeconfig.write_text(good.replace(token, "expired"))
    with kube.connect(kubeconfig=kubeconfig) as session:
        kubeconfig.write_text(good)  # what a log-in command does meanwhile
        assert session.get(NODES)["kind"] == "NodeList"


def test_pages(session: kube.Session, proxy: ApiProxy, fake_nodes: MakeNodes) -> None:
    names = fake_nodes(25, {"paged": "yes"})
    found = [n["metadata"]["name"] for n in session.pages(NODES, limit=10, labelSelector="paged")]
    assert found == names
    assert sum(request.path.startswith(NODES) for request in proxy.requests) == 3


def test_pages_go_on_when_their_history_is_gone(
    session: kube.Session, proxy: ApiProxy, fake_nodes: MakeNodes
) -> None:
    """Without a token in the answer, as here, from the start: and no node comes twice."""
    names = fake_nodes(25, {"paged": "yes"})
    found = []
    for node in session.pages(NODES, limit=10, labelSelector="paged"):
        found.append(node["metadata"]["name"])
        if len(found) == 10:
            proxy.answer_next(1, 410)
    assert found == names


def test_a_watch_tells_what_changes(session: kube.Session, fake_nodes: MakeNodes) -> None:
    version = session.get(NODES)["metadata"]["resourceVersion"]
    events = []

    def watch() -> None:
        for event in session.watch(
            NODES, resource_version=version, timeout=30, labelSelector="watched"
        ):
            if event["type"] != "BOOKMARK":
                events.append((event["type"], event["object"]["metadata"]["name"]))
            if event["type"] == "DELETED":
                return

    thread = threading.Thread(target=watch)
    thread.start()
    (name,) = fake_nodes(1, {"watched": "yes"})
    session.delete(f"{NODES}/{name}")
    thread.join(30)
    assert events[0] == ("ADDED", name)
    assert events[-1] == ("DELETED", name)


def test_a_watch_ends_by_itself(session: kube.Session) -> None:
    version = session.get(NODES)["metadata"]["resourceVersion"]
    began = time.monotonic()
    assert [
        event
        for event in session.watch(NODES, resource_version=version, timeout=1, labelSelector="none")
        if event["type"] != "BOOKMARK"
    ] == []
    assert time.monotonic() - began < 20


def test_a_watch_whose_connection_breaks(session: kube.Session, proxy: ApiProxy) -> None:
    version = session.get(NODES)["metadata"]["resourceVersion"]
    timer = threading.Timer(1, proxy.cut)
    timer.start()
    with pytest.raises(UnreachableError):
        for _ in session.watch(NODES, resource_version=version, timeout=60, labelSelector="none"):
            pass
    timer.join()


def test_a_watch_of_a_history_that_is_gone(session: kube.Session, proxy: ApiProxy) -> None:
    session.get("/version")
    proxy.answer_next(1, 410)
    with pytest.raises(GoneError):
        next(session.watch(NODES, resource_version="1", timeout=5))


def test_a_watch_of_a_history_that_the_server_lost_by_a_restart(
    session: kube.Session, control_plane: Server, fake_nodes: MakeNodes
) -> None:
    if not isinstance(control_plane, ControlPlane):
        pytest.skip("somebody else's API server is not restarted")
    version = session.get(NODES)["metadata"]["resourceVersion"]
    fake_nodes(2)
    control_plane.restart_apiserver()
    with pytest.raises(GoneError, match="too old resource version"):
        next(session.watch(NODES, resource_version=version, timeout=5))


@pytest.mark.parametrize(
    ("count", "status", "headers", "seconds"),
    [
        (1, 429, {"Retry-After": "1"}, 1.0),
        (3, 429, {}, 0.0),
        (2, 503, {}, 0.0),
        (2, 502, {}, 0.0),
        (1, 500, {"Retry-After": "1"}, 1.0),
        (2, 500, {}, 0.0),
    ],
)
def test_waits_as_the_server_asks(
    *,
    session: kube.Session,
    proxy: ApiProxy,
    count: int,
    status: int,
    headers: dict[str, str],
    seconds: float,
) -> None:
    proxy.answer_next(count, status, headers)
    began = time.monotonic()
    assert session.get("/version")["major"]
    assert time.monotonic() - began >= seconds
    assert len(proxy.requests) == count + 1


def test_does_not_wait_longer_than_its_patience(session: kube.Session, proxy: ApiProxy) -> None:
    proxy.answer_next(1, 429, {"Retry-After": "3600"})
    began = time.monotonic()
    with pytest.raises(UnreachableError, match="answers 429"):
        session.get("/version")
    assert time.monotonic() - began < 20


def test_a_creation_is_not_sent_twice_unless_the_server_says_it_did_nothing(
    session: kube.Session, proxy: ApiProxy
) -> None:
    path = "/api/v1/namespaces/default/configmaps"
    body = {"metadata": {"name": "only-once"}}
    proxy.answer_next(1, 500)
    with pytest.raises(UnreachableError):
        session.post(path, body)
    proxy.answer_next(1, 503, {"Retry-After": "0"})
    session.post(path, body)
    session.delete(f"{path}/only-once")


def test_a_request_survives_a_restart_of_the_server(session: kube.Session, proxy: ApiProxy) -> None:
    session.get("/version")
    proxy.refuse()
    proxy.cut()
    timer = threading.Timer(1.5, proxy.accept)
    timer.start()
    assert session.get("/version")["major"]
    timer.join()


def test_a_server_that_never_was_there_is_told_at_once(
    proxy: ApiProxy, session: kube.Session
) -> None:
    proxy.refuse()
    began = time.monotonic()
    with pytest.raises(UnreachableError, match="Connection refused") as caught:
        session.get("/version")
    assert time.monotonic() - began < 10
    assert "context" in caught.value.hint


def test_a_server_that_does_not_answer(proxy: ApiProxy) -> None:
    with kube.connect(kubeconfig=proxy.kubeconfig, timeout=1, patience=0) as session:
        session.get("/version")
        proxy.freeze()
        with pytest.raises(UnreachableError, match="did not answer"):
            session.get("/version")
        proxy.thaw()


def test_a_certificate_of_somebody_else(
    tmp_path: Path, proxy: ApiProxy, control_plane: Server
) -> None:
    wrong = tmp_path / "kubeconfig"
    wrong.write_text(
        control_plane.kubeconfig.read_text().replace(
            control_plane.url, f"https://{proxy.host}:{proxy.port}"
        )
    )
    with kube.connect(kubeconfig=wrong) as session, pytest.raises(UnreachableError) as caught:
        session.get("/version")
    assert "TLS failed" in caught.value.message


def test_requests_that_wait_end_with_the_session(proxy: ApiProxy) -> None:
    session = kube.connect(kubeconfig=proxy.kubeconfig)
    proxy.answer_next(1, 429, {"Retry-After": "25"})
    timer = threading.Timer(0.5, session.__exit__)
    timer.start()
    began = time.monotonic()
    with pytest.raises(AgtoolError):
        session.get("/version")
    assert time.monotonic() - began < 15
    timer.join()


def test_a_socket_gets_what_it_needs(control_plane: Server) -> None:
    with kube.connect(
        kubeconfig=control_plane.kubeconfig, as_user="joe", as_groups=["a", "b"]
    ) as session:
        settings = session.websocket_settings()
    assert settings.url == control_plane.url.replace("https", "wss")
    assert settings.headers[-3:] == [
        "Impersonate-User: joe",
        "Impersonate-Group: a",
        "Impersonate-Group: b",
    ]
    assert settings.proxy is None
    assert "joe" not in repr(settings)
