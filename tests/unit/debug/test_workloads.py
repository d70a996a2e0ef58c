"""What is taken over from workloads, and containers beside those of a pod."""

from dataclasses import replace
from typing import Any, cast

import pytest

from agtool.core.errors import ConfigurationError, UsageError
from agtool.core.kube.session import Session
from agtool.debug.model import Request, Workload
from agtool.debug.modes import Given
from agtool.debug.pod.like import like_of, read_like
from agtool.debug.pod.security import NOBODY, ways
from agtool.debug.pod.target import plan_container
from agtool.debug.pod.unlike import without_its_root

WEB = Workload("statefulset", "web")
REQUEST = Request(name="debug-x", namespace="shop", image="alpine", lifetime=60)


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


class Rollouts:
    """A session that knows one rollout, whose pods are those of another object."""

    def get(self, path: str) -> dict[str, Any]:
        """That rollout."""
        assert path.endswith("/rollouts/web")
        return {"spec": {"workloadRef": {"kind": "PodTemplate", "name": "shape"}}}


def test_a_rollout_whose_pods_agtool_does_not_read() -> None:
    session = cast("Session", Rollouts())
    with pytest.raises(ConfigurationError, match="rollout/web has its pods from PodTemplate shape"):
        read_like(session, "shop", Workload("rollout", "web"), None)


def test_what_is_taken_over() -> None:
    like = like_of(WEB, workload(), None)
    assert like.labels == {"app": "web"}
    assert like.container == {
        "env": [{"name": "A"}],
        "volumeMounts": [{"name": "settings", "mountPath": "/settings"}],
    }
    assert like.pod == {
        "volumes": [{"name": "settings"}],
        "securityContext": {"fsGroup": 7, "runAsUser": 1000},
        "priorityClassName": "high",
    }
    assert like.user == 1000
    assert like.differences == ["its other containers (side)"]
    assert like.dropped == ["/data"]


def test_the_place_and_the_rights() -> None:
    theirs = workload()
    template = theirs["spec"]["template"]
    template["metadata"]["annotations"] |= {
        "team": "red",
        "kubectl.kubernetes.io/restartedAt": "now",
        "cni.projectcalico.org/podIP": "10.0.0.1",
        "sidecar.istio.io/inject": "true",
        "sidecar.istio.io/status": "{}",
    }
    spec = template["spec"]
    near: dict[str, Any] = {"requiredDuringSchedulingIgnoredDuringExecution": []}
    spec["affinity"] = {"nodeAffinity": near, "podAntiAffinity": near}
    spec |= {"hostNetwork": True, "hostPID": True}
    spec["initContainers"] = [{"name": "migrate"}, {"name": "log", "restartPolicy": "Always"}]
    security = {"runAsUser": 0, "runAsGroup": 8, "capabilities": {"add": ["NET_ADMIN"]}}
    spec["containers"][1] |= {"workingDir": "/srv", "securityContext": security}
    like = like_of(WEB, theirs, None)
    assert like.annotations == {"team": "red", "sidecar.istio.io/inject": "true"}
    assert like.group == 8
    assert like.container["workingDir"] == "/srv"
    assert like.pod["affinity"] == {"nodeAffinity": near}
    assert like.pod["hostNetwork"] is True
    assert like.differences == [
        "init containers (migrate), so what they prepare is missing",
        "its other containers (side, log)",
        "the processes of its node",
        "podAntiAffinity, which would keep it away from its like",
        "capabilities (NET_ADMIN)",
    ]
    (first, *_) = ways(replace(REQUEST, like=like))
    assert (first.level, first.container["runAsGroup"]) == ("privileged", 8)
    assert "in the network of its node" in first.meaning


def test_a_workload_that_runs_as_root() -> None:
    def told(*options: str) -> list[str]:
        return without_its_root(0, Given(frozenset(("--like", *options))))

    assert without_its_root(1000, Given()) == without_its_root(None, Given()) == []
    assert told() == ["its user, root (add --root)"]
    assert told("--root") == told("--user") == told("--profile") == told("--cap-add") == []


def test_a_container_that_is_named() -> None:
    assert like_of(WEB, workload(), "side").container == {}
    with pytest.raises(UsageError, match="no container 'none'"):
        like_of(WEB, workload(), "none")


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
    (way,) = plan_container(pod, REQUEST, None).ways
    container = way.container
    assert container.get("securityContext", {}).get("runAsUser") == user
    assert container["targetContainerName"] == "web"
    assert not plan_container(pod, REQUEST, None).shared


def test_whose_processes_are_seen() -> None:
    plan = plan_container(
        running(shareProcessNamespace=True, status={"containerID": "containerd://0a1b"}),
        REQUEST,
        None,
    )
    assert (plan.shared, plan.identity) == (True, "containerd://0a1b")


def contexts(pod: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    """The securityContexts that are tried for a container beside."""
    plan = plan_container(pod, replace(REQUEST, **more), None)
    return [way.container.get("securityContext", {}) for way in plan.ways]


def test_it_may_do_what_the_target_may() -> None:
    security = {"capabilities": {"drop": ["ALL"]}, "allowPrivilegeEscalation": False}
    assert contexts(running(container={"securityContext": security})) == [security]


def test_the_group_of_the_target_goes_with_its_user() -> None:
    # ptrace(2): the kernel compares both.
    pod = running(status={"user": {"linux": {"uid": 7, "gid": 8}}})
    assert contexts(pod) == [{"runAsUser": 7, "runAsGroup": 8}]
    assert contexts(pod, user=7) == [{"runAsUser": 7, "runAsGroup": 8}]
    assert contexts(pod, user=9) == [{"runAsUser": 9}]
    assert contexts(pod, user=7, group=1) == [{"runAsUser": 7, "runAsGroup": 1}]
    both = {"securityContext": {"runAsUser": 5, "runAsGroup": 6}}
    assert contexts(running(container=both)) == [{"runAsUser": 5, "runAsGroup": 6}]


ROOT = {"runAsUser": 0, "runAsNonRoot": False}


def test_root_has_more_than_a_hardened_target() -> None:
    hardened = {
        "runAsUser": 5,
        "runAsNonRoot": True,
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "seLinuxOptions": {"level": "s0:c1"},
    }
    with_files, without = contexts(running(container={"securityContext": hardened}), root=True)
    same = {"seLinuxOptions": {"level": "s0:c1"}}
    assert without == ROOT | same
    assert with_files == ROOT | same | {"capabilities": {"add": ["SYS_PTRACE"]}}
    privileged = {"securityContext": {"privileged": True}}
    assert contexts(running(container=privileged), root=True) == [{"privileged": True, **ROOT}]


def test_profiles_beside_a_target() -> None:
    # kubectl's: nothing of the target's container, but of its pod.
    pod = running(
        container={"securityContext": {"capabilities": {"drop": ["ALL"]}}},
        status={"user": {"linux": {"uid": 7, "gid": 8}}},
    )
    assert contexts(pod, profile="general") == [{"capabilities": {"add": ["SYS_PTRACE"]}}]
    assert contexts(pod, profile="netadmin", root=True) == [
        {"capabilities": {"add": ["NET_ADMIN", "NET_RAW"]}, **ROOT}
    ]
    assert contexts(pod, profile="sysadmin", root=True) == [{"privileged": True, **ROOT}]
    assert contexts(pod, profile="baseline") == [{"runAsUser": 7, "runAsGroup": 8}]
    (restricted,) = contexts(pod, profile="restricted")
    assert restricted == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsGroup": 8,
        "runAsNonRoot": True,
        "runAsUser": 7,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    of_root = running(status={"user": {"linux": {"uid": 0, "gid": 0}}})
    (restricted,) = contexts(of_root, profile="restricted")
    assert (restricted["runAsUser"], restricted["runAsNonRoot"]) == (NOBODY, True)
    assert contexts(of_root, profile="baseline")[0]["runAsUser"] == 0
    assert contexts(pod, capabilities=["SYS_TIME"], root=True) == [
        {"capabilities": {"add": ["SYS_TIME"]}, **ROOT}
    ]


def test_mounts_of_the_target() -> None:
    whole = {"name": "data", "mountPath": "/data"}
    part = {"name": "data", "mountPath": "/etc/web.conf", "subPath": "web.conf"}
    plan = plan_container(
        running(container={"volumeMounts": [whole, part]}), replace(REQUEST, mounts=True), None
    )
    assert plan.ways[0].container["volumeMounts"] == [whole]
    assert plan.left_out == ["/etc/web.conf"]


def test_a_target_that_does_not_run() -> None:
    pod = running(status={"state": {"waiting": {"reason": "CrashLoopBackOff"}}})
    with pytest.raises(ConfigurationError, match="does not run"):
        plan_container(pod, REQUEST, None)


def with_sidecar() -> dict[str, Any]:
    """A pod with a native sidecar, a container that prepares it, and one that was added."""
    running: dict[str, Any] = {"running": {}}
    prepares = {"name": "prepares"}
    proxy = {"name": "proxy", "restartPolicy": "Always", "securityContext": {"runAsUser": 1337}}
    return {
        "metadata": {"name": "web-0"},
        "spec": {
            "containers": [{"name": "web"}],
            "initContainers": [prepares, proxy],
            "ephemeralContainers": [{"name": "debug-a"}],
        },
        "status": {
            "containerStatuses": [{"name": "web", "containerID": "c://1", "state": running}],
            "initContainerStatuses": [
                {"name": "prepares", "state": {"terminated": {"exitCode": 0}}},
                {"name": "proxy", "containerID": "c://2", "state": running},
            ],
            "ephemeralContainerStatuses": [{"name": "debug-a", "state": running}],
        },
    }


def test_beside_a_native_sidecar() -> None:
    plan = plan_container(with_sidecar(), REQUEST, "proxy")
    assert (plan.target, plan.identity) == ("proxy", "c://2")
    assert plan.ways[0].container["securityContext"]["runAsUser"] == 1337
    assert plan_container(with_sidecar(), REQUEST, None).target == "web"
    with pytest.raises(UsageError) as caught:
        plan_container(with_sidecar(), REQUEST, "prepares")
    assert caught.value.hint == "Choose one of: web, proxy."
    with pytest.raises(UsageError, match="is an ephemeral one"):
        plan_container(with_sidecar(), REQUEST, "debug-a")


def test_a_native_sidecar_that_does_not_run() -> None:
    pod = with_sidecar()
    pod["status"]["initContainerStatuses"][1]["state"] = {"waiting": {}}
    with pytest.raises(ConfigurationError, match="container proxy of pod web-0 does not run"):
        plan_container(pod, REQUEST, "proxy")
