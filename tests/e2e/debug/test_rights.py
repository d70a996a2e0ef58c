"""With the rights of the how-to's manifest, and with less."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]  # its stubs would be one more package

from tests.cluster.api import Object
from tests.e2e.conftest import wait_until
from tests.e2e.debug.conftest import Person, name_in

MANIFEST = Path(__file__).parents[3] / "docs/how-to/manifests/debug-rbac.yaml"
RULES: dict[str, list[Object]] = {
    document["metadata"]["name"]: document["rules"]
    for document in yaml.safe_load_all(MANIFEST.read_text())
    if "rules" in document
}
MakeUser = Callable[..., Path]


def test_the_manifest_is_taken(person: Person) -> None:
    rbac = "/apis/rbac.authorization.k8s.io/v1"
    for document in yaml.safe_load_all(MANIFEST.read_text()):
        resource = f"{document['kind'].lower()}s"
        namespace = document["metadata"].get("namespace")
        path = (
            f"{rbac}/namespaces/{person.namespace}/{resource}"
            if namespace
            else f"{rbac}/{resource}"
        )
        if namespace:
            document["metadata"]["namespace"] = person.namespace
            person.api.post(path, document)
        else:
            person.api.post(path, document, dryRun="All")


def test_what_the_manifest_gives_is_enough(person: Person, restricted_user: MakeUser) -> None:
    rules = RULES["agtool-debug"]
    person.kubeconfig = restricted_user(person.cluster, rules, person.namespace)
    done = person.run("--", "sh", "-c", "echo ran; exit 3")
    assert (done.exit_code, done.stdout) == (3, "ran\n"), done.stderr
    name = name_in(person.run("--keep").stderr)
    assert person.run("--attach", name, "--", "echo", "again").stdout == "again\n"
    assert name in person.run("--list").stdout
    assert person.run("--cleanup", "-o", "name").stdout == ""
    # It explains, too.
    assert "Insufficient cpu" in person.run("--cpu", "4000", "--timeout", "3s", "--", "true").stderr


def test_target_and_like(person: Person, restricted_user: MakeUser) -> None:
    body = {
        "metadata": {"name": "web-0", "labels": {"app": "web"}},
        "spec": {"containers": [{"name": "web", "image": person.cluster.images.busybox}]},
    }
    person.api.post(f"/api/v1/namespaces/{person.namespace}/pods", body)
    rules = RULES["agtool-debug"] + RULES["agtool-debug-workloads"]
    person.kubeconfig = restricted_user(person.cluster, rules, person.namespace)
    done = person.run("--like", "pod/web-0", "--", "echo", "ran")
    assert (done.exit_code, done.stdout) == (0, "ran\n"), done.stderr
    pod = f"/api/v1/namespaces/{person.namespace}/pods/web-0"
    wait_until(lambda: person.api.get(pod)["status"]["phase"] == "Running", "web-0 runs")
    done = person.run("--target", "pod/web-0", "--", "echo", "ran")
    assert (done.exit_code, done.stdout) == (0, "ran\n"), done.stderr


@pytest.mark.parametrize(
    ("resource", "verb", "told"),
    [
        ("pods", "create", "may not create pods"),
        ("pods", "watch", "may not watch pods"),
        ("configmaps", "create", "may not create configmaps"),
        ("pods/exec", "get", "pods/exec"),
    ],
)
def test_a_missing_right(
    person: Person, restricted_user: MakeUser, resource: str, verb: str, told: str
) -> None:
    rules = [
        {
            **rule,
            "verbs": [v for v in rule["verbs"] if rule["resources"] != [resource] or v != verb],
        }
        for rule in RULES["agtool-debug"]
    ]
    given = [rule for rule in rules if rule["verbs"]]
    person.kubeconfig = restricted_user(person.cluster, given, person.namespace)
    done = person.run("--", "true")
    assert done.exit_code == 125
    assert told in done.stderr
    assert "Ask for a Role" in done.stderr
    assert f'"{resource}"' in done.stderr
    assert "Traceback" not in done.stderr
    assert not person.pods()


def test_without_the_right_to_remove(person: Person, restricted_user: MakeUser) -> None:
    rules = [
        {**rule, "verbs": [verb for verb in rule["verbs"] if verb != "delete"]}
        for rule in RULES["agtool-debug"]
    ]
    person.kubeconfig = restricted_user(person.cluster, rules, person.namespace)
    done = person.run("--", "sh", "-c", "exit 3")
    assert done.exit_code == 3  # the command's, all the same
    assert "could not be removed" in done.stderr
    assert '"verbs": ["delete"]' in done.stderr
    assert "ends by itself" in done.stderr


def test_as_applies_to_the_exec_too(person: Person, restricted_user: MakeUser) -> None:
    # Whoever may only impersonate has no rights of its own.
    rules = [{"apiGroups": [""], "resources": ["users", "groups"], "verbs": ["impersonate"]}]
    person.kubeconfig = restricted_user(person.cluster, rules)
    done = person.run("--", "true")
    assert (done.exit_code, "may not create configmaps" in done.stderr) == (125, True)
    admin = ("--as", "somebody", "--as-group", "system:masters")
    done = person.run(*admin, "--", "echo", "ran")
    assert (done.exit_code, done.stdout) == (0, "ran\n"), done.stderr
    done = person.run("--as", "somebody", "--", "true")
    assert "somebody may not create configmaps" in done.stderr
