"""The pod fits what its namespace allows, and says what that means."""

from collections.abc import Callable

import pytest

from tests.e2e.debug.conftest import Person

ID = ("--", "sh", "-c", "id -u")
Enforce = Callable[[str], None]


@pytest.fixture
def enforce(person: Person) -> Enforce:
    """Give the function that makes the namespace enforce a level of the Pod Security Standards."""

    def make(level: str) -> None:
        labels = {"pod-security.kubernetes.io/enforce": level}
        path = f"/api/v1/namespaces/{person.namespace}"
        person.api.patch(path, {"metadata": {"labels": labels}})

    return make


@pytest.mark.parametrize("level", ["restricted", "baseline", "privileged"])
def test_nothing_asked_fits_everywhere(person: Person, enforce: Enforce, level: str) -> None:
    enforce(level)
    done = person.run(*ID)
    assert (done.exit_code, done.stdout) == (0, "65532\n"), done.stderr
    assert "restricted, user 65532" in done.stderr


def test_root_where_it_is_allowed(person: Person, enforce: Enforce) -> None:
    enforce("baseline")
    done = person.run(
        "--root", "--", "sh", "-c", "id -u; echo x > /etc/written && cat /etc/written"
    )
    assert (done.exit_code, done.stdout) == (0, "0\nx\n"), done.stderr
    assert "baseline, root in the container" in done.stderr


def test_root_where_it_is_not(person: Person, enforce: Enforce) -> None:
    enforce("restricted")
    done = person.run("--root", *ID)
    assert (done.exit_code, done.stdout) == (0, "65532\n"), done.stderr
    assert "restricted, user 65532" in done.stderr
    assert "does not allow what was asked for" in done.stderr
    assert 'violates PodSecurity "restricted:latest"' in done.stderr
    assert "no package installs" in done.stderr


def test_a_user_that_is_named_is_not_replaced(person: Person, enforce: Enforce) -> None:
    enforce("restricted")
    assert person.run("--user", "1234", *ID).stdout == "1234\n"
    done = person.run("--user", "0", *ID)
    assert (done.exit_code, done.stdout) == (125, "")
    assert "a policy of namespace" in done.stderr
    assert not person.pods()


def test_a_node_where_that_is_not_allowed(person: Person, enforce: Enforce) -> None:
    enforce("baseline")
    done = person.run("--node", person.cluster.node, *ID)
    assert (done.exit_code, done.stdout) == (125, "")
    assert "host namespaces" in done.stderr
    assert not person.pods()
