"""The cluster that other tests rely on is one."""

import time
from collections.abc import Callable
from functools import partial

import pytest

from tests.cluster.api import Api, Object, Refused
from tests.cluster.control_plane import ControlPlane
from tests.cluster.server import Server


def eventually(condition: Callable[[], object], what: str, seconds: float = 60) -> None:
    """Return as soon as `condition()` is true. Raises AssertionError with `what`."""
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.05)


def pod(name: str, image: str) -> Object:
    return {"metadata": {"name": name}, "spec": {"containers": [{"name": "c", "image": image}]}}


def running(api: Api, pods: str, name: str) -> bool:
    return bool(api.get(f"{pods}/{name}")["status"]["phase"] == "Running")


def test_pods_of_our_images_run(cluster: Server, namespace: str) -> None:
    from tests.cluster.images import NAMES

    pods = f"/api/v1/namespaces/{namespace}/pods"
    with cluster.connect() as api:
        for name, image in NAMES._asdict().items():
            api.post(pods, pod(name, image))
        for name in NAMES._fields:
            eventually(partial(running, api, pods, name), f"{name} runs")


def test_requests_go_through_the_proxy(
    control_plane: ControlPlane, api_proxy: Callable[..., object]
) -> None:
    from tests.cluster.proxy import ApiProxy

    proxy = api_proxy(control_plane)
    assert isinstance(proxy, ApiProxy)
    with Api(proxy.kubeconfig) as api:
        proxy.answer_next(1, 429, {"Retry-After": "1"})
        with pytest.raises(Refused, match="429"):
            api.get("/version")
        assert api.get("/version")["gitVersion"]
    assert [request.path for request in proxy.requests] == ["/version"] * 2
