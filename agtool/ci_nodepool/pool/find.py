"""The nodes that a command is about: by name, by selector, or by the label of a provider."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from agtool.ci_nodepool.model import Node
from agtool.ci_nodepool.pool.write import CONNECTIONS, NODES
from agtool.ci_nodepool.presets import DEFAULT, PRESETS, Pool, Preset, presets_on
from agtool.core.errors import UsageError
from agtool.core.kube.errors import NotFoundError, RejectedError
from agtool.core.kube.session import METADATA_LIST, Session


class NoNodes(NotFoundError):
    """The pool is empty."""

    code = "empty-pool"


def find_pool(
    session: Session, asked: Pool, *, may_be_empty: bool = False, hint: str = ""
) -> tuple[Pool, list[Node]]:
    """The pool that is meant, and its nodes by name.

    Args:
        asked: what a person says of it; nothing: the preset whose label the nodes have.
        hint: what else to do if a name is not that of a node.

    Raises:
        UsageError: nodes of several presets.
        NotFoundError: a node that was named is not there.
        NoNodes: no node matches, and that was not allowed.
    """
    if asked.names:
        nodes = _by_name(session, asked.names, hint)
        return Pool(asked.names, "", asked.preset or _preset_on(nodes)), nodes
    if asked.selector:
        nodes = select(session, asked.selector)
        pool = Pool((), asked.selector, asked.preset or _preset_on(nodes))
    else:
        pool = (find_preset(session) or DEFAULT).pool
        nodes = select(session, pool.selector)
    if not (nodes or may_be_empty):
        raise NoNodes(
            f"no node has the label {pool.selector}",
            hint="Look at the labels of your nodes: kubectl get nodes --show-labels. Then name the "
            "nodes, or give --selector or --preset. A pool that scales from zero has no nodes now.",
        )
    return pool, nodes


def find_preset(session: Session) -> Preset | None:
    """The preset whose label nodes have; None: no node has that of any.

    One node of each is asked for: thousands need not be read to know whether there are any.

    Raises:
        UsageError: nodes of several presets.
    """

    def has_nodes(preset: Preset) -> bool:
        one = {"labelSelector": str(preset.label), "limit": 1, "accept": METADATA_LIST}
        return any(session.pages(NODES, **one))

    found = list(filter(has_nodes, PRESETS.values()))
    if len(found) > 1:
        raise UsageError(
            f"there are nodes of {', '.join(p.name for p in found)}",
            hint=f"Choose one: --preset {found[0].name}",
        )
    return found[0] if found else None


def find_changed(session: Session, asked: Pool) -> tuple[Pool, list[Node]]:
    """The nodes that agtool has changed, of those that are meant, or of all. May be none."""
    if asked == Pool():
        pool, nodes = asked, select(session, "")
    else:
        pool, nodes = find_pool(session, asked)
    return pool, [node for node in nodes if node.record]


def select(session: Session, selector: str) -> list[Node]:
    """The nodes with these labels (empty: all), by name."""
    query: dict[str, Any] = {"labelSelector": selector} if selector else {}
    try:
        return [Node.from_api(node) for node in session.pages(NODES, **query)]
    except RejectedError as error:
        raise UsageError(
            f"{selector!r} is not a valid selector: {error.message}",
            hint="Write it as for kubectl: KEY=VALUE,KEY!=VALUE,KEY in (A,B),KEY",
        ) from error


def _by_name(session: Session, names: Sequence[str], hint: str) -> list[Node]:
    try:
        with ThreadPoolExecutor(min(CONNECTIONS, len(names))) as threads:
            found = threads.map(lambda name: session.get(f"{NODES}/{name}"), names)
            return [Node.from_api(node) for node in found]
    except NotFoundError as error:
        raise NotFoundError(
            error.message,
            hint="Nothing was changed. Look at the names of your nodes: kubectl get nodes"
            f"\n{hint}".rstrip(),
        ) from error


def _preset_on(nodes: Sequence[Node]) -> Preset | None:
    """The preset whose label the nodes have, if it is one only."""
    found = presets_on(node.labels for node in nodes)
    return found[0] if len(found) == 1 else None
