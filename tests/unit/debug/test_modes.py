"""Which options go together."""

import pytest

from agtool.core.errors import UsageError
from agtool.debug.modes import check_modes, check_profile


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
        "--target --container --root --image --env --profile --cap-add --custom --mounts",
        "--target --tools --pod-index --ttl --print-rbac",
        "--copy --target --container --image --env --label --keep --root --dry-run --pod-index",
        "--list --all-namespaces --print-rbac",
        "--node --profile --cap-add --custom",
        "--profile --cap-add --custom --hostname --image-pull-secret --root",
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
        ("--target --tools --root", "--root has no effect with --target and --tools"),
        ("--target --tools --image", "--image has no effect with --target and --tools"),
        ("--target --image-pull-secret", "--image-pull-secret has no effect with --target"),
        ("--copy", "--copy does not say of which pod"),
        ("--copy --target --mounts", "--mounts has no effect with --copy"),
        ("--copy --target --like", "--copy and --like do not go together"),
        ("--mounts", "--mounts has no effect without --target"),
        ("--pod-index", "--pod-index has no effect without --target"),
        ("--all-namespaces", "--all-namespaces has no effect without --list or --cleanup"),
        ("--list --all-namespaces --namespace", "--all-namespaces and --namespace"),
        ("--print-rbac --dry-run", "--dry-run and --print-rbac"),
        ("--hostname --host-network", "--host-network and --hostname"),
        ("--node --cap-add", "--cap-add has no effect with --node"),
        ("--node --hostname", "--hostname has no effect with --node"),
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


def test_a_profile_that_contradicts_another_option() -> None:
    check_profile("netadmin", root=True, capabilities=True)
    check_profile(None, root=True, capabilities=True)
    with pytest.raises(UsageError, match="restricted does not let the container run as root"):
        check_profile("restricted", root=True, capabilities=False)
    with pytest.raises(UsageError, match="--cap-add has no effect with --profile sysadmin"):
        check_profile("sysadmin", root=False, capabilities=True)
