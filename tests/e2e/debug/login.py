"""People who come with a token, and commands that wait while it ends."""

from pathlib import Path

import pytest

from tests.cluster import pki
from tests.cluster.api import Object
from tests.e2e.conftest import Done, Running
from tests.e2e.debug.conftest import Person

RBAC = "/apis/rbac.authorization.k8s.io/v1"
_SIGN = "/dev/shm/go"  # noqa: S108  # in the pod
_WAITS = f"echo up >&2; until [ -e {_SIGN} ]; do sleep 0.1; done; exit 3"


@pytest.fixture
def account(person: Person) -> Object:
    """Give a service account that may do everything in the person's namespace."""
    core = f"/api/v1/namespaces/{person.namespace}/serviceaccounts"
    made = person.api.post(core, {"metadata": {"name": "ci"}})
    binding = {
        "metadata": {"name": "ci"},
        "subjects": [{"kind": "ServiceAccount", "name": "ci", "namespace": person.namespace}],
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": "cluster-admin",
        },
    }
    person.api.post(f"{RBAC}/namespaces/{person.namespace}/rolebindings", binding)
    return made


def token_of(person: Person, secret: str = "") -> str:
    """A token of the account. secret: the name of a new Secret, with which the token ends."""
    core = f"/api/v1/namespaces/{person.namespace}"
    spec: Object = {"expirationSeconds": 3600}
    if secret:
        made = person.api.post(f"{core}/secrets", {"metadata": {"name": secret}})
        bound = {"apiVersion": "v1", "kind": "Secret", "name": secret}
        spec["boundObjectRef"] = {**bound, "uid": made["metadata"]["uid"]}
    answer = person.api.post(f"{core}/serviceaccounts/ci/token", {"spec": spec})
    return str(answer["status"]["token"])


def end_with(person: Person, secret: str) -> None:
    """Let the token end that was made with a Secret."""
    person.api.delete(f"/api/v1/namespaces/{person.namespace}/secrets/{secret}")


def log_in(person: Person, token: str, folder: Path) -> None:
    """Let the person come with a token."""
    server = person.cluster
    person.kubeconfig = pki.write_kubeconfig(folder / "ci", server.url, server.ca, token)


def start_waiting(person: Person, *arguments: str) -> Running:
    """Start a command that waits for `go_on`; return when it runs."""
    running = person.start(*arguments, "--", "sh", "-c", _WAITS)
    running.wait_for("up\n")
    return running


def go_on(person: Person, running: Running, pod: str) -> Done:
    """Let the command end, whose exit code is known whatever became of the credentials."""
    person.exec(pod, "touch", _SIGN)
    done = running.wait()
    assert done.exit_code == 3, done.stderr
    return done
