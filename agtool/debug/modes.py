"""Pure: which options go together. One that would do nothing is refused, not ignored."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from agtool.core.errors import UsageError, without_effect

_EVERYWHERE = {"--namespace", "--context", "--kubeconfig", "--as", "--as-group"}

_SESSION = {"--shell", "--stdin", "--tty", "--record", "--port-forward"}

_CONTAINER = {"--image", "--image-pull-policy", "--env", "--user", "--root", "--ttl", "--timeout"}
"""What each container that is made can have."""

_PLACE = {"--node-selector", "--toleration"}

_POD = {"--keep", "--dry-run", "--label", "--serviceaccount", "--cpu", "--memory", "--tools"} | {
    "--annotation",
    "--pause-image",
}
"""What only a pod that is made can have."""

_NEW = _SESSION | _CONTAINER | _PLACE | _POD

_MODES: dict[str, tuple[AbstractSet[str], str]] = {
    "--list": ({"--output"}, "--list runs nothing."),
    "--cleanup": ({"--output"}, "--cleanup runs nothing."),
    "--attach": (_SESSION, "The pod runs already and cannot be changed."),
    "--target": (
        _SESSION | _CONTAINER | {"--container"},
        "--target adds a container to a pod and makes no pod.",
    ),
    "--cp": (
        _CONTAINER | {"--container"},
        "--cp copies files, and runs no command.",
    ),
    "--node": (
        _NEW - _PLACE - {"--user", "--root"},
        "The pod runs as root on the node that is named, and tolerates all taints.",
    ),
    "--like": (_NEW | {"--container"}, ""),
}
"""For each mode the options that have an effect, and why others have none."""

_ELSEWHERE = {"--container": "--target, --like or --cp", "--output": "--list or --cleanup"}
"""The modes of the options that have no effect without a mode."""


def check_modes(given: AbstractSet[str], *, command: bool) -> None:
    """Look at the options that stand on the command line, by their long names.

    Args:
        command: whether there is a COMMAND.

    Raises:
        UsageError: some contradict each other, or would do nothing.
    """
    modes = [name for name in _MODES if name in given]
    if len(modes) > 1:
        raise UsageError(f"{' and '.join(modes)} do not go together", hint="Choose one of them.")
    (mode,) = modes or [""]
    allowed, why = _MODES.get(mode, (_NEW, ""))
    if useless := sorted(given - allowed - _EVERYWHERE - {mode}):
        option = useless[0]
        raise without_effect(
            option,
            f"with {mode}" if mode else f"without {_ELSEWHERE[option]}",
            f"Leave out {option}. {why}".rstrip(),
        )
    if {"--root", "--user"} <= given:
        raise UsageError(
            "--root and --user do not go together", hint="Leave out one of them. --user 0 is root."
        )
    if command and mode in {"--list", "--cleanup"}:
        raise UsageError(f"{mode} runs no command", hint="Leave out COMMAND.")
    if command and "--shell" in given:
        raise without_effect(
            "--shell",
            "with a COMMAND",
            "Leave out --shell. To run COMMAND in that shell: agtool debug -- PATH -c 'COMMAND'",
        )
