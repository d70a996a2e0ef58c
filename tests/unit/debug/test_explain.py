"""What a pod and its events say."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agtool.debug.pod.explain import start_state


def pod(*, waiting: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    state = {"state": {"waiting": waiting}} if waiting else {}
    status: dict[str, Any] = {"phase": "Pending"}
    if state:
        status["containerStatuses"] = [{"name": "debug", "image": "x:1", **state}]
    spec = {"nodeName": "n1", "containers": [{"name": "debug", "image": "x:1"}]}
    return {"metadata": {}, "spec": spec, "status": {**status, **more}}


def event(reason: str, message: str = "", path: str = "") -> dict[str, Any]:
    return {"reason": reason, "message": message, "involvedObject": {"fieldPath": path}}


def terminated(**state: Any) -> dict[str, Any]:
    return pod(containerStatuses=[{"name": "debug", "state": {"terminated": state}}])


def unschedulable(message: str) -> dict[str, Any]:
    condition = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": message,
    }
    found = pod(conditions=[condition])
    found["spec"] = {"nodeSelector": {"kubernetes.io/arch": "amd64"}}
    return found


def test_the_way_of_a_pod() -> None:
    new: dict[str, Any] = {"metadata": {}, "spec": {}, "status": {"phase": "Pending"}}
    assert start_state(new, []).stage == "waiting for a node"
    assert start_state(pod(), []).stage == "starting on n1"
    assert start_state(pod(), [event("Pulling")]).stage == "pulling x:1 on n1"
    assert start_state(pod(), [event("Pulling"), event("Pulled")]).stage == "starting on n1"
    running = pod(containerStatuses=[{"name": "debug", "state": {"running": {}}}])
    assert start_state(running, []).running


def test_the_event_comes_before_the_status() -> None:
    started = event("Started", path="spec.containers{debug}")
    assert start_state(pod(), [started]).running
    assert not start_state(pod(), [event("Started", path="spec.initContainers{tools}")]).running
    crashed = terminated(exitCode=1, reason="Error")
    assert not start_state(crashed, [started]).running


PULL = 'Failed to pull image "x:1": rpc error: code = NotFound desc = '
REFERENCE = 'failed to pull and unpack image "docker.io/library/x:1": failed to resolve reference'


@pytest.mark.parametrize(
    ("found", "problem", "hint", "hopeless"),
    [
        (
            unschedulable("0/1 nodes are available: 1 Insufficient cpu."),
            "0/1 nodes are available: 1 Insufficient cpu",
            "--cpu",
            False,
        ),
        (
            unschedulable("0/2 nodes are available: 2 node(s) had taint {a: b}. preemption: 0/2"),
            "0/2 nodes are available: 2 node(s) had taint {a: b}",
            "--toleration",
            False,
        ),
        (
            unschedulable("0/1 nodes are available: 1 node(s) didn't match Pod's node selector."),
            "0/1 nodes are available: 1 node(s) didn't match Pod's node selector",
            "kubernetes.io/arch=amd64",
            False,
        ),
        (
            pod(waiting={"reason": "ImagePullBackOff", "message": "Back-off pulling image x:1"}),
            f"cannot pull x:1: {REFERENCE.partition(': ')[2]}: not found",
            "name and tag",
            True,
        ),
        (
            pod(waiting={"reason": "InvalidImageName", "message": "invalid reference format"}),
            f"cannot pull x:1: {REFERENCE.partition(': ')[2]}: not found",
            "name and tag",
            True,
        ),
        (
            pod(
                waiting={"reason": "CreateContainerConfigError", "message": 'secret "s" not found'}
            ),
            'secret "s" not found',
            "Create it",
            True,
        ),
        (
            terminated(
                exitCode=128,
                reason="StartError",
                message="failed to create containerd task: OCI runtime create failed: unable to "
                "start container process: exec /.agtool/pause: exec format error: unknown",
            ),
            "exec /.agtool/pause: exec format error",
            "--node-selector",
            True,
        ),
        (
            terminated(exitCode=137, reason="OOMKilled"),
            "OOMKilled",
            "--memory",
            True,
        ),
        (terminated(exitCode=3, reason="Error"), "exit code 3", "", True),
        (
            pod(phase="Failed", reason="DeadlineExceeded"),
            "--ttl",
            "",
            True,
        ),
        (
            pod(phase="Failed", reason="Evicted", message="low on memory"),
            "Evicted: low on memory",
            "",
            True,
        ),
    ],
)
def test_problems(found: dict[str, Any], problem: str, hint: str, hopeless: bool) -> None:
    state = start_state(found, [event("Failed", f"{PULL}{REFERENCE}: not found")])
    assert (problem in state.problem, state.hopeless) == (True, hopeless), state
    assert hint in state.hint


def test_what_is_repeated_until_it_works() -> None:
    mount = event("FailedMount", 'MountVolume.SetUp failed: secret "s" not found')
    state = start_state(pod(), [mount])
    assert 'n1: MountVolume.SetUp failed: secret "s" not found' in state.problem
    assert not state.hopeless
    assert not start_state(pod(), [mount, event("Pulled")]).problem
    slow = event("FailedMount", "failed to sync configmap cache: timed out waiting")
    assert not start_state(pod(), [slow]).problem
    own = pod()
    own["metadata"]["name"] = "debug-x7k2mp"
    early = event("FailedMount", 'MountVolume.SetUp failed: configmap "debug-x7k2mp" not found')
    assert not start_state(own, [early]).problem
    assert start_state(pod(), [early]).problem


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        ("CreateContainerConfigError", "failed to sync secret cache: timed out waiting"),
        ("CreateContainerError", "context deadline exceeded"),
        ("CreateContainerError", 'name "debug_0" is reserved for "7219"'),
    ],
)
def test_a_start_that_is_tried_again(reason: str, message: str) -> None:
    state = start_state(pod(waiting={"reason": reason, "message": message}), [])
    assert (state.hopeless, message in state.problem) == (False, True)


def test_a_pod_that_somebody_deletes() -> None:
    found = pod()
    found["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert start_state(found, []).problem == "the pod was deleted"


def test_ephemeral_and_init_containers() -> None:
    states = [{"name": "debug-x", "state": {"running": {}}}]
    assert start_state(pod(ephemeralContainerStatuses=states), [], "debug-x").running
    tools = [{"name": "tools", "image": "t", "state": {"terminated": {"exitCode": 1}}}]
    assert start_state(pod(initContainerStatuses=tools), []).problem.startswith("container tools")
    done = [{"name": "tools", "state": {"terminated": {"exitCode": 0}}}]
    assert not start_state(pod(initContainerStatuses=done), []).problem


def test_a_native_sidecar_does_not_hide_our_container() -> None:
    def beside(**status: Any) -> dict[str, Any]:
        found = pod(initContainerStatuses=[{"name": "proxy", **status}])
        found["spec"]["initContainers"] = [{"name": "proxy", "restartPolicy": "Always"}]
        return found

    started = [event("Started", path="spec.containers{debug}")]
    running: dict[str, Any] = {"running": {}}
    assert start_state(beside(state=running, started=True), started).running
    assert start_state(beside(state=running, started=False), []).stage.startswith("container proxy")
    crashed = start_state(beside(state={"terminated": {"exitCode": 1}}), [])
    assert (crashed.hopeless, crashed.problem) == (False, "container proxy ended: exit code 1")


@given(st.text(), st.text())
def test_no_reason_and_no_message_raises(reason: str, message: str) -> None:
    waiting = pod(waiting={"reason": reason, "message": message})
    assert start_state(waiting, [event(reason, message)]) is not None


def test_the_lifetime_of_a_container_beside_another() -> None:
    def ended(code: int) -> str:
        states = [{"name": "debug-x", "state": {"terminated": {"exitCode": code}}}]
        return start_state(pod(ephemeralContainerStatuses=states), [], "debug-x").problem

    assert ended(0) == "container debug-x ended: its lifetime (--ttl) is over"
    assert ended(129) == "container debug-x ended: its session is over"
    assert ended(137) == "container debug-x ended: signal 9"
