"""A container that has ended, of whose end the API server does not know yet.

A kubelet tells up to a second late, and later while the API server is busy. Here a policy refuses
what it tells, so that it stays so.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cluster.api import Refused
from tests.e2e.conftest import wait_until
from tests.e2e.debug.conftest import Person

GROUP = "/apis/admissionregistration.k8s.io/v1"
KINDS = {
    "validatingadmissionpolicies": "ValidatingAdmissionPolicy",
    "validatingadmissionpolicybindings": "ValidatingAdmissionPolicyBinding",
}


@contextmanager
def statuses_stay(person: Person) -> Iterator[None]:
    """Refuse what is told of the pods of a namespace."""
    name = f"statuses-stay-{person.namespace}"
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["UPDATE"]}
    policy = {
        "matchConstraints": {"resourceRules": [{**rule, "resources": ["pods/status"]}]},
        "validations": [{"expression": f"object.metadata.namespace != '{person.namespace}'"}],
    }
    binding = {"policyName": name, "validationActions": ["Deny"]}
    path = f"/api/v1/namespaces/{person.namespace}/pods/web-0/status"

    def in_force() -> bool:
        try:
            person.api.patch(path, {"status": {"message": "tried"}})
        except Refused as error:
            return name in error.message
        return False

    try:
        for plural, spec in zip(KINDS, (policy, binding), strict=True):
            body = {"metadata": {"name": name}, "kind": KINDS[plural], "spec": spec}
            person.api.post(f"{GROUP}/{plural}", {**body, "apiVersion": GROUP[len("/apis/") :]})
        wait_until(in_force, "the policy is in force")
        yield
    finally:
        for plural in reversed(KINDS):
            person.api.delete(f"{GROUP}/{plural}/{name}")


@pytest.fixture
def ended(person: Person) -> Iterator[Person]:
    """A pod web-0 that runs by its status, and whose container has ended."""
    script = "while [ ! -e /go ]; do sleep 0.1; done"
    web = {"name": "web", "image": person.cluster.images.busybox, "command": ["sh", "-c", script]}
    path = f"/api/v1/namespaces/{person.namespace}/pods"
    spec = {"containers": [web], "restartPolicy": "Never"}
    person.api.post(path, {"metadata": {"name": "web-0"}, "spec": spec})

    def runs() -> bool:
        return bool(person.api.get(f"{path}/web-0")["status"]["phase"] == "Running")

    def is_over() -> bool:
        return "there" not in person.exec("web-0", "echo", "there", container="web")

    wait_until(runs, "web-0 runs")
    with statuses_stay(person):
        person.exec("web-0", "touch", "/go", container="web")
        wait_until(is_over, "the container ends")
        assert runs()
        yield person


@pytest.mark.parametrize(
    "sides",
    [("pod/web-0:/etc/passwd", "here"), ("here", "pod/web-0:/tmp/there")],
    ids=["out", "in"],
)
def test_no_file_is_copied(ended: Person, tmp_path: Path, sides: tuple[str, str]) -> None:
    here = tmp_path / "here"
    if sides[0] == "here":
        here.write_text("x")
    done = ended.run("--cp", *(str(here) if one == "here" else one for one in sides))
    assert done.exit_code == 125, done.stderr
    assert "container web of pod web-0 does not run" in done.stderr
    assert "agtool debug" in done.stderr
    assert "500" not in done.stderr
    assert here.exists() == (sides[0] == "here")
