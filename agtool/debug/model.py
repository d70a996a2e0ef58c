"""Pure: what was asked for, as plain data, and how its parts are read from the command line."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agtool.core.errors import UsageError

Json = dict[str, Any]

DEFAULT_IMAGE = "docker.io/library/alpine:3.23.0"
"""Small, with a package manager; pinned, so that it is the same one tomorrow."""

OURS = ("agilicus/pause", "agtool/debug", "agtool/pause")
"""Images whose own main process is a pause, by the end of their repository's name."""

CONTAINER = "debug"
"""The name of our container in each pod."""

MANAGED_BY = ("app.kubernetes.io/managed-by", "agtool")
"""On all that agtool makes."""

KIND = "agtool/debug"
"""The label of debug pods: `session` ends with its agtool, `kept` does not."""

MAKER = "agtool/made-by"
"""The annotation with the person and the machine."""

PROCESS = "agtool/process"
"""The annotation with the process that a session ends with, see `process.identity`."""


@dataclass(frozen=True)
class Toleration:
    """One of a pod's tolerations; empty fields are left out, and an empty key tolerates all."""

    key: str = ""
    value: str | None = None
    effect: str = ""

    def as_json(self) -> Json:
        """As a pod has it."""
        operator = "Exists" if self.value is None else "Equal"
        fields = {"key": self.key, "operator": operator, "value": self.value, "effect": self.effect}
        return {name: value for name, value in fields.items() if value}


@dataclass(frozen=True)
class Like:
    """What a pod takes over from a workload.

    Attributes:
        what: `deployment/web`, for people.
        labels: without those by which a controller tells its own pods apart.
        container: env, envFrom, volumeMounts of its main container.
        pod: the fields of the pod's spec that its volumes, network and place depend on.
        user: the user id that it runs as; None: it does not say.
        dropped: mounts that have no volume here (a StatefulSet's own claims).
    """

    what: str
    labels: Mapping[str, str]
    container: Json
    pod: Json
    user: int | None
    dropped: Sequence[str] = ()


@dataclass(frozen=True)
class Request:
    """The pod that was asked for.

    Attributes:
        lifetime: seconds.
        user: a user id; None: not asked.
        root: to be root, where the namespace allows it.
        node: run on this node, in its namespaces.
        tools: an image whose programs are laid beside those of `image`.
        owner: an object that owns the pod, so that no controller adopts it for its labels.
    """

    name: str
    namespace: str
    image: str
    lifetime: int
    architecture: str = "amd64"
    pull_policy: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    service_account: str | None = None
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: Sequence[Toleration] = ()
    cpu: str | None = None
    memory: str | None = None
    user: int | None = None
    root: bool = False
    node: str | None = None
    keep: bool = False
    tools: str | None = None
    like: Like | None = None
    owner: Json | None = None


@dataclass(frozen=True)
class Job:
    """What to do, where, as whom.

    Attributes:
        request: the pod to make; for a target, the container.
        command: empty: a shell.
        shell: which one; None: the best that is there.
        stdin, terminal: None: as our own streams are.
        timeout: seconds until the container has to run.
        attach: the name of a pod of ours to use instead of a new one.
        target: the pod beside whose container to run, instead of in a pod of its own.
        container: which one of the target, or of the workload for --like.
        like: the workload that the new pod is to be like.
    """

    request: Request
    command: Sequence[str]
    shell: str | None
    stdin: bool | None
    terminal: bool | None
    timeout: float
    kubeconfig: Path | None
    context: str | None
    as_user: str | None
    as_groups: Sequence[str]
    attach: str | None = None
    target: str | None = None
    container: str | None = None
    like: str | None = None


def new_name() -> str:
    """A name for a pod: unique, so that a request without an answer can be looked up by it."""
    # Kubernetes' own alphabet: no vowels, hence no words; nothing that looks like something else.
    alphabet = "bcdfghjklmnpqrstvwxz2456789"
    return "debug-" + "".join(secrets.choice(alphabet) for _ in range(6))


def is_ours(image: str) -> bool:
    """Whether an image brings its own pause: agilicus/pause, with any registry, tag or digest."""
    repository = image.partition("@")[0]
    head, slash, last = repository.rpartition("/")
    path = f"{head}{slash}{last.partition(':')[0]}"
    return any(path == name or path.endswith(f"/{name}") for name in OURS)


def parse_name(option: str, text: str | None) -> str | None:
    """Check the name of an object: it becomes a part of a path.

    Raises:
        UsageError: empty, or not of Kubernetes' characters.
    """
    if text is not None and not re.fullmatch(r"[a-z0-9](?:[-.a-z0-9]{0,251}[a-z0-9])?", text):
        raise UsageError(
            f"{option} {text!r} is no name",
            hint="Small letters, digits, - and ., as `kubectl get` shows it.",
        )
    return text


_LABEL_NAME = (
    r"(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
)
_LABEL_VALUE = r"(?:[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?"


def parse_labels(option: str, given: Sequence[str]) -> dict[str, str]:
    """`KEY=VALUE`... -> labels, or a node selector.

    Raises:
        UsageError: not such a pair, or nothing that Kubernetes takes for a label.
    """
    found = {}
    for pair in given:
        key, equals, value = pair.partition("=")
        if not equals:
            raise UsageError(f"{option} {pair!r} has no value", hint=f"Write {option} KEY=VALUE.")
        if not (re.fullmatch(_LABEL_NAME, key) and re.fullmatch(_LABEL_VALUE, value)):
            raise UsageError(
                f"{option} {pair!r} is no label",
                hint="Letters, digits, - _ . and at most 63 of them; the key may have a prefix/.",
            )
        if key.startswith("agtool/"):
            raise UsageError(f"{option} {pair!r}: agtool/ is agtool's own")
        found[key] = value
    return found


def parse_env(given: Sequence[str]) -> dict[str, str]:
    """`NAME=VALUE`... -> environment variables.

    Raises:
        UsageError: no such pair. The value, which may be a secret, is not in the message.
    """
    found = {}
    for pair in given:
        name, equals, value = pair.partition("=")
        if not equals or not re.fullmatch(r"[-._a-zA-Z][-._a-zA-Z0-9]*", name):
            raise UsageError(f"--env {name!r} is not of the form NAME=VALUE")
        parse_text(f"--env {name}", value)
        found[name] = value
    return found


def parse_text(what: str, text: str) -> str:
    """Check that a text from the command line is UTF-8: Kubernetes would quietly change the rest.

    Raises:
        UsageError: it is not. The text is not in the message.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UsageError(
            f"{what} is not UTF-8, which is all that Kubernetes takes",
            hint="Send other bytes as input.",
        ) from error
    return text


EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")


def parse_tolerations(given: Sequence[str]) -> list[Toleration]:
    """`KEY[=VALUE][:EFFECT]`, as kubectl writes taints; `:EFFECT` and `all` stand for any key.

    Raises:
        UsageError: not such a text.
    """
    found = []
    for text in given:
        taint, _, effect = text.partition(":")
        key, equals, value = taint.partition("=")
        if key == "all" and not equals:
            key = ""
        elif key and not re.fullmatch(_LABEL_NAME, key):
            raise UsageError(f"--toleration {text!r}: {key!r} is no key of a taint")
        if effect and effect not in EFFECTS:
            raise UsageError(
                f"--toleration {text!r}: {effect!r} is no effect of a taint",
                hint=f"One of {', '.join(EFFECTS)}; without one: all of them.",
            )
        if not text or (equals and not key):
            raise UsageError("--toleration wants KEY[=VALUE][:EFFECT], or all")
        found.append(Toleration(key, value if equals else None, effect))
    return found


def parse_quantity(option: str, text: str | None) -> str | None:
    """Check an amount of CPU or memory such as 100m or 64Mi.

    Raises:
        UsageError: not such an amount.
    """
    if text is not None and not re.fullmatch(r"[0-9]+(?:\.[0-9]+)?(?:m|[kMGTPE]i?|Ki)?", text):
        example = "100m or 2" if option == "--cpu" else "64Mi or 1Gi"
        raise UsageError(f"{option} {text!r} is no amount", hint=f"Write {option} {example}.")
    return text
