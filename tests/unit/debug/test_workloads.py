"""What is taken over from workloads, and containers beside those of a pod."""

from typing import Any

import pytest

from agtool.core.errors import ConfigurationError, UsageError
from agtool.debug.model import Request
from agtool.debug.pod.like import like_of, parse_workload
from agtool.debug.pod.security import NOBODY
from agtool.debug.pod.target import plan_container

REQUEST = Request(name="debug-x", namespace="shop", image="alpine", lifetime=60)


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        ("deployment/web", "deployment", "web"),
        ("deploy/web", "deployment", "web"),
        ("sts/web", "statefulset", "web"),
        ("Pods/web-0", "pod", "web-0"),
        ("web-0", "pod", "web-0"),
    ],
)
def test_workloads(text: str, kind: str, name: str) -> None:
    assert parse_workload("--like", text) == (kind, name)


@pytest.mark.parametrize("text", ["service/web", "deployment/", "", "a/b/c"])
def test_no_workloads(text: str) -> None:
    with pytest.raises(UsageError):
        parse_workload("--like", text)


def workload() -> dict[str, Any]:
    labels = {"app": "web", "pod-template-hash": "1", "controller-revision-hash": "2"}
    token = "/var/run/secrets/kubernetes.io/serviceaccount"
    mounts = [
        {"name": "data", "mountPath": "/data"},
        {"name": "settings", "mountPath": "/settings"},
        {"name": "token", "mountPath": token},
    ]
    spec = {
        "containers": [
            {"name": "side"},
            {"name": "web", "env": [{"name": "A"}], "volumeMounts": mounts, "livenessProbe": {}},
        ],
        "volumes": [{"name": "settings"}, {"name": "unused"}, {"name": "token"}],
        "securityContext": {"fsGroup": 7, "runAsUser": 1000},
        "nodeName": "n1",
        "priorityClassName": "high",
    }
    note = {"kubectl.kubernetes.io/default-container": "web"}
    template = {"metadata": {"labels": labels, "annotations": note}, "spec": spec}
    return {"kind": "StatefulSet", "spec": {"template": template}}


def test_what_is_taken_over() -> None:
    like = like_of("statefulset/web", workload(), None)
    assert like.labels == {"app": "web"}
    assert like.container == {
        "env": [{"name": "A"}],
        "volumeMounts": [{"name": "settings", "mountPath": "/settings"}],
    }
    assert like.pod == {
        "volumes": [{"name": "settings"}],
        "securityContext": {"fsGroup": 7, "runAsUser": 1000},
    }
    assert like.user == 1000
    assert like.dropped == ["/data"]


def test_a_container_that_is_named() -> None:
    assert like_of("x", workload(), "side").container == {}
    with pytest.raises(UsageError, match="no container 'none'"):
        like_of("x", workload(), "none")


def running(**more: Any) -> dict[str, Any]:
    container = {"name": "web", **more.pop("container", {})}
    status = {"name": "web", "state": {"running": {}}, **more.pop("status", {})}
    return {
        "metadata": {"name": "web-0", "namespace": "shop"},
        "spec": {"containers": [container], **more},
        "status": {"containerStatuses": [status]},
    }


@pytest.mark.parametrize(
    ("pod", "user"),
    [
        (running(), None),
        (running(securityContext={"runAsUser": 5}), 5),
        (running(container={"securityContext": {"runAsUser": 6}}), 6),
        (running(status={"user": {"linux": {"uid": 7}}}), 7),
        (running(securityContext={"runAsNonRoot": True}), NOBODY),
    ],
)
def test_the_user_of_a_container_beside(pod: dict[str, Any], user: int | None) -> None:
    container = plan_container(pod, REQUEST, None).container
    assert container.get("securityContext", {}).get("runAsUser") == user
    assert container["targetContainerName"] == "web"


def test_it_may_do_what_the_target_may() -> None:
    security = {"capabilities": {"drop": ["ALL"]}, "allowPrivilegeEscalation": False}
    pod = running(container={"securityContext": security})
    container = plan_container(pod, REQUEST, None).container
    assert container["securityContext"] == security


def test_a_target_that_does_not_run() -> None:
    pod = running(status={"state": {"waiting": {"reason": "CrashLoopBackOff"}}})
    with pytest.raises(ConfigurationError, match="does not run"):
        plan_container(pod, REQUEST, None)
