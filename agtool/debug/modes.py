"""Pure: which options go together. One that would do nothing is refused, not ignored."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from agtool.core.errors import UsageError, without_effect

_EVERYWHERE = {"--namespace", "--context", "--kubeconfig", "--as", "--as-group", "--print-rbac"}

_SESSION = {"--shell", "--stdin", "--tty", "--record", "--port-forward"}

_RIGHTS = {"--user", "--root", "--profile", "--cap-add", "--custom"}

_CONTAINER = {"--image-pull-policy", "--ttl", "--timeout"}
"""What each container that is made can have."""

_OWN = _RIGHTS | {"--image", "--env"}
"""What one can have that is the session's."""

_PLACE = {"--node-selector", "--toleration"}

_NETWORK = {"--host-network", "--hostname"}

_POD = {
    "--annotation",
    "--cpu",
    "--dry-run",
    "--image-pull-secret",
    "--keep",
    "--label",
    "--memory",
    "--pause-image",
    "--serviceaccount",
    "--tools",
}
"""What only a pod that is made can have."""

_NEW = _SESSION | _CONTAINER | _OWN | _PLACE | _NETWORK | _POD

_OF_TARGET = {"--container", "--pod-index"}

_MODES: dict[str, tuple[AbstractSet[str], str]] = {
    "--list": ({"--output", "--all-namespaces"}, "--list runs nothing."),
    "--cleanup": ({"--output", "--all-namespaces"}, "--cleanup runs nothing."),
    "--attach": (_SESSION, "The pod runs already and cannot be changed."),
    "--copy": (_NEW | _OF_TARGET | {"--target"}, ""),
    "--target": (
        _SESSION | _CONTAINER | _OWN | _OF_TARGET | {"--mounts", "--tools"},
        "--target adds a container to a pod and makes no pod.",
    ),
    "--cp": (
        _CONTAINER | _OWN | {"--container"},
        "--cp copies files, and runs no command.",
    ),
    "--node": (
        _NEW - _PLACE - _NETWORK - {"--user", "--root"},
        "The pod runs as root on the node that is named, and tolerates all taints.",
    ),
    "--like": (_NEW | {"--container"}, ""),
}
"""For each mode the options that have an effect, and why others have none."""

_INSIDE = _SESSION | _CONTAINER | _OF_TARGET | {"--tools"}
"""Of those with --target the ones that have an effect beside --tools."""

_ELSEWHERE = {
    "--all-namespaces": "--list or --cleanup",
    "--container": "--target, --like or --cp",
    "--mounts": "--target",
    "--output": "--list or --cleanup",
    "--pod-index": "--target",
}
"""The modes of the options that have no effect without a mode."""


def check_modes(given: AbstractSet[str], *, command: bool) -> None:
    """Look at the options that stand on the command line, by their long names.

    Args:
        command: whether there is a COMMAND.

    Raises:
        UsageError: some contradict each other, or would do nothing.
    """
    modes = [name for name in _MODES if name in given]
    if "--copy" in modes:
        if "--target" not in modes:
            raise UsageError(
                "--copy does not say of which pod", hint="Name it: --copy --target pod/NAME"
            )
        modes.remove("--target")
    if len(modes) > 1:
        raise UsageError(f"{' and '.join(modes)} do not go together", hint="Choose one of them.")
    (mode,) = modes or [""]
    allowed, why = _MODES.get(mode, (_NEW, ""))
    beside = mode
    if mode == "--target" and "--tools" in given:
        allowed, beside = _INSIDE, "--target and --tools"
        why = "With both the command runs in the target's container itself, as its user."
    if useless := sorted(given - allowed - _EVERYWHERE - {mode}):
        option = useless[0]
        raise without_effect(
            option,
            f"with {beside}" if mode else f"without {_ELSEWHERE[option]}",
            f"Leave out {option}. {why}".rstrip(),
        )
    _check_pairs(given)
    if command and mode in {"--list", "--cleanup"}:
        raise UsageError(f"{mode} runs no command", hint="Leave out COMMAND.")
    if command and "--shell" in given:
        raise without_effect(
            "--shell",
            "with a COMMAND",
            "Leave out --shell. To run COMMAND in that shell: agtool debug -- PATH -c 'COMMAND'",
        )


_PAIRS = {
    ("--root", "--user"): "Leave out one of them. --user 0 is root.",
    ("--dry-run", "--print-rbac"): "Leave out one of them: each prints something else.",
    ("--all-namespaces", "--namespace"): "Leave out one of them.",
    ("--output", "--print-rbac"): "Leave out --output: roles are printed as YAML.",
    ("--host-network", "--hostname"): "A pod in its node's network has the host name of the node.",
}


def _check_pairs(given: AbstractSet[str]) -> None:
    for pair, hint in _PAIRS.items():
        if set(pair) <= given:
            raise UsageError(f"{' and '.join(pair)} do not go together", hint=hint)
    if {"--node", "--cap-add"} <= given and "--profile" not in given:
        raise without_effect(
            "--cap-add",
            "with --node",
            "Leave it out: the container is privileged. To have less: add --profile.",
        )


def check_profile(profile: str | None, *, root: bool, capabilities: bool) -> None:
    """Refuse a profile that contradicts another option.

    Args:
        root: whether root was asked for.
        capabilities: whether capabilities are to be added.

    Raises:
        UsageError: it does.
    """
    if profile == "restricted" and root:
        raise UsageError(
            "--profile restricted does not let the container run as root",
            hint="Leave out --root or --user 0, or choose --profile baseline.",
        )
    if profile == "sysadmin" and capabilities:
        raise without_effect(
            "--cap-add", "with --profile sysadmin", "Leave it out: all capabilities are there."
        )


_REPLACEABLE = ("--user", "--root", "--profile", "--tools")
"""Of the options that exclude others those that a hint may ask to give up."""


@dataclass(frozen=True)
class Given:
    """What stands on the command line: a hint must not name what would be refused beside it.

    Attributes:
        options: by their long names.
        profile: the value of --profile.
    """

    options: frozenset[str] = frozenset()
    profile: str | None = None

    def __contains__(self, option: str) -> bool:
        return option in self.options

    def takes(self, option: str) -> bool:
        """Whether an option may stand there too."""
        together = self.options | {option}
        try:
            check_modes(together, command=False)
            check_profile(
                self.profile, root="--root" in together, capabilities="--cap-add" in together
            )
        except UsageError:
            return False
        return True

    def named(self, option: str, value: str = "") -> str:
        """An option for a hint, with what it has to stand in the place of; empty: there is none."""
        words = f"{option} {value}".rstrip()
        if self.takes(option):
            return words
        for other in _REPLACEABLE:
            profile = None if other == "--profile" else self.profile
            if other in self and Given(self.options - {other}, profile).takes(option):
                return f"{words} in the place of {other}"
        return ""
