"""Which options go together."""

import pytest

from agtool.core.errors import UsageError
from agtool.debug.modes import check_modes


@pytest.mark.parametrize(
    "given",
    [
        "",
        "--root",
        "--user --env --label",
        "--keep --ttl --root",
        "--list --output",
        "--cleanup --namespace --context",
        "--attach --shell --stdin --tty",
        "--target --container --root --image --env",
        "--node --image --label --keep",
        "--like --container --tools --user",
    ],
)
def test_what_goes_together(given: str) -> None:
    check_modes(set(given.split()), command=False)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("--target --node", "--target and --node"),
        ("--list --cleanup", "--list and --cleanup"),
        ("--attach --keep", "--keep and --attach"),
        ("--attach --root", "--root and --attach"),
        ("--attach --image", "--image and --attach"),
        ("--target --tools", "--tools and --target"),
        ("--target --memory", "--memory and --target"),
        ("--target --dry-run", "--dry-run and --target"),
        ("--list --keep", "--keep and --list"),
        ("--node --user", "--user and --node"),
        ("--root --user", "--root and --user"),
        ("--container", "--container does nothing here"),
        ("--output", "--output does nothing here"),
        ("--attach --timeout", "--timeout and --attach"),
        ("--node --root", "--root and --node"),
        ("--node --toleration", "--toleration and --node"),
        ("--list --image", "--image and --list"),
    ],
)
def test_what_would_be_ignored_is_refused(given: str, told: str) -> None:
    with pytest.raises(UsageError, match=told) as raised:
        check_modes(set(given.split()), command=False)
    assert raised.value.hint


def test_a_list_runs_nothing() -> None:
    with pytest.raises(UsageError, match="runs no command"):
        check_modes({"--list"}, command=True)
