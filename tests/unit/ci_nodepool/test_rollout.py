"""How far a restart is: a new pod that does not start is named, and why it does not."""

from typing import Any

import pytest

from agtool.ci_nodepool.runner.plan import RESTARTED_AT
from agtool.ci_nodepool.runner.rollout import look

DEPLOYMENT = {"metadata": {"generation": 2}, "spec": {"replicas": 1}}
# The old pod is up beside a new one, so that one is available, and not the one that is waited for.
BOTH = {"observedGeneration": 2, "replicas": 2, "updatedReplicas": 1, "availableReplicas": 1}
SCHEDULED = {"type": "PodScheduled", "status": "True"}


def pod(name: str, stamp: str, *conditions: dict[str, str], **status: Any) -> dict[str, Any]:
    metadata = {"name": name, "uid": f"uid of {name}", "annotations": {RESTARTED_AT: stamp}}
    return {"metadata": metadata, "status": {"conditions": [*conditions], **status}}


def waiting(reason: str, message: str = "", restarts: int = 0) -> list[dict[str, Any]]:
    state = {"waiting": {"reason": reason, "message": message}}
    return [{"restartCount": restarts, "state": state}]


def event(name: str, time: str, reason: str, message: str, kind: str = "Warning") -> dict[str, Any]:
    about = {"name": name, "uid": f"uid of {name}"}
    told = {"reason": reason, "message": message, "type": kind, "lastTimestamp": time}
    return {"involvedObject": about, **told}


OLD = pod("old", "before", {"type": "Ready", "status": "True"})
CREATING = pod("new", "now", SCHEDULED, containerStatuses=waiting("ContainerCreating"))
EVENTS = [
    event("new", "2026-01-01T00:00:05Z", "FailedMount", "secret token is missing"),
    event("new", "2026-01-01T00:00:01Z", "FailedMount", "earlier"),
    event("old", "2026-01-01T00:00:09Z", "Unhealthy", "of another pod"),
    event("new", "2026-01-01T00:00:09Z", "Pulled", "no trouble", "Normal"),
]


@pytest.mark.parametrize(
    ("new", "events", "why"),
    [
        (CREATING, EVENTS, "FailedMount: secret token is missing"),
        (CREATING, [], "starting"),
        (pod("new", "now"), [], "starting"),
        (
            pod("new", "now", {"type": "PodScheduled", "status": "False", "message": "no node"}),
            [],
            "not scheduled: no node",
        ),
        (
            pod("new", "now", initContainerStatuses=waiting("ImagePullBackOff", "no such image")),
            EVENTS,
            "ImagePullBackOff: no such image",
        ),
    ],
)
def test_a_new_pod_that_does_not_start(
    new: dict[str, Any], events: list[dict[str, Any]], why: str
) -> None:
    found = look({**DEPLOYMENT, "status": BOTH}, [OLD, new], "now", events)
    assert (found.done, found.failed, found.pod) == (False, False, "new")
    assert found.text == f"0 of 1 new pods ready; pod new: {why}"


def test_what_will_not_get_better_fails_at_once() -> None:
    new = pod("new", "now", initContainerStatuses=waiting("CrashLoopBackOff", "exit 1", 2))
    found = look({**DEPLOYMENT, "status": BOTH}, [OLD, new], "now")
    assert (found.failed, found.text) == (True, "pod new: CrashLoopBackOff: exit 1")


def test_a_pod_that_cannot_be_made() -> None:
    refused = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota: small"}
    status = {"observedGeneration": 2, "replicas": 1, "conditions": [refused]}
    found = look({**DEPLOYMENT, "status": status}, [OLD], "now")
    assert found.text == "0 of 1 new pods exist; no pod can be made: exceeded quota: small"


def test_the_new_pod_is_ready() -> None:
    new = pod("new", "now", {"type": "Ready", "status": "True"})
    found = look({**DEPLOYMENT, "status": {**BOTH, "availableReplicas": 2}}, [OLD, new], "now")
    assert (found.done, found.text) == (False, "waiting for the old pod to end")
    gone = {**BOTH, "replicas": 1}
    assert look({**DEPLOYMENT, "status": gone}, [new], "now").done
