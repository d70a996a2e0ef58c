"""Pure: how the values of options are read. What Kubernetes would refuse later is refused here.

All functions raise UsageError for a value that is not what they are for.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from agtool.core.errors import UsageError
from agtool.core.text import is_utf_8
from agtool.debug.model import DEFAULT_CONTAINER, MANAGED_BY, MARK, Copy, Custom, Workload
from agtool.debug.pod.named import instead
from agtool.debug.pod.profile import CAPABILITIES

if TYPE_CHECKING:
    from agtool.core.kube.session import Json

KINDS = ("pod", "deployment", "statefulset", "daemonset", "replicaset", "job", "cronjob", "rollout")
"""Of workloads."""

_SHORT = {"po": "pod", "deploy": "deployment", "sts": "statefulset", "ds": "daemonset"}
_SHORT |= {"rs": "replicaset", "cj": "cronjob", "ro": "rollout"}
_SHORT |= {f"{kind}s": kind for kind in KINDS}

_LONGEST_LIFE = 7 * 86400.0
"""Seconds."""

_LAST_PORT = 65535

_OURS = "agtool/"
"""The prefix of the labels that agtool sets."""


def parse_lifetime(seconds: float) -> int:
    """The value of --ttl, in whole seconds: a second at least, a week at most."""
    if not 1 <= seconds <= _LONGEST_LIFE:
        raise UsageError(
            f"--ttl is {seconds:g} seconds, which is out of bounds",
            hint="Choose a duration from 1s to 7d.",
        )
    return int(seconds)


def parse_name(option: str, text: str | None) -> str | None:
    """Check the name of an object: it becomes a part of a path."""
    if text is not None and not re.fullmatch(r"[a-z0-9](?:[-.a-z0-9]{0,251}[a-z0-9])?", text):
        raise UsageError(
            f"{option} {text!r} is not a valid name",
            hint="Write it as `kubectl get` shows it: lower-case letters, digits, '-' and '.'.",
        )
    return text


def parse_attach(text: str | None) -> str | None:
    """`debug-x`, or `pod/debug-x`, as kubectl writes it, -> the name of a pod."""
    kind, slash, name = (text or "").rpartition("/")
    kind = _SHORT.get(kind, kind)
    if slash and kind != "pod":
        raise UsageError(
            f"--attach {text!r} is not the name of a pod",
            hint="`agtool debug --list` shows those that can be named."
            if kind in KINDS
            else f"For the pod in namespace {kind}: -n {kind} --attach {name}",
        )
    return parse_name("--attach", name if slash else text)


def parse_workload(option: str, text: str | None) -> Workload | None:
    """`deployment/web` -> kind and name; without a kind it is a pod."""
    if text is None:
        return None
    kind, slash, name = text.rpartition("/")
    kind = kind.lower() if slash else "pod"
    kind = _SHORT.get(kind, kind)
    if kind not in KINDS:
        raise UsageError(
            f"{option} {text!r} is not a workload",
            hint=f"Write {option} KIND/NAME. KIND is one of {', '.join(KINDS)}.",
        )
    parse_name(option, name)
    return Workload(kind, name)


def check_pod_index(index: int | None, target: Workload | None) -> None:
    """Refuse --pod-index where --target names a pod."""
    if index is not None and target is not None and target.kind == "pod":
        raise UsageError(
            f"--pod-index has no effect with --target {target}",
            hint="Leave it out, or name what makes the pod, such as --target statefulset/NAME.",
        )


def parse_user(text: str | None) -> tuple[int | None, int | None]:
    """`UID[:GID]` -> the ids of the user and of the group."""
    if text is None:
        return None, None
    user, colon, group = text.partition(":")
    ids = [user, group] if colon else [user]
    if not all(re.fullmatch("[0-9]{1,10}", one) and int(one) < 2**31 for one in ids):
        raise UsageError(
            f"--user {text!r} is not a user id, nor UID:GID",
            hint="Write numbers from 0 to 2147483647, such as 1000 or 1000:1000.",
        )
    return int(user), int(group) if colon else None


def parse_capabilities(given: Sequence[str]) -> list[str]:
    """Capabilities as Kubernetes writes them, from `NET_ADMIN` or `cap_net_admin`."""
    found = []
    for text in given:
        name = text.upper().removeprefix("CAP_")
        if name not in CAPABILITIES:
            near = get_close_matches(name, CAPABILITIES, 1)
            raise UsageError(
                f"--cap-add {text!r} is not a capability of Linux",
                hint=f"Did you mean {near[0]}?" if near else "Write it as NET_ADMIN.",
            )
        found.append(name)
    return found


def parse_hostname(text: str | None) -> str | None:
    """Check a name for the pod's host."""
    if text is not None and not re.fullmatch(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?", text):
        raise UsageError(
            f"--hostname {text!r} is not a valid name of a host",
            hint="It has lower-case letters, digits and '-', at most 63.",
        )
    return text


def read_custom(path: Path | None, *, beside: bool) -> Custom | None:
    """The file of --custom; `-` is our own input.

    Args:
        beside: it is for a container in a pod that runs.
    """
    if path is None:
        return None
    custom = _read_custom(path)
    if beside and (custom.pod.get("spec") or custom.pod.get("metadata")):
        raise UsageError(
            f"--custom {custom.name} changes the pod, and with --target the pod runs already",
            hint="Write a partial container, without `metadata` and `spec`.",
        )
    return custom


def _read_custom(path: Path) -> Custom:
    name = "standard input" if str(path) == "-" else str(path)
    try:
        data = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
        text = data.decode()
    except OSError as error:
        raise UsageError(
            f"--custom {name} cannot be read: {error.strerror}", hint="Check the path."
        ) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"--custom {name} is not UTF-8", hint="Save it as UTF-8.") from error
    from agtool.debug.pod.custom import parse_custom

    return parse_custom(text, name)


_LABEL_NAME = (
    r"(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
)
_LABEL_VALUE = r"(?:[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?"


def parse_labels(option: str, given: Sequence[str]) -> dict[str, str]:
    """`KEY=VALUE`... -> labels, or a node selector; with --label none that agtool sets itself."""
    found: dict[str, str] = {}
    for pair in given:
        key, equals, value = pair.partition("=")
        if not equals:
            raise UsageError(f"{option} {pair!r} has no value", hint=f"Write {option} KEY=VALUE.")
        if not (re.fullmatch(_LABEL_NAME, key) and re.fullmatch(_LABEL_VALUE, value)):
            raise UsageError(
                f"{option} {pair!r} is not a valid label",
                hint="Key and value have at most 63 letters, digits, '-', '_' and '.'; the key may "
                "have a prefix/.",
            )
        if option == "--label" and (key == MANAGED_BY[0] or key.startswith(_OURS)):
            raise UsageError(
                f"--label {pair!r}: agtool sets the label {key} itself",
                hint=f"Reserved are {MANAGED_BY[0]} and all keys that begin with {_OURS}.",
            )
        _set_once(found, key, value, option)
    return found


def parse_copy(words: Sequence[str]) -> Copy:
    """`LOCAL pod/NAME:PATH`, or the other way round."""
    usage = "Write agtool debug --cp LOCAL pod/NAME:/PATH, or --cp pod/NAME:/PATH LOCAL."
    if len(words) != 2:
        raise UsageError("--cp needs a source and a destination", hint=usage)
    found = [re.fullmatch(r"(?:pods?|po)/([^:/]+):(.+)", word, re.DOTALL) for word in words]
    if all(found) or not any(found):
        raise UsageError("one of the two of --cp must be a pod's, the other not", hint=usage)
    into = found[1] is not None
    remote = found[1] or found[0]
    local = parse_text("--cp", words[0] if into else words[1])
    if remote is None or not local:
        raise UsageError("--cp needs a file or a folder", hint=usage)
    name = parse_name("--cp", remote[1])
    path = parse_text("--cp", remote[2])
    if not path.startswith("/"):
        raise UsageError(f"--cp: {path!r} does not begin with /", hint=usage)
    if ".." in path.split("/"):
        raise UsageError(f"--cp: {path!r} has .. in it", hint="Write the path without it.")
    # As a shell has it: `//` and `/.` stand for `/`.
    end = "/" if path.endswith(("/", "/.")) else ""
    parts = [part for part in path.split("/") if part not in {"", "."}]
    path = "/".join(["", *parts]) + end if parts else "/"
    return Copy(Path(local), name or "", path, into)


def parse_forwards(given: Sequence[str]) -> list[tuple[int, int]]:
    """`LOCAL:REMOTE`, or `PORT` for both; 0 as LOCAL: one that is free."""
    forwards: list[tuple[int, int]] = []
    for text in given:
        found = re.fullmatch(r"(?:([0-9]{0,9}):)?([0-9]{1,9})", text)
        if not found:
            raise UsageError(
                f"--port-forward {text!r} is not of the form LOCAL:REMOTE",
                hint="Both are ports, such as 8080:80. With :80 a free one is chosen here.",
            )
        remote = int(found[2])
        here = remote if found[1] is None else int(found[1] or 0)
        for port, least in ((here, 0), (remote, 1)):
            if not least <= port <= _LAST_PORT:
                raise UsageError(
                    f"--port-forward {text!r}: there is no port {port}",
                    hint=f"Ports are numbers from 1 to {_LAST_PORT}.",
                )
        if here and here in (one for one, _ in forwards):
            raise UsageError(f"--port-forward: {here} is given twice", hint="Leave out one.")
        forwards.append((here, remote))
    return forwards


def parse_annotations(given: Sequence[str]) -> dict[str, str]:
    """`KEY=VALUE`... -> annotations, none of which agtool sets itself. A value may be any text."""
    found: dict[str, str] = {}
    for pair in given:
        key, equals, value = pair.partition("=")
        if not equals or not re.fullmatch(_LABEL_NAME, key):
            raise UsageError(
                f"--annotation {key!r} is not of the form KEY=VALUE",
                hint="KEY has at most 63 letters, digits, '-', '_' and '.'; it may have a prefix/.",
            )
        if key.startswith(_OURS) or key == DEFAULT_CONTAINER:
            raise UsageError(
                f"--annotation {key}: agtool sets this annotation itself",
                hint=f"Reserved are {DEFAULT_CONTAINER} and all keys that begin with {_OURS}.",
            )
        _set_once(found, key, parse_text(f"--annotation {key}", value), "--annotation")
    return found


def parse_command(command: Sequence[str]) -> list[str]:
    """Check the words of COMMAND; `pod/web-0` is none, but kubectl debug takes it for a target."""
    kind, slash, name = command[0].partition("/") if command else ("", "", "")
    kind = _SHORT.get(kind, kind)
    if slash and kind in (*KINDS, "node", "no") and re.fullmatch(r"[a-z0-9][-.a-z0-9]*", name):
        kind = "node" if kind == "no" else kind
        raise UsageError(
            f"{command[0]!r} is no command, but names a {kind}", hint=instead(kind, name)
        )
    return [parse_text("COMMAND", word) for word in command]


def _set_once(found: dict[str, str], name: str, value: str, option: str) -> None:
    if found.setdefault(name, value) != value:
        raise UsageError(f"{option} {name} has two values", hint="Give one of them.")


def parse_env(given: Sequence[str]) -> dict[str, str]:
    """`NAME=VALUE`... -> environment variables, none of which agtool sets itself.

    The value, which may be a secret, is in no message.
    """
    found: dict[str, str] = {}
    for pair in given:
        name, equals, value = pair.partition("=")
        if not equals or not re.fullmatch(r"[-._a-zA-Z][-._a-zA-Z0-9]*", name):
            raise UsageError(
                f"--env {name!r} is not of the form NAME=VALUE"
                if name
                else "--env has no NAME before its =",
                hint="NAME has letters, digits, '-', '_' and '.', and no digit at the start."
                if equals
                else "Write its value too, such as NAME=VALUE; `NAME=` is an empty one.",
            )
        if name == MARK:
            raise UsageError(
                f"--env {name}: agtool sets this variable itself", hint="Only this one is reserved."
            )
        _set_once(found, name, parse_text(f"--env {name}", value), "--env")
    return found


def parse_text(option: str, text: str) -> str:
    """Check that a text from the command line is UTF-8: Kubernetes would quietly change the rest.

    The text is in no message.
    """
    if not is_utf_8(text):
        raise UsageError(
            f"{option} is not valid UTF-8, and Kubernetes takes nothing else",
            hint="Send other bytes as input.",
        )
    return text


EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")


def parse_tolerations(given: Sequence[str]) -> list[Json]:
    """Tolerations as a pod has them, from `KEY[=VALUE][:EFFECT]`, as kubectl writes taints.

    `:EFFECT` and `all` stand for any key.
    """
    found = []
    for text in given:
        taint, _, effect = text.partition(":")
        key, equals, value = taint.partition("=")
        if key == "all" and not equals:
            key = ""
        elif key and not re.fullmatch(_LABEL_NAME, key):
            raise UsageError(
                f"--toleration {text!r}: {key!r} is not a valid key of a taint",
                hint="`kubectl describe node NAME` shows the taints of a node.",
            )
        if effect and effect not in EFFECTS:
            raise UsageError(
                f"--toleration {text!r}: {effect!r} is not an effect of a taint",
                hint=f"Choose one of {', '.join(EFFECTS)}, or leave it out to tolerate all.",
            )
        if not text or (equals and not key):
            raise UsageError(
                f"--toleration {text!r} has no key", hint="Write KEY[=VALUE][:EFFECT], or all."
            )
        fields = {"key": key, "operator": "Equal" if equals else "Exists", "effect": effect}
        toleration = {name: word for name, word in fields.items() if word}
        found.append(toleration | ({"value": value} if equals else {}))
    return found


def parse_quantity(option: str, text: str | None) -> str | None:
    """Check an amount of CPU or memory such as 100m or 64Mi."""
    if text is not None and not re.fullmatch(r"[0-9]+(?:\.[0-9]+)?(?:m|[kMGTPE]i?|Ki)?", text):
        example = "100m or 2" if option == "--cpu" else "64Mi or 1Gi"
        raise UsageError(f"{option} {text!r} is not a valid amount", hint=f"Write {example}.")
    return text
