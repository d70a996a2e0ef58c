"""The nodes that a command is about: by name, by selector, or by the label of a provider."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agtool.ci_nodepool.model import Node, Taint
from agtool.ci_nodepool.options import PoolOptions
from agtool.ci_nodepool.parse import parse_equality
from agtool.ci_nodepool.presets import DEFAULT, PRESETS, Preset, presets_on
from agtool.ci_nodepool.write import CONNECTIONS
from agtool.core.errors import UsageError
from agtool.core.kube.errors import NotFoundError, RejectedError

if TYPE_CHECKING:
    from agtool.core.kube.session import Session

NODES = "/api/v1/nodes"


class NoNodes(NotFoundError):
    """The pool is empty."""

    code = "empty-pool"


@dataclass(frozen=True)
class Pool:
    """Which nodes are meant.

    Attributes:
        names: the nodes by name, or empty.
        selector: their labels, as kubectl's --selector, or empty.
        preset: the provider's way, given or seen on the nodes; None: not known.
    """

    names: tuple[str, ...] = ()
    selector: str = ""
    preset: Preset | None = None

    def __str__(self) -> str:
        if self.names:
            return ", ".join(self.names)
        return f"nodes with {self.selector}"


def find_pool(
    session: Session, names: Sequence[str], options: PoolOptions
) -> tuple[Pool, list[Node]]:
    """The pool, and its nodes by name.

    Raises:
        UsageError: names and a selector at once.
        NotFoundError: a node that was named is not there.
        NoNodes: no node matches.
    """
    selector = options.selector
    if names and selector:
        raise UsageError("nodes by name and a selector", hint="Give one of the two.")
    known = PRESETS[options.preset.value] if options.preset else None
    if names:
        nodes = _by_name(session, names)
        return Pool(tuple(names), "", known or _preset_of(nodes)), nodes
    if selector:
        nodes = select(session, selector)
        if not nodes:
            raise NoNodes(
                f"no node has the labels {selector}",
                hint="Look at what they have: kubectl get nodes --show-labels",
            )
        return Pool((), selector, known or _preset_of(nodes)), nodes
    if known is None:
        nodes = select(session, "")
        found = presets_on(node.labels for node in nodes)
        if len(found) > 1:
            raise UsageError(
                f"there are nodes of {', '.join(p.name for p in found)}",
                hint=f"Choose one: --preset {found[0].name}",
            )
        known = found[0] if found else DEFAULT
        nodes = [n for n in nodes if n.labels.get(known.label.key) == known.label.value]
    else:
        nodes = select(session, str(known.label))
    if not nodes:
        others = ", ".join(name for name in PRESETS if name != known.name)
        raise NoNodes(
            f"no node has the label {known.label} (preset {known.name})",
            hint=f"Name nodes, or a --selector, or another --preset: {others}. "
            "A pool that scales from zero has no nodes now.",
        )
    return Pool((), str(known.label), known), nodes


def default_taints(pool: Pool, nodes: Sequence[Node]) -> tuple[Taint, ...]:
    """The taint that goes with the pool's preset, or else with its first label.

    None where the provider sets one by itself whose value it does not tell.

    Raises:
        UsageError: the selector is not one that begins with KEY=VALUE.
    """
    if pool.preset is None:
        label = parse_equality(pool.selector.split(",")[0])
        if label is None:
            raise UsageError(
                f"no taint goes with the selector {pool.selector}",
                hint="Name the taint: KEY=VALUE:EFFECT.",
            )
        return (Taint(label.key, label.value, "NoSchedule"),)
    taint = pool.preset.taint
    if pool.preset.any_value and all(
        any((t["key"], t["effect"]) == (taint.key, taint.effect) for t in node.taints)
        for node in nodes
    ):
        return ()
    return (taint,)


def find_changed(
    session: Session, names: Sequence[str], options: PoolOptions
) -> tuple[Pool, list[Node]]:
    """The nodes that agtool has changed, of those that are meant, or of all. May be none."""
    if names or options.selector or options.preset:
        pool, nodes = find_pool(session, names, options)
    else:
        pool, nodes = Pool(), select(session, "")
    return pool, [node for node in nodes if node.record]


def select(session: Session, selector: str) -> list[Node]:
    """The nodes with these labels (empty: all), by name."""
    query: dict[str, Any] = {"labelSelector": selector} if selector else {}
    try:
        return [Node.of(node) for node in session.pages(NODES, **query)]
    except RejectedError as error:
        raise UsageError(
            f"{selector!r} is no selector: {error.message}",
            hint="Write it as for kubectl: KEY=VALUE,KEY!=VALUE,KEY in (A,B),KEY",
        ) from error


def _by_name(session: Session, names: Sequence[str]) -> list[Node]:
    try:
        with ThreadPoolExecutor(min(CONNECTIONS, len(names))) as threads:
            found = threads.map(lambda name: session.get(f"{NODES}/{name}"), names)
            return [Node.of(node) for node in found]
    except NotFoundError as error:
        raise NotFoundError(
            error.message,
            hint="Nothing was changed. A label or taint that shall go is written with - at its "
            "end: KEY-",
        ) from error


def _preset_of(nodes: Sequence[Node]) -> Preset | None:
    """The one preset that the nodes have, if it is one."""
    found = presets_on(node.labels for node in nodes)
    return found[0] if len(found) == 1 else None
