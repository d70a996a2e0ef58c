"""The pod fits what its namespace allows, and says what that means."""

import pytest

from tests.e2e.debug.conftest import Person

ID = ("--", "sh", "-c", "id -u")

ROOT = [
    "allowPrivilegeEscalation != false",
    'unrestricted capabilities (container "debug" must set',
    'securityContext.capabilities.drop=["ALL"])',
    'runAsUser=0 (container "debug" must not set runAsUser=0)',
    'seccompProfile (pod or container "debug" must set securityContext.seccompProfile.type to',
]
"""What `restricted` says of a root of ours."""

NODE = [
    "host namespaces (hostNetwork=true, hostPID=true, hostIPC=true)",
    'privileged (container "debug" must not set securityContext.privileged=true)',
]
"""What `baseline` and `restricted` say of --node."""


@pytest.mark.parametrize("level", ["restricted", "baseline", "privileged"])
def test_nothing_asked_fits_everywhere(person: Person, level: str) -> None:
    person.enforce(level)
    done = person.run(*ID)
    assert (done.exit_code, done.stdout) == (0, "65532\n"), done.stderr
    assert "restricted, user 65532" in done.stderr


def test_root_where_it_is_allowed(person: Person) -> None:
    person.enforce("baseline")
    done = person.run(
        "--root", "--", "sh", "-c", "id -u; echo x > /etc/written && cat /etc/written"
    )
    assert (done.exit_code, done.stdout) == (0, "0\nx\n"), done.stderr
    assert "baseline, root in the container" in done.stderr


def test_root_where_it_is_not(person: Person) -> None:
    person.enforce("restricted")
    done = person.run("--root", *ID)
    assert (done.exit_code, done.stdout) == (0, "65532\n"), done.stderr
    assert "restricted, user 65532" in done.stderr
    assert "does not allow what was asked for" in done.stderr
    assert 'it violates PodSecurity "restricted:latest": ' in done.stderr
    assert [words for words in ROOT if words not in done.stderr] == []


def test_a_user_that_is_named_is_not_replaced(person: Person) -> None:
    person.enforce("restricted")
    assert person.run("--user", "1234", *ID).stdout == "1234\n"
    done = person.run("--user", "0", *ID)
    assert (done.exit_code, done.stdout) == (125, "")
    assert f"a policy of namespace {person.namespace} forbids the pod" in done.stderr
    assert [words for words in ROOT if words not in done.stderr] == []
    assert "get namespaces -L pod-security.kubernetes.io/enforce" in done.stderr
    assert not person.pods()


@pytest.mark.parametrize("level", ["restricted", "baseline"])
def test_a_node_where_that_is_not_allowed(person: Person, level: str) -> None:
    person.enforce(level)
    done = person.run("--node", person.cluster.node, *ID)
    assert (done.exit_code, done.stdout) == (125, "")
    assert f'it violates PodSecurity "{level}:latest": ' in done.stderr
    assert [words for words in NODE if words not in done.stderr] == []
    assert not person.pods()


def test_a_node_where_all_is_allowed(person: Person) -> None:
    person.enforce("privileged")
    done = person.run("--node", person.cluster.node, *ID)
    assert (done.exit_code, done.stdout) == (0, "0\n"), done.stderr
