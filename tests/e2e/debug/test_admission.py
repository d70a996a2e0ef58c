"""What others' admission makes of our pod: a sidecar in it, or a refusal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cluster.api import Object, Refused
from tests.e2e.conftest import wait_until
from tests.e2e.debug.conftest import Person, name_in
from tests.e2e.debug.webhook import Webhook

ADMISSION = "/apis/admissionregistration.k8s.io/v1"


def admitted(person: Person) -> Object:
    """What becomes of a pod that would be made, which Pod Security allows. Raises Refused."""
    context = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    container = {"name": "main", "image": "none", "securityContext": context}
    body = {"metadata": {"name": "would-be"}, "spec": {"containers": [container]}}
    return person.api.post(f"/api/v1/namespaces/{person.namespace}/pods", body, dryRun="All")


def test_a_native_sidecar_that_is_injected(person: Person, tmp_path: Path) -> None:
    sidecar = {
        "name": "proxy",
        "image": person.cluster.images.busybox,
        "imagePullPolicy": "Never",
        "restartPolicy": "Always",
    }
    patch = [{"op": "add", "path": "/spec/initContainers", "value": [sidecar]}]
    with Webhook(person.cluster, person.api, person.namespace, patch, tmp_path):
        wait_until(lambda: admitted(person)["spec"].get("initContainers"), "the webhook is asked")
        script = "echo up >&2; until [ -e /dev/shm/go ]; do sleep 0.1; done; echo ran; exit 3"
        running = person.start("--", "sh", "-c", script)
        running.wait_for("up\n")
        pod = person.pod()
        (beside,) = pod["status"]["initContainerStatuses"]
        assert (beside["name"], "running" in beside["state"]) == ("proxy", True)
        person.exec(pod["metadata"]["name"], "touch", "/dev/shm/go")  # noqa: S108  # in the pod
        done = running.wait()
        assert (done.exit_code, done.stdout) == (3, "ran\n"), done.stderr
        assert "container proxy" not in done.stderr
        person.nothing_is_left()


def test_a_sidecar_that_outlives_us(person: Person, tmp_path: Path) -> None:
    sidecar = {
        "name": "proxy",
        "image": person.cluster.images.busybox,
        "imagePullPolicy": "Never",
        "command": ["sleep", "600"],
    }
    patch = [{"op": "add", "path": "/spec/containers/-", "value": sidecar}]
    with Webhook(person.cluster, person.api, person.namespace, patch, tmp_path):
        wait_until(lambda: len(admitted(person)["spec"]["containers"]) == 2, "the webhook is asked")
        running = person.start("--", "sh", "-c", "echo up >&2; sleep 600")
        running.wait_for("up\n")
    name = name_in(running.stderr)
    running.kill()
    assert f"{name}  orphaned" in person.run("--list").stdout
    person.exec(name, "kill", "1")

    def ended() -> bool:
        states = {one["name"]: one["state"] for one in person.pod()["status"]["containerStatuses"]}
        return "terminated" in states["debug"] and "running" in states["proxy"]

    wait_until(ended, "our container has ended, and the other one runs on")
    assert person.pod()["status"]["phase"] == "Running"
    assert f"{name}  over" in person.run("--list").stdout
    assert person.run("--cleanup", "-o", "name").stdout == f"{name}\n"
    person.nothing_is_left()


@contextmanager
def policy(person: Person, expression: str, message: str) -> Iterator[str]:
    """Let the namespace refuse pods, from `with` to its end; gives the policy's name."""
    name = f"{person.namespace}-podsecurity"  # its name says nothing of what it is for
    rule = {
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "operations": ["CREATE"],
        "resources": ["pods"],
    }
    spec = {
        "matchConstraints": {"resourceRules": [rule]},
        "validations": [{"expression": expression, "message": message}],
    }
    here = {"matchLabels": {"kubernetes.io/metadata.name": person.namespace}}
    binding = {
        "policyName": name,
        "validationActions": ["Deny"],
        "matchResources": {"namespaceSelector": here},
    }
    parts = {"validatingadmissionpolicies": spec, "validatingadmissionpolicybindings": binding}
    for resource, each in parts.items():
        person.api.post(f"{ADMISSION}/{resource}", {"metadata": {"name": name}, "spec": each})
    try:
        wait_until(lambda: refuses(lambda: admitted(person)), "the policy refuses a pod")
        yield name
    finally:
        for resource in parts:
            person.api.delete(f"{ADMISSION}/{resource}/{name}")


def test_a_validating_policy_that_refuses(person: Person) -> None:
    words = "whose pod is it? It needs a label team"
    with policy(person, "'team' in object.metadata.?labels.orValue({})", words) as name:
        done = person.run("--", "true")
        assert (done.exit_code, done.stdout) == (125, "")
        assert f"a policy of namespace {person.namespace} forbids the pod" in done.stderr
        assert words in done.stderr
        assert name in done.stderr
        assert "--label" in done.stderr
        person.nothing_is_left()
        done = person.run("--label", "team=red", "--", "echo", "ran")
        assert (done.exit_code, done.stdout) == (0, "ran\n"), done.stderr


def test_a_policy_that_wants_an_annotation_is_no_pod_security(person: Person) -> None:
    person.enforce("restricted")
    words = "it needs an annotation team"
    with policy(person, "'team' in object.metadata.?annotations.orValue({})", words):
        # As root it is refused for both reasons; asking for less helps with one of them.
        done = person.run("--root", "--", "true")
        assert (done.exit_code, done.stdout) == (125, "")
        assert words in done.stderr
        assert "violates PodSecurity" not in done.stderr
        assert "-L pod-security" not in done.stderr
        assert "--annotation" in done.stderr
        done = person.run("--root", "--annotation", "team=the red one", "--", "echo", "ran")
        assert (done.exit_code, done.stdout) == (0, "ran\n"), done.stderr
        assert "violates PodSecurity" in done.stderr


def test_labels_that_a_webhook_changes(person: Person, tmp_path: Path) -> None:
    patch = [
        {"op": "add", "path": "/metadata/labels/team", "value": "blue"},
        {"op": "remove", "path": "/metadata/annotations/cost"},
    ]
    asked = ("--label", "team=red", "--label", "kept=yes", "--annotation", "cost=5")
    with Webhook(person.cluster, person.api, person.namespace, patch, tmp_path):
        body = {
            "metadata": {"name": "would-be", "labels": {"a": "b"}, "annotations": {"cost": "1"}},
            "spec": {"containers": [{"name": "main", "image": "none"}]},
        }
        pods = f"/api/v1/namespaces/{person.namespace}/pods"

        def patched() -> bool:
            made = person.api.post(pods, body, dryRun="All")
            return "team" in made["metadata"]["labels"]

        wait_until(patched, "the webhook is asked")
        done = person.run(*asked, "--", "true")
    assert done.exit_code == 0, done.stderr
    assert "label team is 'blue' instead of 'red'" in done.stderr
    assert "annotation cost is not there instead of '5'" in done.stderr
    assert "kept" not in done.stderr


def test_a_namespace_that_takes_no_config_map(person: Person) -> None:
    quota = {"metadata": {"name": "none"}, "spec": {"hard": {"count/configmaps": "0"}}}
    path = f"/api/v1/namespaces/{person.namespace}/resourcequotas"
    person.api.post(path, quota)
    wait_until(lambda: person.api.get(f"{path}/none")["status"].get("used"), "the quota counts")
    done = person.run("--", "true")
    assert (done.exit_code, done.stdout) == (125, "")
    assert "the ConfigMap of the pod cannot be made: " in done.stderr
    assert "exceeded quota" in done.stderr
    assert "--pause-image" in done.stderr
    person.nothing_is_left()
    image = {"AGTOOL_DEBUG_PAUSE_IMAGE": person.cluster.images.pause}
    done = person.run("--", "sh", "-c", "cat /proc/1/comm; exit 3", env=image)
    assert (done.exit_code, done.stdout) == (3, "pause\n"), done.stderr
    person.nothing_is_left()


def refuses(ask: Callable[[], object]) -> bool:
    try:
        ask()
    except Refused:
        return True
    return False
