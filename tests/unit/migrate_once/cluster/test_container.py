"""Which containers run agtool, and how they are asked."""

from typing import Any

import pytest
import typer.main

from agtool.migrate_once.cli.command import app
from agtool.migrate_once.cli.modes import for_status_of
from agtool.migrate_once.cluster.container import Candidate, candidates
from agtool.migrate_once.words import LAUNCHER, PROGRAMS

PARAMETERS = typer.main.get_command(app).params
ANYWHERE = tuple((each,) for each in PROGRAMS)


def found(*containers: dict[str, Any], main: dict[str, Any] | None = None) -> list[Candidate]:
    """The candidates in a pod with these init containers."""
    pod = {
        "spec": {
            "initContainers": [{"name": f"c{n}", **each} for n, each in enumerate(containers)],
            "containers": [{"name": "main", "image": "shop", "command": ["/shop"], **(main or {})}],
        }
    }
    return candidates(pod, lambda arguments: for_status_of(arguments, PARAMETERS))


def one(container: dict[str, Any]) -> Candidate:
    (candidate,) = found(container)
    assert candidate.sure
    return candidate


def test_one_that_was_injected() -> None:
    command = [LAUNCHER, "migrate-once", "--key=1", "--database-url-env=URL", "--", "x"]
    candidate = one({"command": command})
    assert candidate.container == "c0"
    assert list(candidate.commands(["--limit=3"])) == [
        [LAUNCHER, "migrate-once", "--status", "--key=1", "--database-url-env=URL", "--limit=3"]
    ]


def test_command_and_args_are_one() -> None:
    candidate = one({"command": ["tini", "--", "agtool"], "args": ["migrate-once", "--host=db"]})
    assert candidate.programs == (("tini", "--", "agtool"),)
    assert candidate.options == ("--host=db",)


def test_the_entrypoint_of_the_image_is_agtool() -> None:
    candidate = one({"args": ["migrate-once", "--lock-table", "t", "--", "x"]})
    assert (candidate.programs, candidate.options) == (ANYWHERE, ("--lock-table=t",))


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        # What stands in the specification.
        (["--key=$(TAG)"], ["--key=1.4.2"]),
        (["--key", "a-$(TAG)"], ["--key=a-1.4.2"]),
        # $$ is a $ in front of what is none; the application's own names are not ours to know.
        (["--key=$$(TAG)"], ["--key=$(TAG)"]),
        (["--key=a$$$$b"], ["--key=a$$b"]),
        # What a Secret has.
        (["--database-url=$(URL)"], ["--database-url-env=URL"]),
        (["--host=$(URL)", "--port", "$(URL)"], ["--host-env=URL", "--port-env=URL"]),
        # A key that is not known here is not asked for.
        (["--key=$(URL)"], []),
        (["--key=$(NOWHERE)", "--name=n"], []),
        (["--key=1", "--name=$(URL)"], []),
        (["--name=n"], []),
        (["--key=1", "--name=n"], ["--key=1", "--name=n"]),
        # Only the agtool itself knows.
        (["--lock-table=$(URL)"], ["--like-running"]),
        (["--host=$(URL).example"], ["--like-running"]),
    ],
)
def test_variables_in_its_words(arguments: list[str], options: list[str]) -> None:
    env = [
        {"name": "TAG", "value": "1.4.2"},
        {"name": "URL", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
    ]
    command = ["/bin/agtool", "migrate-once", *arguments, "--", "x"]
    candidate = one({"command": command, "env": env})
    assert candidate.programs == (("/bin/agtool",),)
    assert list(candidate.options) == options


@pytest.mark.parametrize(
    ("script", "program"),
    [
        ("agtool migrate-once -- x", "agtool"),
        ("set -e\nexport A=1\nexec /mnt/agtool/agtool migrate-once -- x", "/mnt/agtool/agtool"),
        ("true && '/mnt/agtool' --debug migrate-once -- x", "/mnt/agtool"),
    ],
)
def test_a_script_has_it(script: str, program: str) -> None:
    candidate = one({"command": ["sh", "-c"], "args": [script]})
    assert candidate.programs[0] == (program,)
    assert candidate.options == ("--like-running",)


@pytest.mark.parametrize(
    "url", ["postgresql://u:hunter2@db/shop", "host=db password=hunter2", "postgresql://u@db/shop"]
)
def test_a_password_is_not_sent_along(url: str) -> None:
    candidate = one({"command": ["agtool", "migrate-once", "--database-url", url, "--", "x"]})
    assert candidate.refusal
    assert "hunter2" not in repr(candidate)


def test_a_url_without_a_password_is() -> None:
    candidate = one({"command": ["agtool", "migrate-once", "--database-url=sqlite:////d/a.db"]})
    assert candidate.options == ("--database-url=sqlite:////d/a.db",)
    assert not candidate.refusal


def test_those_that_may_are_asked_if_none_says_it() -> None:
    candidates = found(
        {"command": ["/app/start.sh"]}, {"restartPolicy": "Always", "image": "proxy"}
    )
    assert [(each.container, each.sure) for each in candidates] == [("c0", False), ("main", False)]
    assert {each.options for each in candidates} == {("--like-running",)}


def test_two_run_it() -> None:
    first = {"command": ["agtool", "migrate-once", "--name=a", "--key=1", "--", "x"]}
    second = {"command": ["agtool", "migrate-once", "--name=b", "--key=1", "--", "x"]}
    waits = {"command": ["agtool", "migrate-once", "--wait", "--key=1"]}
    assert [each.container for each in found(first, second, main=waits)] == ["c0", "c1", "main"]


@pytest.mark.parametrize("pod", [{}, {"spec": {}}, {"spec": {"initContainers": None}}])
def test_a_pod_without_containers(pod: dict[str, Any]) -> None:
    assert candidates(pod, lambda _: {}) == []
