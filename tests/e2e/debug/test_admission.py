"""What others' admission makes of our pod: a sidecar in it, or a refusal."""

from collections.abc import Callable
from pathlib import Path

from tests.cluster.api import Object, Refused
from tests.e2e.conftest import wait_until
from tests.e2e.debug.conftest import Person
from tests.e2e.debug.webhook import Webhook

ADMISSION = "/apis/admissionregistration.k8s.io/v1"


def admitted(person: Person) -> Object:
    """What becomes of a pod that would be made. Raises Refused."""
    body = {
        "metadata": {"name": "would-be"},
        "spec": {"containers": [{"name": "main", "image": "none"}]},
    }
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


def test_a_validating_policy_that_refuses(person: Person) -> None:
    name = f"{person.namespace}-team"
    rule = {
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "operations": ["CREATE"],
        "resources": ["pods"],
    }
    policy = {
        "matchConstraints": {"resourceRules": [rule]},
        "validations": [
            {
                "expression": "'team' in object.metadata.?labels.orValue({})",
                "message": "whose pod is it? It needs a label team",
            }
        ],
    }
    here = {"matchLabels": {"kubernetes.io/metadata.name": person.namespace}}
    binding = {
        "policyName": name,
        "validationActions": ["Deny"],
        "matchResources": {"namespaceSelector": here},
    }
    parts = {"validatingadmissionpolicies": policy, "validatingadmissionpolicybindings": binding}
    for resource, spec in parts.items():
        body = {"metadata": {"name": name}, "spec": spec}
        person.api.post(f"{ADMISSION}/{resource}", body)
    try:
        wait_until(lambda: refuses(lambda: admitted(person)), "the policy refuses a pod")
        done = person.run("--", "true")
        assert (done.exit_code, done.stdout) == (125, "")
        assert f"a policy of namespace {person.namespace} forbids the pod" in done.stderr
        assert "whose pod is it? It needs a label team" in done.stderr
        assert name in done.stderr
        assert "--label" in done.stderr
        person.nothing_is_left()
        done = person.run("--label", "team=red", "--", "echo", "ran")
        assert (done.exit_code, done.stdout) == (0, "ran\n"), done.stderr
    finally:
        for resource in parts:
            person.api.delete(f"{ADMISSION}/{resource}/{name}")


def refuses(ask: Callable[[], object]) -> bool:
    try:
        ask()
    except Refused:
        return True
    return False
