"""Why it does not run: on the screen as soon as the cluster knows it, and nothing left."""

import time

import pytest

from agtool.core.kube.session import connect
from agtool.debug.interrupts import Interrupts
from agtool.debug.modes import Given
from agtool.debug.pod.wait import NotStartedError, wait_until_running
from tests.cluster.api import Object
from tests.e2e.conftest import Done, wait_until
from tests.e2e.debug.conftest import Person


def core(person: Person, resource: str) -> str:
    return f"/api/v1/namespaces/{person.namespace}/{resource}"


@pytest.mark.parametrize(
    ("arguments", "reason", "hint"),
    [
        (("--cpu", "4000"), "Insufficient cpu", "--cpu"),
        (("--node-selector", "disk=none"), "no node takes the pod", "disk=none"),
    ],
)
def test_unschedulable(person: Person, arguments: tuple[str, ...], reason: str, hint: str) -> None:
    running = person.start(*arguments, "--timeout", "4s", "--", "true")
    running.wait_for(reason)
    done = running.wait()
    assert (done.exit_code, hint in done.stderr) == (124, True), done.stderr
    assert "after 4 s (--timeout)" in done.stderr
    assert not person.pods()


def test_a_taint(person: Person) -> None:
    node = f"/api/v1/nodes/{person.cluster.node}"
    if person.cluster.kubeconfig.name != "admin.kubeconfig":
        pytest.skip("no taints on a node of somebody else's cluster")
    taint = {"key": "agtool-test", "value": "x", "effect": "NoSchedule"}
    person.api.patch(node, {"spec": {"taints": [taint]}})
    try:
        done = person.run("--timeout", "4s", "--", "true")
        assert done.exit_code == 124
        assert "agtool-test" in done.stderr
        assert "--toleration" in done.stderr
        done = person.run("--toleration", "agtool-test", "--", "echo", "here")
        assert (done.exit_code, done.stdout) == (0, "here\n"), done.stderr
    finally:
        person.api.patch(node, {"spec": {"taints": None}})


def test_an_image_that_cannot_be_pulled(person: Person) -> None:
    # Nothing listens there: the error comes at once, as for a registry that is down.
    image = "127.0.0.1:1/nothing:1"
    running = person.start("--image", image, "--timeout", "5s", "--", "true")
    running.wait_for(f"cannot pull {image}")
    done = running.wait()
    assert done.exit_code == 124, done.stderr
    assert not person.pods()


def test_what_will_not_get_better_ends_at_once(person: Person) -> None:
    done = person.run("--image", "localhost/none:1", "--image-pull-policy", "Never", "--", "true")
    assert (done.exit_code, done.seconds < 40) == (125, True)
    assert "--image-pull-policy IfNotPresent" in done.stderr
    assert not person.pods()


def test_the_reason_is_there_within_two_seconds(person: Person) -> None:
    running = person.start("--cpu", "4000", "--timeout", "30s", "--", "true")
    path = core(person, "pods")
    known = 0.0
    give_up = time.monotonic() + 60
    while "no node takes the pod" not in running.stderr:
        assert time.monotonic() < give_up
        for pod in person.api.get(path)["items"]:
            if not known and pod["status"].get("conditions"):
                known = time.monotonic()
        time.sleep(0.01)
    assert time.monotonic() - (known or time.monotonic()) < 2


def until_refused(person: Person) -> Done:
    """How a run ends once the server knows of a new quota, which takes it a moment."""
    give_up = time.monotonic() + 30
    while True:
        done = person.run("--", "true")
        if done.exit_code == 125 or time.monotonic() > give_up:
            break
    return done


def test_quota(person: Person) -> None:
    quota: Object = {"metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}}
    person.api.post(core(person, "resourcequotas"), quota)
    done = until_refused(person)
    assert done.exit_code == 125
    assert "exceeded quota: none" in done.stderr
    assert "--cleanup" in done.stderr
    assert not person.pods()


def test_a_quota_that_wants_amounts(person: Person) -> None:
    quota: Object = {"metadata": {"name": "cpu"}, "spec": {"hard": {"limits.cpu": "1"}}}
    person.api.post(core(person, "resourcequotas"), quota)
    done = until_refused(person)
    assert "add --cpu 100m" in done.stderr
    assert person.run("--cpu", "100m", "--", "true").exit_code == 0


def test_a_namespace_or_a_service_account_that_is_not_there(person: Person) -> None:
    done = person.run("-n", "no-such-namespace", "--", "true")
    assert (done.exit_code, 'namespaces "no-such-namespace" not found' in done.stderr) == (
        125,
        True,
    )
    done = person.run("--serviceaccount", "nobody", "--", "true")
    assert (done.exit_code, "--serviceaccount" in done.stderr) == (125, True)


def test_a_container_that_crashes_tells_its_last_lines(person: Person) -> None:
    # An image that counts as ours by its name runs its own main process: here one that crashes.
    workload: Object = {
        "metadata": {"name": "broken"},
        "spec": {
            "restartPolicy": "Never",
            "containers": [
                {
                    "name": "debug",
                    "image": person.cluster.images.busybox,
                    "command": ["sh", "-c", "echo one; echo two; exit 3"],
                }
            ],
        },
    }
    person.api.post(core(person, "pods"), workload)
    path = core(person, "pods/broken")
    wait_until(lambda: person.api.get(path)["status"]["phase"] == "Failed", "it crashes")
    uid = person.api.get(core(person, "pods/broken"))["metadata"]["uid"]
    with (
        connect(kubeconfig=person.kubeconfig, namespace=person.namespace, connections=3) as session,
        Interrupts() as signals,
        pytest.raises(NotStartedError) as raised,
    ):
        wait_until_running(
            session,
            "broken",
            uid,
            container="debug",
            timeout=30,
            interrupts=signals,
            given=Given(),
        )
    assert "exit code 3" in raised.value.message
    assert "one\n  two" in raised.value.message


def test_an_image_of_tools_that_cannot_be_had(person: Person) -> None:
    done = person.run("--image-pull-policy", "Never", "--tools", "localhost/none:1", "--", "true")
    assert done.exit_code == 125
    assert "cannot pull localhost/none:1: " in done.stderr


@pytest.mark.parametrize("again", [False, True])
def test_a_pod_that_was_deleted_before_we_look(person: Person, again: bool) -> None:
    body: Object = {
        "metadata": {"name": "short"},
        "spec": {"containers": [{"name": "debug", "image": person.cluster.images.pause}]},
    }
    uid = person.api.post(core(person, "pods"), body)["metadata"]["uid"]
    now = {"gracePeriodSeconds": 0}
    person.api.delete(core(person, "pods/short"), now)
    wait_until(lambda: not person.api.exists(core(person, "pods/short")), "it is gone")
    if again:  # as in a StatefulSet
        person.api.post(core(person, "pods"), body)
    with (
        connect(kubeconfig=person.kubeconfig, namespace=person.namespace, connections=3) as session,
        Interrupts() as signals,
        pytest.raises(NotStartedError, match="the pod was deleted"),
    ):
        wait_until_running(
            session,
            "short",
            uid,
            container="debug",
            timeout=60,
            interrupts=signals,
            given=Given(),
        )


def test_a_missing_volume(person: Person) -> None:
    workload: Object = {
        "metadata": {"name": "web"},
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "replicas": 0,
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {
                    "containers": [
                        {
                            "name": "web",
                            "image": person.cluster.images.busybox,
                            "volumeMounts": [{"name": "gone", "mountPath": "/gone"}],
                        }
                    ],
                    "volumes": [{"name": "gone", "secret": {"secretName": "gone"}}],
                },
            },
        },
    }
    person.api.post(f"/apis/apps/v1/namespaces/{person.namespace}/deployments", workload)
    running = person.start("--like", "deployment/web", "--timeout", "6s", "--", "true")
    running.wait_for('secret "gone" not found')
    assert running.wait().exit_code == 124
