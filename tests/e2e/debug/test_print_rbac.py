"""What --print-rbac prints is enough for its command, and not more than that."""

import re
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]  # its stubs would be one more package

from tests.cluster.api import Object
from tests.e2e.conftest import wait_until
from tests.e2e.debug.conftest import Person, name_in
from tests.e2e.debug.test_beside import make_pod
from tests.e2e.debug.test_choice import LABELS, make, template
from tests.e2e.debug.test_forward import SERVER, answers

MakeUser = Callable[..., Path]
RAN = ("--", "sh", "-c", "echo ran; exit 3")


def printed(person: Person, *arguments: str) -> list[Object]:
    """The roles, told without asking the cluster."""
    own = person.kubeconfig
    person.kubeconfig = Path("/dev/null")
    done = person.run("--print-rbac", *arguments)
    person.kubeconfig = own
    assert done.exit_code == 0, done.stderr
    found: list[Object] = list(yaml.safe_load_all(done.stdout))
    return found


def role(person: Person, *arguments: str) -> list[Object]:
    """The rules for the namespace."""
    (found,) = [one for one in printed(person, *arguments) if one["kind"] == "Role"]
    assert found["metadata"]["namespace"] == person.namespace
    rules: list[Object] = found["rules"]
    return rules


def run_with(
    person: Person, restricted_user: MakeUser, rules: Sequence[Object], *arguments: str
) -> str:
    """Run it as somebody with exactly these rights; what it prints."""
    own = person.kubeconfig
    person.kubeconfig = restricted_user(person.cluster, rules, person.namespace)
    done = person.run(*arguments)
    person.kubeconfig = own
    assert done.exit_code in {0, 3}, (arguments, done.stderr)
    for words in ("may not", "forbidden", "could not be"):
        assert words not in done.stderr, arguments
    return done.stdout + done.stderr


def test_each_form_runs_with_exactly_that(person: Person, restricted_user: MakeUser) -> None:
    spec = {"replicas": 1, "selector": {"matchLabels": LABELS}, "template": template(person)}
    (pod,) = make(person, "apps/v1", "deployments", spec, pods=1)
    forms: list[tuple[str, ...]] = [
        (),
        ("--root",),
        ("--profile", "general"),
        ("--tools", person.cluster.images.busybox),
        ("--target", "deployment/web"),
        ("--target", f"pod/{pod}"),
        ("--target", f"pod/{pod}", "--tools", person.cluster.images.busybox),
        ("--copy", "--target", "deployment/web"),
        ("--like", "deployment/web"),
        ("--like", f"pod/{pod}"),
    ]
    for form in forms:
        rules = role(person, *form)
        assert "ran" in run_with(person, restricted_user, rules, *form, *RAN), form
    person.nothing_is_left()


def test_lists_and_kept_pods(person: Person, restricted_user: MakeUser) -> None:
    made = run_with(person, restricted_user, role(person, "--keep"), "--keep")
    name = name_in(made)
    attach = ("--attach", name)
    assert "ran" in run_with(person, restricted_user, role(person, *attach), *attach, *RAN)
    assert name in run_with(person, restricted_user, role(person, "--list"), "--list")
    running = person.start("--", "sh", "-c", "echo up >&2; sleep 600")
    running.wait_for("up\n")
    running.kill()
    orphan = name_in(running.stderr)
    rules = role(person, "--cleanup")
    assert orphan in run_with(person, restricted_user, rules, "--cleanup", "-o", "name")


def test_files_and_ports(person: Person, restricted_user: MakeUser, tmp_path: Path) -> None:
    make_pod(person, {})
    here, there, back = str(tmp_path / "here"), "pod/web-0:/dev/shm/f", str(tmp_path / "back")
    Path(here).write_text("content")
    for words in ((here, there), (there, back)):
        run_with(person, restricted_user, role(person, "--cp", *words), "--cp", *words)
    assert Path(back).read_text() == "content"
    rules = role(person, "--port-forward", ":8000")
    person.kubeconfig = restricted_user(person.cluster, rules, person.namespace)
    running = person.start("--port-forward", ":8000", "--", "sh", "-c", SERVER)
    running.wait_for("up\n")
    port = int(re.findall(r"127\.0\.0\.1:(\d+) leads", running.stderr)[0])
    wait_until(lambda: answers(port, b"text"), "the port leads to the pod's")
    running.send(signal.SIGTERM)
    running.wait()
    assert not person.pods()


def test_cleanup_in_all_namespaces(person: Person, restricted_user: MakeUser) -> None:
    running = person.start("--", "sh", "-c", "echo up >&2; sleep 600")
    running.wait_for("up\n")
    running.kill()
    ours = f"{person.namespace}/{name_in(running.stderr)}"
    told = person.elsewhere("--print-rbac", "--cleanup", "-A")
    (found,) = yaml.safe_load_all(told.stdout)
    assert found["kind"] == "ClusterRole"
    person.kubeconfig = restricted_user(person.cluster, found["rules"])

    def removed() -> bool:
        done = person.elsewhere("--cleanup", "-A", "-o", "name")
        assert done.exit_code == 0, done.stderr
        return ours in done.stdout.splitlines()

    wait_until(removed, "the pod, once its lifeline has missed agtool, is removed")
    person.nothing_is_left()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--node", "worker-1"), ("ClusterRole", ["get"])),
        ((), ("ClusterRole", ["list"])),
    ],
)
def test_nodes_are_not_in_a_namespace(
    person: Person, arguments: tuple[str, ...], told: tuple[str, list[str]]
) -> None:
    (found,) = [one for one in printed(person, *arguments) if one["kind"] == told[0]]
    assert found["rules"] == [{"apiGroups": [""], "resources": ["nodes"], "verbs": told[1]}]


def test_not_more_than_that(person: Person, restricted_user: MakeUser) -> None:
    # Each rule without which less is done is missed.
    rules = role(person)
    by_resource = {rule["resources"][0]: rule for rule in rules}
    assert set(by_resource) == {"pods", "configmaps", "jobs", "pods/exec", "events", "pods/log"}
    for resource in ("pods", "configmaps", "pods/exec"):
        fewer = [rule for rule in rules if rule["resources"] != [resource]]
        person.kubeconfig = restricted_user(person.cluster, fewer, person.namespace)
        assert person.run("--", "true").exit_code == 125, resource
