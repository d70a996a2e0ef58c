"""Keep the nodes of a pool as wanted: a list, then what changes, for as long as we run."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from agtool.ci_nodepool.model import Node
from agtool.ci_nodepool.nodes import NODES
from agtool.ci_nodepool.plan import Change
from agtool.ci_nodepool.reconcile import Reconciler
from agtool.core.errors import UnreachableError
from agtool.core.kube_errors import GoneError
from agtool.core.kube_retry import backoff

if TYPE_CHECKING:
    from agtool.core.kube import Session

RULES: list[dict[str, list[str]]] = [
    {"apiGroups": [""], "resources": ["nodes"], "verbs": ["list", "watch", "patch"]}
]
"""What `watch` must be allowed, as in a ClusterRole: this, and no more."""

RESYNC = 600.0
"""Seconds after which all nodes are listed again, in case an event was lost."""

_TURN = 240.0
"""Seconds that one watch lasts."""


class Stopped(BaseException):
    """SIGTERM came: a pod is deleted, or a person ends it."""


@dataclass
class State:
    """How we are, for the readiness endpoint.

    Attributes:
        trouble: why the nodes may not be as wanted; empty: they are.
        last_turn: time.monotonic() of the last sign of life.
    """

    trouble: str = "the nodes have not been listed yet"
    last_turn: float = field(default_factory=time.monotonic)

    def alive(self) -> bool:
        """Whether the loop still turns."""
        return time.monotonic() - self.last_turn < 2 * _TURN


def keep(
    session: Session,
    selector: str,
    planned: Callable[[Node], Change],
    state: State,
    log: Callable[[str], None],
) -> None:
    """Keep all nodes with these labels as `planned` wants them. Returns never.

    Raises:
        DeniedError: nodes may not be listed or watched.
        Stopped: SIGTERM came.
        KeyboardInterrupt: Ctrl-C came.
    """
    query = {"labelSelector": selector} if selector else {}
    with _stopped_by_sigterm(), Reconciler(session, planned, log) as reconciler:
        failures = 0
        version = ""
        resync = 0.0
        while True:
            try:
                if not version or time.monotonic() > resync:
                    version = _list(session, query, reconciler)
                    resync = time.monotonic() + RESYNC
                _say_well(state, reconciler, log)
                failures = 0
                version = _watch(session, query, version, reconciler, state)
            except GoneError:
                version = ""
            except UnreachableError as error:
                if not failures:
                    log(f"{error.message}: trying again")
                state.trouble = error.message
                failures += 1
                time.sleep(backoff(failures))


def _say_well(state: State, reconciler: Reconciler, log: Callable[[str], None]) -> None:
    if state.trouble:
        log(f"watching {len(reconciler.known()):,} nodes")
    state.trouble = ""
    state.last_turn = time.monotonic()


def _list(session: Session, query: dict[str, Any], reconciler: Reconciler) -> str:
    """See all nodes that there are; the version from which to watch on."""
    version = ""
    gone = reconciler.known()
    for page in session.lists(NODES, **query):
        version = version or page["metadata"]["resourceVersion"]
        for item in page["items"]:
            node = Node.of(item)
            reconciler.see(node)
            gone.discard(node.name)
    for name in gone:
        reconciler.forget(name)
    return version


def _watch(
    session: Session, query: dict[str, Any], version: str, reconciler: Reconciler, state: State
) -> str:
    """See what changes, for one turn; the version from which to watch on."""
    for event in session.watch(NODES, resource_version=version, timeout=_TURN, **query):
        version = event["object"]["metadata"]["resourceVersion"]
        state.last_turn = time.monotonic()
        if event["type"] in ("ADDED", "MODIFIED"):
            reconciler.see(Node.of(event["object"]))
        elif event["type"] == "DELETED":
            reconciler.forget(event["object"]["metadata"]["name"])
    return version


@contextmanager
def _stopped_by_sigterm() -> Iterator[None]:
    """As PID 1 of a container we would ignore SIGTERM otherwise."""

    def stop(*_: object) -> None:
        raise Stopped

    previous = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
