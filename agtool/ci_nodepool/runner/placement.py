"""Where jobs go, in the runner's own spelling. Pure.

Facts: gitlab-runner's common/config.go (GetNodeTolerations).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from agtool.ci_nodepool.model import Taint, Toleration
from agtool.ci_nodepool.parse import parse_equality, split_selector
from agtool.ci_nodepool.presets import Pool
from agtool.ci_nodepool.scheduling import (
    Spec,
    prefers_label,
    requires_label,
    selectors,
    tolerations_of,
    wishes,
)
from agtool.core.errors import ConfigurationError, UsageError

SELECTOR = "node_selector"
TOLERATIONS = "node_tolerations"
"""The names of the tables of [runners.kubernetes], and of the fields of Tables."""

PREFERRED = "preferred"
"""The name of the third field of Tables."""

WEIGHT = 100
"""Of what jobs prefer: the highest, so that nothing else outweighs it."""

UPGRADE = "Upgrade the release with the values from: agtool ci-nodepool emit helm"


class CannotPatch(ConfigurationError):
    """This runner's configuration cannot be edited; the hint says what to change instead."""

    code = "cannot-patch"


class NotPods(CannotPatch):
    """The runner's executor is another one: its jobs are not pods."""


@dataclass(frozen=True)
class Tables:
    """Where jobs go, as in [runners.kubernetes] of the runner's TOML.

    Attributes:
        node_selector: labels that a node must have.
        node_tolerations: KEY=VALUE or KEY (any value) of a taint, and its effect (empty: any).
        preferred: labels that a node had better have (preferred node affinity).
    """

    node_selector: dict[str, str] = field(default_factory=dict)
    node_tolerations: dict[str, str] = field(default_factory=dict)
    preferred: dict[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.node_selector or self.node_tolerations or self.preferred)


def entry(toleration: Toleration) -> tuple[str, str]:
    """The entry of node_tolerations that makes this toleration."""
    value = "" if toleration.value is None else f"={toleration.value}"
    return f"{toleration.key}{value}", toleration.effect


def toleration(name: str, effect: str) -> Toleration:
    """What an entry of node_tolerations makes of a job's pod."""
    key, equals, value = name.partition("=")
    return Toleration(key, value if equals else None, effect)


def lacking(spec: Spec, wanted: Tables) -> Tables:
    """The part of `wanted` that a job's pod does not do."""
    present = tolerations_of(spec)
    return Tables(
        {k: v for k, v in wanted.node_selector.items() if not requires_label(spec, k, v)},
        {
            name: effect
            for name, effect in wanted.node_tolerations.items()
            if not any(one.tolerates(toleration(name, effect)) for one in present)
        },
        {k: v for k, v in wanted.preferred.items() if not prefers_label(spec, k, v)},
    )


def placement(
    pool: Pool, taints: Sequence[Taint], *, prefer: bool = False, present: Spec | None = None
) -> Tables:
    """Where jobs shall go: to the pool's labels, in spite of these taints or else of its own.

    Args:
        prefer: rather there than elsewhere; else only there.
        present: the pod that jobs have now; what it requires of a node need not be wanted.

    Raises:
        UsageError: a selector that no runner can have, or with which no taint goes.
    """
    labels = []
    for part in split_selector(pool.selector):
        label = parse_equality(part)
        if label is not None:
            labels.append(label)
        elif not (present and (_prefers if prefer else _requires)(present, part)):
            raise UsageError(
                f"jobs cannot select nodes by {part!r}",
                hint="A runner's node_selector knows only KEY=VALUE, and all of them must hold.",
            )
    tolerations = [Toleration(*taint) for taint in taints]
    if not tolerations and pool.preset:
        tolerations = [pool.preset.toleration]
    elif not tolerations and labels:
        tolerations = [Toleration(*labels[0], "NoSchedule")]
    if not tolerations:
        raise UsageError(
            f"no taint goes with the selector {pool.selector}",
            hint="Name the taint that jobs shall tolerate: --taint KEY=VALUE:EFFECT",
        )
    entries = dict(map(entry, tolerations))
    return Tables({}, entries, dict(labels)) if prefer else Tables(dict(labels), entries)


def _requires(spec: Spec, part: str) -> bool:
    """Whether a pod runs only on nodes for which this part of a selector holds."""
    found = selectors(spec)
    return bool(found) and all(part in split_selector(each) for each in found)


def _prefers(spec: Spec, part: str) -> bool:
    """Whether a pod prefers nodes for which this part of a selector holds."""
    return any(part in split_selector(each) for each in wishes(spec))


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
    preferred = {k: v for k, v in wanted.preferred.items() if present.preferred.get(k) != v}
    found = Tables(selector, tolerations, preferred)
    for table, entries in vars(present).items():
        for name, value in vars(found)[table].items():
            if name in entries and table != PREFERRED:  # one may prefer several values
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
