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
        ("--attach --keep", "--keep has no effect with --attach"),
        ("--attach --root", "--root has no effect with --attach"),
        ("--attach --image", "--image has no effect with --attach"),
        ("--target --tools", "--tools has no effect with --target"),
        ("--target --memory", "--memory has no effect with --target"),
        ("--target --dry-run", "--dry-run has no effect with --target"),
        ("--list --keep", "--keep has no effect with --list"),
        ("--node --user", "--user has no effect with --node"),
        ("--root --user", "--root and --user"),
        ("--container", "--container has no effect without --target, --like or --cp"),
        ("--output", "--output has no effect without --list or --cleanup"),
        ("--attach --timeout", "--timeout has no effect with --attach"),
        ("--node --root", "--root has no effect with --node"),
        ("--node --toleration", "--toleration has no effect with --node"),
        ("--list --image", "--image has no effect with --list"),
    ],
)
def test_what_would_be_ignored_is_refused(given: str, told: str) -> None:
    with pytest.raises(UsageError, match=told) as raised:
        check_modes(set(given.split()), command=False)
    assert raised.value.hint


def test_a_shell_beside_a_command() -> None:
    with pytest.raises(UsageError, match="--shell has no effect with a COMMAND"):
        check_modes({"--shell"}, command=True)


def test_a_list_runs_nothing() -> None:
    with pytest.raises(UsageError, match="runs no command"):
        check_modes({"--list"}, command=True)
