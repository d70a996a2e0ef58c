"""What is asked for, and the objects that it becomes."""

import re
from base64 import b64decode
from dataclasses import replace
from typing import Any

import pytest
from kubernetes import client

from agtool.debug import model
from agtool.debug.arguments import parse_tolerations
from agtool.debug.pod.manifest import debug_pod, pause_config_map
from agtool.debug.pod.owner import Owner, owner_job
from agtool.debug.pod.security import Security, ways
from tests.unit.test_reference import unknown_fields

REQUEST = model.Request(name="debug-x", namespace="shop", image="alpine:3.23", lifetime=3600)


def pod(request: model.Request) -> Any:
    return debug_pod(request, ways(request)[0])


def test_names_are_valid_and_new() -> None:
    names = {model.new_name() for _ in range(1000)}
    assert len(names) > 990
    assert all(re.fullmatch(r"debug-[a-z0-9]{6}", name) for name in names)


@pytest.mark.parametrize(
    ("image", "ours"),
    [
        ("agilicus/pause", True),
        ("docker.io/agilicus/pause:latest", True),
        ("registry.example:5000/agilicus/pause@sha256:0", True),
        ("registry.example/agtool/debug:1", True),
        ("agilicus/pause-not", False),
        ("notagilicus/pause", False),
        ("python:3.12", False),
        ("registry.example:5000/python", False),
    ],
)
def test_images_of_ours(image: str, ours: bool) -> None:
    assert model.has_pause(image) is ours


REQUESTS = [
    REQUEST,
    replace(REQUEST, root=True),
    replace(REQUEST, user=1000, env={"A": "b"}, labels={"team": "red"}),
    replace(REQUEST, node="worker-1"),
    replace(REQUEST, keep=True, tools="busybox:musl", pull_policy="Never"),
    replace(
        REQUEST,
        cpu="100m",
        memory="64Mi",
        node_selector={"disk": "ssd"},
        tolerations=parse_tolerations(["all"]),
        service_account="web",
        image="agilicus/pause",
    ),
]


@pytest.mark.parametrize("request_", REQUESTS)
def test_kubernetes_knows_every_field(request_: model.Request) -> None:
    assert hasattr(client, "V1Pod")
    for security in ways(request_):
        assert unknown_fields(debug_pod(request_, security), "V1Pod", "") == []
    owner = Owner("debug-x", "uid").reference
    config_map = pause_config_map(request_, b"\x7fELF", owner)
    assert unknown_fields(config_map, "V1ConfigMap", "") == []
    assert unknown_fields(owner_job(request_), "V1Job", "") == []


def test_it_ends_by_itself() -> None:
    spec = pod(REQUEST)["spec"]
    assert spec["activeDeadlineSeconds"] == 3600
    assert spec["containers"][0]["command"] == ["/.agtool/pause", "-t", "3600", "-i", "60"]
    # Somebody comes back to a kept one. In a node's namespace there always are other processes.
    for other in (replace(REQUEST, keep=True), replace(REQUEST, node="n")):
        assert "-i" not in pod(other)["spec"]["containers"][0]["command"]


def test_the_owner_outlives_the_pod_and_makes_none() -> None:
    spec = owner_job(REQUEST)["spec"]
    assert spec["parallelism"] == 0
    assert 0 < spec["activeDeadlineSeconds"] - 3600 + spec["ttlSecondsAfterFinished"] <= 60
    assert "controller" not in Owner("debug-x", "uid").reference  # the Job would count the pod


def test_our_pause_is_a_file_of_a_config_map() -> None:
    config_map = pause_config_map(REQUEST, b"\x7fELF", {"kind": "Job", "uid": "uid-1"})
    assert b64decode(config_map["binaryData"]["pause"]) == b"\x7fELF"
    (owner,) = config_map["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"]) == ("Job", "uid-1")
    spec = pod(REQUEST)["spec"]
    (volume,) = spec["volumes"]
    assert volume["configMap"] == {"name": "debug-x", "defaultMode": 0o555}
    (mount,) = spec["containers"][0]["volumeMounts"]
    assert (mount["mountPath"], mount["readOnly"]) == ("/.agtool", True)
    assert spec["nodeSelector"]["kubernetes.io/arch"] == "amd64"


def test_own_variables_and_labels_win() -> None:
    like = model.Like(
        labels={"app": "web", "agtool/debug": "theirs"},
        container={"env": [{"name": "A", "value": "theirs"}, {"name": "B", "value": "theirs"}]},
        pod={"nodeSelector": {"disk": "hdd"}, "tolerations": [{"operator": "Exists"}]},
        user=1000,
    )
    made = pod(replace(REQUEST, like=like, env={"A": "ours"}, node_selector={"disk": "ssd"}))
    assert made["metadata"]["labels"]["agtool/debug"] == "session"
    assert made["metadata"]["labels"]["app"] == "web"
    env = {e["name"]: e["value"] for e in made["spec"]["containers"][0]["env"]}
    assert (env["A"], env["B"]) == ("ours", "theirs")
    assert made["spec"]["nodeSelector"]["disk"] == "ssd"
    assert made["spec"]["readinessGates"]  # never ready: no Service sends it traffic
    assert made["spec"]["containers"][0]["securityContext"]["runAsUser"] == 1000


def levels(found: list[Security]) -> list[str]:
    return [security.level for security in found]


def test_what_is_tried() -> None:
    assert levels(ways(REQUEST)) == ["restricted", "restricted"]
    assert levels(ways(replace(REQUEST, root=True)))[:2] == ["baseline", "restricted"]
    # A user or a node that is named is not replaced by another one.
    assert levels(ways(replace(REQUEST, user=0))) == ["baseline"]
    assert levels(ways(replace(REQUEST, user=7))) == ["restricted"]
    assert levels(ways(replace(REQUEST, node="n", root=True))) == ["privileged"]
