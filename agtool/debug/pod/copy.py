"""Pure: a copy of a pod in which one container waits for us instead of running its program.

As `kubectl debug --copy-to`: without its labels, so that no Service sends it traffic and no
controller counts it, and without probes, which nobody would answer. Its init containers are kept:
they prepare what the containers need.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from agtool.core.errors import UsageError
from agtool.debug.model import CONTAINER, Copied
from agtool.debug.pod.like import lasting, main_container, user_of

if TYPE_CHECKING:
    from collections.abc import Container

    from agtool.core.kube.session import Json

_OF_ONE_POD = {"nodeName", "ephemeralContainers", "schedulingGates", "priority", "overhead"}
"""Fields that a scheduler or an admission plugin sets, or that no new pod may have."""

_PROBES = {"livenessProbe", "readinessProbe", "startupProbe"}

_REFERENCE = re.compile(r"\$(?:\$|\((?P<name>[^)]*)\))")

_OF_ITS_PROGRAM = {"command", "args", "lifecycle", "stdin", "stdinOnce", "tty", "resizePolicy"}


def copied_of(pod: Json, container: str | None) -> Copied:
    """What a copy of a pod has.

    Args:
        container: the one that waits for us; None: the main one.

    Raises:
        UsageError: it has no such container.
    """
    name = pod["metadata"]["name"]
    main = main_container(pod, container, f"pod {name}")
    others = [one for one in pod["spec"]["containers"] if one is not main]
    if any(one["name"] == CONTAINER for one in others):
        raise UsageError(
            f"pod {name} has another container {CONTAINER}, as agtool calls its own",
            hint=f"Copy that one: -c {CONTAINER}",
        )
    ours = {key: value for key, value in main.items() if key not in _PROBES | _OF_ITS_PROGRAM}
    without = [{k: v for k, v in one.items() if k not in _PROBES} for one in others]
    spec = {key: value for key, value in pod["spec"].items() if key not in _OF_ONE_POD}
    return Copied(
        spec={**spec, "containers": [ours, *without]},
        container=main["name"],
        annotations=lasting(pod["metadata"].get("annotations") or {}),
        user=user_of(pod["spec"], main),
        program=_program(main),
    )


def _program(container: Json) -> str:
    command, arguments = container.get("command"), container.get("args") or ()
    known = {one["name"] for one in container.get("env") or ()}
    words = [_expanded(word, known) for word in (*(command or ()), *arguments)]
    return " ".join(words if command else ["that of the image", *words])


def _expanded(word: str, known: Container[str]) -> str:
    """A word as shells read it, in which Kubernetes' references to variables are those of a shell.

    Source: k8s.io/kubernetes, third_party/forked/golang/expansion: `$$` stands for `$`, and what
    names no variable stays as it is.
    """
    text, parts = "", []
    at = 0
    for found in _REFERENCE.finditer(word):
        text += word[at : found.start()]
        at = found.end()
        name = found["name"]
        if name in known and re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name):
            parts += [text and _quoted(text), f'"${{{name}}}"']
            text = ""
        else:
            text += "$" if name is None else found[0]
    text += word[at:]
    return "".join([*parts, _quoted(text) if text or not parts else ""])


def _quoted(word: str) -> str:
    """A word as shells read it; where it has control characters, as bash and busybox do."""
    if word.isprintable():
        return shlex.quote(word)
    return "$'" + "".join(map(_escaped, word)) + "'"


def _escaped(character: str) -> str:
    if character in "\\'":
        return f"\\{character}"
    if character.isprintable():
        return character
    return "".join(f"\\x{byte:02x}" for byte in character.encode()).replace("\\x0a", "\\n")
