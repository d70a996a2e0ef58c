"""Where jobs go, in the runner's own spelling. Pure.

Facts: gitlab-runner's common/config.go (GetNodeTolerations).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from agtool.ci_nodepool.model import Label, Taint, Toleration
from agtool.ci_nodepool.parse import parse_equality
from agtool.ci_nodepool.presets import DEFAULT, Pool
from agtool.core.errors import ConfigurationError, UsageError

SELECTOR = "node_selector"
TOLERATIONS = "node_tolerations"
"""The names of the tables of [runners.kubernetes]."""


UPGRADE = "Upgrade the release with the values from: agtool ci-nodepool emit helm"


class CannotPatch(ConfigurationError):
    """This runner's configuration cannot be edited; the hint says what to change instead."""

    code = "cannot-patch"


@dataclass(frozen=True)
class Placement:
    """Where jobs go.

    Attributes:
        selector: labels that a node must have.
        tolerations: "key=value" (or "key", which means any value) -> effect ("" means any).
    """

    selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.selector or self.tolerations)

    def tables(self) -> dict[str, Mapping[str, str]]:
        """The same by the names of the TOML tables."""
        return {SELECTOR: self.selector, TOLERATIONS: self.tolerations}


def entry(toleration: Toleration) -> tuple[str, str]:
    """The entry of node_tolerations that makes this toleration."""
    value = "" if toleration.value is None else f"={toleration.value}"
    return f"{toleration.key}{value}", toleration.effect


def toleration(name: str, effect: str) -> Toleration:
    """What an entry of node_tolerations makes of a job's pod."""
    key, equals, value = name.partition("=")
    return Toleration(key, value.partition("=")[0] if equals else None, effect)


def placement(pool: Pool, taints: Sequence[Taint]) -> Placement:
    """Where jobs shall go: to the pool's labels, in spite of these taints or else of its own.

    Raises:
        UsageError: a selector that no runner can have.
    """
    preset = pool.preset if pool.preset or pool.selector else DEFAULT
    labels = [_equality(part) for part in pool.selector.split(",") if part]
    if preset is None:
        own = Toleration(labels[0].key, labels[0].value, "NoSchedule")
    else:
        own = preset.toleration
        labels = labels or [preset.label]
    tolerations = [Toleration(*taint) for taint in taints] or [own]
    return Placement(dict(labels), dict(map(entry, tolerations)))


def missing(present: Placement, wanted: Placement) -> Placement:
    """What must be added to `present` so that jobs go where `wanted` says.

    Raises:
        CannotPatch: an entry is there with another value, which agtool does not change.
    """
    selector = {k: v for k, v in wanted.selector.items() if present.selector.get(k) != v}
    tolerated = [toleration(*item) for item in present.tolerations.items()]
    tolerations = dict(
        item
        for item in wanted.tolerations.items()
        if not any(one.tolerates(toleration(*item)) for one in tolerated)
    )
    found = Placement(selector, tolerations)
    for table, entries in present.tables().items():
        for name, value in found.tables()[table].items():
            if name in entries:
                raise CannotPatch(
                    f'jobs have "{name}" = "{entries[name]}" in {table} already, '
                    f'where "{value}" is wanted',
                    hint=f"Change it by hand if nothing needs it (in {table}), or name another "
                    "label with --selector."
                    if table == SELECTOR
                    else f'Change it by hand in {table}: an empty effect, "{name}" = "", '
                    "tolerates all of them.",
                )
    return found


def _equality(part: str) -> Label:
    label = parse_equality(part)
    if label is None:
        raise UsageError(
            f"jobs cannot select nodes by {part!r}",
            hint="A runner's node_selector knows only KEY=VALUE, and all of them must hold.",
        )
    return label
