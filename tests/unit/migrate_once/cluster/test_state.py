"""Where a container is, by the pod's status as an API server has it."""

import json
from datetime import datetime, timezone
from typing import Any

import pytest

from agtool.migrate_once.cluster.state import State, state

OURS = "migrate"
BEGAN, ENDED = "2026-11-29T08:00:00Z", "2026-11-29T08:00:07Z"
AT_END = datetime(2026, 11, 29, 8, 0, 7, tzinfo=timezone.utc)


def pod(*statuses: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A pod whose init containers are `before`, `proxy` (a sidecar) and ours."""
    return {
        "spec": {
            "nodeName": "node-1",
            "initContainers": [
                {"name": "before"},
                {"name": "proxy", "restartPolicy": "Always"},
                {"name": OURS},
            ],
        },
        "status": {"phase": "Pending", "initContainerStatuses": list(statuses), **more},
    }


def ended(code: int, message: str = "", reason: str = "") -> dict[str, Any]:
    reason = reason or ("Error" if code else "Completed")
    return {
        "terminated": {
            "exitCode": code,
            "reason": reason,
            "startedAt": BEGAN,
            "finishedAt": ENDED,
            "message": message,
        }
    }


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    return {"waiting": {"reason": reason, "message": message}}


INITIALIZING = {"name": OURS, "state": waiting("PodInitializing")}


def result(**data: Any) -> str:
    """A result file, as agtool writes it."""
    document = {"version": 2, "command": "migrate-once", "data": data, "errors": []}
    return json.dumps(document) + "\n"


def test_it_runs() -> None:
    found = state(pod({"name": OURS, "state": {"running": {"startedAt": ENDED}}}), OURS)
    assert found == State("running", AT_END)


def test_it_has_ended() -> None:
    message = result(outcome="ran", key="1", ran_seconds=2.5, reason=None)
    found = state(pod({"name": OURS, "state": ended(0, message), "restartCount": 1}), OURS)
    assert found[:5] == ("done", AT_END, 0, 1, "its container has ended")
    assert found.result
    assert found.result["outcome"] == "ran"


@pytest.mark.parametrize("message", ["", "{", "[]", "null", '{"command": "debug"}', "done\n"])
def test_a_message_that_is_no_result(message: str) -> None:
    found = state(pod({"name": OURS, "state": ended(0, message)}), OURS)
    assert (found.kind, found.result) == ("done", None)


def test_a_crash_loop_says_how_it_ended() -> None:
    error = {"code": "unreachable", "message": "cannot reach db:5432: refused"}
    message = json.dumps({"command": "migrate-once", "data": {}, "errors": [error]})
    status = {
        "name": OURS,
        "state": waiting("CrashLoopBackOff", "back-off 40s"),
        "lastState": ended(125, message),
        "restartCount": 4,
    }
    found = state(pod(status), OURS)
    assert found[:4] == ("failed", AT_END, 125, 4)
    assert found.reason == (
        "its container has ended with exit code 125 (Error) and waits for its next start "
        "(CrashLoopBackOff): cannot reach db:5432: refused"
    )


def test_the_reason_of_the_command_and_the_end_of_a_log() -> None:
    failed = result(outcome="attempts-exhausted", reason="it has failed 3 times")
    found = state(pod({"name": OURS, "state": ended(125, failed)}), OURS)
    assert found.reason.endswith("exit code 125 (Error): it has failed 3 times")
    found = state(pod({"name": OURS, "state": ended(1, "one\nrelation exists\n")}), OURS)
    assert found.reason.endswith("(Error): relation exists")


def test_the_pod_is_over() -> None:
    status = {"name": OURS, "state": ended(137, reason="OOMKilled")}
    found = state(pod(status, phase="Failed", reason="DeadlineExceeded"), OURS)
    assert found.kind == "failed"
    assert "(OOMKilled), and the pod is over (DeadlineExceeded)" in found.reason


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (pod(INITIALIZING), "it has not been started yet"),
        (
            pod({"name": OURS, "state": waiting("ImagePullBackOff", "no such image")}),
            "it cannot start: ImagePullBackOff: no such image",
        ),
        (
            pod({"name": "before", "state": {"running": {}}}, INITIALIZING),
            "container before runs before it",
        ),
        (
            pod({"name": "proxy", "state": {"running": {}}, "started": False}, INITIALIZING),
            "container proxy runs before it",
        ),
        (
            pod({"name": "proxy", "state": {"running": {}}, "started": True}, INITIALIZING),
            "it has not been started yet",
        ),
        (
            pod({"name": "before", "state": ended(0)}, INITIALIZING),
            "it has not been started yet",
        ),
        (
            pod({"name": "before", "state": ended(3)}, INITIALIZING),
            "container before has failed with exit code 3",
        ),
        (
            pod(
                {
                    "name": "before",
                    "state": waiting("CrashLoopBackOff"),
                    "lastState": ended(3),
                },
                INITIALIZING,
            ),
            "container before has failed with exit code 3 (CrashLoopBackOff)",
        ),
        (
            pod({"name": "before", "state": waiting("ErrImagePull", "denied")}, INITIALIZING),
            "container before cannot start: ErrImagePull: denied",
        ),
        (
            pod(phase="Failed", reason="Evicted", message="low on memory"),
            "the pod is over: Evicted: low on memory",
        ),
        ({}, "the pod has no node yet"),
        (
            {
                "status": {
                    "phase": "Pending",
                    "conditions": [
                        {"type": "PodScheduled", "status": "False", "message": "0/3 nodes\n fit"}
                    ],
                }
            },
            "the pod has no node: 0/3 nodes fit",
        ),
    ],
)
def test_why_it_has_not_been_started(made: dict[str, Any], reason: str) -> None:
    found = state(made, OURS)
    assert (found.kind, found.since, found.reason) == ("pending", None, reason)
