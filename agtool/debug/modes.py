"""Pure: which options go together. One that would do nothing is refused, not ignored."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from agtool.core.errors import UsageError

_MODES = ("--list", "--cleanup", "--attach", "--target", "--node", "--like")

_OF_A_POD = {
    "--keep",
    "--dry-run",
    "--label",
    "--serviceaccount",
    "--node-selector",
    "--toleration",
    "--cpu",
    "--memory",
    "--tools",
}
"""What only a pod that is made can have."""

_OF_A_CONTAINER = {"--image", "--image-pull-policy", "--env", "--user", "--root", "--ttl"}

_WITHOUT_EFFECT: dict[str, tuple[AbstractSet[str], str]] = {
    "": ({"--container"}, "It is for --target and --like."),
    "--list": ({"--keep", "--dry-run"}, "--list makes no pod."),
    "--cleanup": ({"--keep", "--dry-run"}, "--cleanup makes no pod."),
    "--attach": (
        {*_OF_A_POD, *_OF_A_CONTAINER, "--container"},
        "The pod is there already, and stays as it is.",
    ),
    "--target": (_OF_A_POD, "It makes no pod, but a container in one."),
    "--node": (
        {"--container", "--node-selector", "--user"},
        "It is root on the node that is named, and nobody else.",
    ),
    "--like": (set(), ""),
}
"""For each mode the options that would do nothing, and why."""


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
    useless, why = _WITHOUT_EFFECT[mode]
    if found := sorted(given & useless):
        told = f"and {mode} do not go together" if mode else "does nothing here"
        raise UsageError(f"{found[0]} {told}", hint=why)
    if {"--root", "--user"} <= given:
        raise UsageError("--root and --user do not go together", hint="--user 0 is root.")
    if mode in {"--list", "--cleanup"}:
        if command:
            raise UsageError(f"{mode} runs no command", hint="Leave out what follows --.")
    elif "--output" in given:
        raise UsageError(
            "--output is for --list and --cleanup",
            hint="What a command prints is passed on as it is.",
        )
