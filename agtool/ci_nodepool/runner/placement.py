"""Where jobs go, in the runner's own spelling. Pure.

Facts: gitlab-runner's common/config.go (GetNodeTolerations).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from agtool.ci_nodepool.model import Taint, Toleration
from agtool.ci_nodepool.parse import parse_equality
from agtool.ci_nodepool.presets import Pool
from agtool.core.errors import ConfigurationError, UsageError

SELECTOR = "node_selector"
TOLERATIONS = "node_tolerations"
"""The names of the tables of [runners.kubernetes], and of the fields of Tables."""

UPGRADE = "Upgrade the release with the values from: agtool ci-nodepool emit helm"


class CannotPatch(ConfigurationError):
    """This runner's configuration cannot be edited; the hint says what to change instead."""

    code = "cannot-patch"


@dataclass(frozen=True)
class Tables:
    """Where jobs go, as in [runners.kubernetes] of the runner's TOML.

    Attributes:
        node_selector: labels that a node must have.
        node_tolerations: KEY=VALUE or KEY (any value) of a taint, and its effect (empty: any).
    """

    node_selector: dict[str, str] = field(default_factory=dict)
    node_tolerations: dict[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.node_selector or self.node_tolerations)


def entry(toleration: Toleration) -> tuple[str, str]:
    """The entry of node_tolerations that makes this toleration."""
    value = "" if toleration.value is None else f"={toleration.value}"
    return f"{toleration.key}{value}", toleration.effect


def toleration(name: str, effect: str) -> Toleration:
    """What an entry of node_tolerations makes of a job's pod."""
    key, equals, value = name.partition("=")
    return Toleration(key, value.partition("=")[0] if equals else None, effect)


def placement(pool: Pool, taints: Sequence[Taint]) -> Tables:
    """Where jobs shall go: to the pool's labels, in spite of these taints or else of its own.

    Raises:
        UsageError: a selector that no runner can have.
    """
    labels = []
    for part in filter(None, pool.selector.split(",")):
        label = parse_equality(part)
        if label is None:
            raise UsageError(
                f"jobs cannot select nodes by {part!r}",
                hint="A runner's node_selector knows only KEY=VALUE, and all of them must hold.",
            )
        labels.append(label)
    own = pool.preset.toleration if pool.preset else Toleration(*labels[0], "NoSchedule")
    tolerations = [Toleration(*taint) for taint in taints] or [own]
    return Tables(dict(labels), dict(map(entry, tolerations)))


def missing(present: Tables, wanted: Tables) -> Tables:
    """What must be added to `present` so that jobs go where `wanted` says.

    Raises:
        CannotPatch: an entry is there with another value, which agtool does not change.
    """
    there = present.node_selector
    selector = {k: v for k, v in wanted.node_selector.items() if there.get(k) != v}
    tolerated = [toleration(*item) for item in present.node_tolerations.items()]
    tolerations = dict(
        item
        for item in wanted.node_tolerations.items()
        if not any(one.tolerates(toleration(*item)) for one in tolerated)
    )
    found = Tables(selector, tolerations)
    for table, entries in vars(present).items():
        for name, value in vars(found)[table].items():
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
