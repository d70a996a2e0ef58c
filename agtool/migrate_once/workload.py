"""The kinds of workloads, how a person names one, and where their pods stand. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from agtool.core.errors import UsageError
from agtool.core.yamltext import Path

_TEMPLATE: Path = ("spec", "template", "spec")


class Kind(NamedTuple):
    """A kind of workload.

    Attributes:
        name: as manifests have it.
        groups: of its API; empty: the core group.
        words: what kubectl calls it besides.
        spec: the path to the specification of its pods.
    """

    name: str
    groups: tuple[str, ...]
    words: tuple[str, ...]
    spec: Path = _TEMPLATE


KINDS = (
    Kind("Deployment", ("apps", "extensions"), ("deploy",)),
    Kind("StatefulSet", ("apps",), ("sts",)),
    Kind("DaemonSet", ("apps", "extensions"), ("ds",)),
    Kind("ReplicaSet", ("apps", "extensions"), ("rs",)),
    Kind("Job", ("batch",), ()),
    Kind("CronJob", ("batch",), ("cj",), ("spec", "jobTemplate", *_TEMPLATE)),
    Kind("Rollout", ("argoproj.io",), ("ro",)),
    Kind("Pod", ("",), ("po",), ("spec",)),
)


class Wanted(NamedTuple):
    """The workload that a person names."""

    kind: Kind
    name: str

    def __str__(self) -> str:
        return f"{self.kind.name}/{self.name}"


def kind_of(api_version: str, name: str) -> Kind | None:
    """The kind of an object; None: it is no workload."""
    group = api_version.rpartition("/")[0]
    return next((kind for kind in KINDS if kind.name == name and group in kind.groups), None)


def parse_workload(text: str) -> Wanted:
    """What a KIND/NAME says, with kubectl's words for kinds.

    Raises:
        UsageError: it is no such text.
    """
    word, slash, name = text.partition("/")
    word = word.partition(".")[0].lower()
    for kind in KINDS:
        own = kind.name.lower()
        if word in (own, f"{own}s", *kind.words) and slash and name and "/" not in name:
            return Wanted(kind, name)
    raise UsageError(
        f"{text!r} is not KIND/NAME",
        hint="Such as deployment/shop. Kinds: "
        + ", ".join(kind.name.lower() for kind in KINDS)
        + ".",
    )


def is_template_of_another(data: Mapping[str, Any]) -> str:
    """The object in which a Rollout's pods are described; empty: in itself."""
    spec = data.get("spec")
    reference = spec.get("workloadRef") if isinstance(spec, Mapping) else None
    if not isinstance(reference, Mapping):
        return ""
    return f"{reference.get('kind')}/{reference.get('name')}" if reference else ""
