"""The proxy before an API server does what it says, and nothing to what it passes on."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.cluster.api import Api, Login, Refused
from tests.cluster.cluster import Cluster
from tests.cluster.control_plane import ControlPlane
from tests.cluster.proxy import ApiProxy, Request
from tests.cluster.server import Server
from tests.integration.cluster.conftest import eventually, execute, run_pod

Proxies = Callable[..., ApiProxy]


def test_requests_reach_the_server_as_its_user(
    control_plane: Server,
    restricted_user: Callable[..., Path],
    api_proxy: Proxies,
    fake_nodes: Callable[..., list[str]],
) -> None:
    (name,) = fake_nodes(1)
    patch = {"metadata": {"labels": {"long": "x" * 63}, "annotations": {"long": "x" * 100_000}}}
    proxy = api_proxy(control_plane)
    with Api(proxy.kubeconfig) as api:
        assert api.patch(f"/api/v1/nodes/{name}", patch)["metadata"]["labels"]["long"] == "x" * 63
        assert api.get("/api/v1/nodes", limit=1)["items"]
    assert proxy.requests == [
        Request("PATCH", f"/api/v1/nodes/{name}"),
        Request("GET", "/api/v1/nodes?limit=1"),
    ]
    list_nodes = {"apiGroups": [""], "resources": ["nodes"], "verbs": ["list"]}
    with Api(api_proxy(restricted_user(control_plane, [list_nodes])).kubeconfig) as api:
        assert api.get("/api/v1/nodes")["items"]
        with pytest.raises(Refused, match="403"):
            api.get("/api/v1/pods")


def test_it_answers_as_it_is_told(control_plane: Server, api_proxy: Proxies) -> None:
    proxy = api_proxy(control_plane)
    login = Login(proxy.kubeconfig)
    proxy.answer_next(2, 429, {"Retry-After": "7"})
    proxy.answer_next(1, 503)
    with httpx.Client(base_url=login.url, verify=login.context, trust_env=False) as client:
        answers = [client.post("/api/v1/nodes", json={"a": "b" * 1000}) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [429, 429, 503]
        assert answers[0].headers["Retry-After"] == "7"
        assert answers[2].json()["code"] == 503
        assert client.get("/version").json()["major"]
    assert len(proxy.requests) == 4


def test_latency_is_for_each_request_and_many_wait_at_once(
    control_plane: Server, api_proxy: Proxies
) -> None:
    proxy = api_proxy(control_plane)
    proxy.latency = 0.5
    with Api(proxy.kubeconfig) as api, ThreadPoolExecutor(32) as pool:
        began = time.monotonic()
        answers = list(pool.map(lambda _: api.get("/version"), range(64)))
        took = time.monotonic() - began
    assert len(answers) == 64
    # One by one it would be 32 seconds.
    assert 1.0 <= took < 16


def test_cut_and_refuse(control_plane: Server, api_proxy: Proxies) -> None:
    proxy = api_proxy(control_plane)
    login = Login(proxy.kubeconfig)
    with httpx.Client(base_url=login.url, verify=login.context, trust_env=False) as client:
        with client.stream("GET", "/api/v1/nodes?watch=1", timeout=30) as watch:
            assert watch.status_code == 200
            proxy.cut()
            with pytest.raises(httpx.TransportError):
                watch.read()
        proxy.refuse()
        with pytest.raises(httpx.ConnectError):
            client.get("/version")
        proxy.accept()
        assert client.get("/version").status_code == 200


def test_watches_pass_at_once_and_end_with_the_server(
    control_plane: Server, api_proxy: Proxies, fake_nodes: Callable[..., list[str]]
) -> None:
    proxy = api_proxy(control_plane)
    login = Login(proxy.kubeconfig)
    with (
        httpx.Client(base_url=login.url, verify=login.context, trust_env=False) as client,
        client.stream("GET", "/api/v1/nodes?watch=1&timeoutSeconds=3", timeout=30) as watch,
    ):
        lines = watch.iter_lines()
        fake_nodes(1, prefix="seen")
        assert "seen-00000" in next(line for line in lines if "seen" in line)
        # The server ends it, and no error is raised here.
        list(lines)
    eventually(lambda: proxy.connections() == 0, "no connection is left")


def test_exec_passes(cluster: Cluster, namespace: str, api_proxy: Proxies) -> None:
    with cluster.connect() as api:
        run_pod(api, namespace, "it", cluster.images.busybox)
    proxy = api_proxy(cluster)
    done = execute(Login(proxy.kubeconfig), namespace, "it", "sh", "-c", "seq 100000; exit 3")
    assert done.code == 3
    assert done.stdout.split()[-1] == b"100000"
    assert "/exec?" in proxy.requests[0].path


def test_stopping_the_server_breaks_what_is_open(
    control_plane: ControlPlane, api_proxy: Proxies
) -> None:
    proxy = api_proxy(control_plane)
    with Api(proxy.kubeconfig) as api:
        assert api.get("/version")
        control_plane.stop_apiserver()
        try:
            with pytest.raises(httpx.TransportError):
                api.get("/version")
        finally:
            control_plane.start_apiserver()
        assert api.get("/version")
