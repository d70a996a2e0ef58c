"""Which pods nobody needs any more."""

import os
import subprocess
import sys
from datetime import datetime, timezone
from typing import Any

import pytest

from agtool.debug.pod.leftovers import is_left, judge, left_of
from agtool.debug.pod.process import identity, is_gone, maker

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=timezone.utc)


def pod(kind: str = "session", created: str = "11:59:00", **status: Any) -> dict[str, Any]:
    return {
        "metadata": {
            "name": "debug-x",
            "namespace": "shop",
            "uid": "u",
            "creationTimestamp": f"2026-01-01T{created}Z",
            "labels": {"agtool/debug": kind},
            "annotations": {"agtool/process": "somebody"},
        },
        "spec": {"activeDeadlineSeconds": 3600, "containers": [{"name": "debug", "image": "i"}]},
        "status": {"phase": "Running", **status},
    }


@pytest.mark.parametrize(
    ("found", "gone", "state"),
    [
        (pod(), False, "running"),
        (pod(phase="Pending"), False, "pending"),
        (pod(), True, "orphaned"),
        (pod(phase="Pending"), True, "orphaned"),
        (pod("kept"), True, "running"),
        (pod(phase="Failed"), False, "over"),
        (pod("kept", phase="Succeeded"), False, "over"),
        # Ours has ended, and what a webhook put beside it runs on.
        (
            pod(
                containerStatuses=[
                    {"name": "proxy", "state": {"running": {}}},
                    {"name": "debug", "state": {"terminated": {"exitCode": 0}}},
                ]
            ),
            False,
            "over",
        ),
        (
            pod(
                containerStatuses=[
                    {"name": "proxy", "state": {"terminated": {"exitCode": 1}}},
                    {"name": "debug", "state": {"running": {}}},
                ]
            ),
            False,
            "running",
        ),
        # Its lifetime is over although it never ran: the kubelet counts from its start.
        (pod("kept", created="10:30:00", phase="Pending"), False, "over"),
        # Of what runs the kubelet counts the lifetime; our own clock may be wrong.
        (pod(created="10:30:00"), False, "running"),
        (
            pod("kept", created="10:30:00", startTime="2026-01-01T11:30:00Z"),
            False,
            "running",
        ),
    ],
)
def test_states(found: dict[str, Any], gone: bool, state: str) -> None:
    assert judge(found, NOW, lambda _: gone).state == state


@pytest.mark.parametrize("lifetime", [10**12, 2**63 - 1, None])
def test_a_lifetime_without_an_end(lifetime: int | None) -> None:
    found = pod(phase="Pending")
    found["spec"]["activeDeadlineSeconds"] = lifetime
    assert judge(found, NOW, lambda _: False).ends_at is None
    found["spec"]["template"] = {"spec": found["spec"]}
    assert left_of(found).ends_at is None


def test_one_that_ends_already() -> None:
    found = pod(phase="Failed")
    found["metadata"]["deletionTimestamp"] = "2026-01-01T12:00:00Z"
    assert judge(found, NOW, lambda _: True).state == "ending"


@pytest.mark.parametrize(
    ("created", "gone", "left"),
    [("11:59:00", True, True), ("11:59:00", False, False), ("11:54:00", False, True)],
)
def test_jobs_without_a_pod(created: str, gone: bool, left: bool) -> None:
    # While its maker may still make the pod, it is left alone.
    metadata = {"creationTimestamp": f"2026-01-01T{created}Z", "annotations": {}}
    assert is_left({"metadata": metadata}, NOW, lambda _: gone) == left


def test_whose_it_is() -> None:
    assert "@" in maker()
    assert not is_gone(identity())
    code = "from agtool.debug.pod.process import identity; print(identity())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert is_gone(done.stdout.strip())


@pytest.mark.parametrize("text", ["", "x", "a/b/1/2", "boot/1/PID/1", "/////"])
def test_of_others_we_know_nothing(text: str) -> None:
    assert not is_gone(text.replace("PID", str(os.getpid())))


def test_a_number_that_another_process_has_now() -> None:
    *place, _ = identity().split("/")
    assert is_gone("/".join([*place, "1"]))
