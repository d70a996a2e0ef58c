"""Keep the nodes of a pool as wanted: a list, then what changes, for as long as we run."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from agtool.ci_nodepool.model import Node
from agtool.ci_nodepool.pool.find import find_preset
from agtool.ci_nodepool.pool.plan import Change
from agtool.ci_nodepool.pool.write import NODES
from agtool.ci_nodepool.presets import Pool
from agtool.ci_nodepool.watch.metrics import Metrics
from agtool.ci_nodepool.watch.reconcile import Reconciler
from agtool.core.errors import UnreachableError
from agtool.core.kube.errors import GoneError
from agtool.core.kube.retry import backoff
from agtool.core.kube.session import Json, Session
from agtool.core.signals import handled
from agtool.core.text import count

RESYNC = 600.0
"""Seconds after which all nodes are listed again, in case an event was lost."""

_PAGE = 50
"""Nodes that are read at once. A page of 500 is 30 MiB in memory for its time."""

_LOOK = 5.0
"""Seconds between two looks for a first node with the label of a provider."""

_TURN = 240.0
"""Seconds that one watch lasts."""


_AGAIN = 1.0
"""Seconds after which Stopped is raised once more, if we are still there."""


class Stopped(BaseException):
    """SIGTERM came: a pod is deleted, or a person ends it."""


@dataclass
class State:
    """How we are, for the readiness endpoint.

    Attributes:
        trouble: why we do not know the nodes; empty: we do.
        node_trouble: says what keeps a node from being as wanted; empty: nothing.
        last_turn: time.monotonic() of the last sign of life.
        metrics: what was done.
    """

    trouble: str = "the nodes have not been listed yet"
    node_trouble: Callable[[], str] = str
    last_turn: float = field(default_factory=time.monotonic)
    metrics: Metrics = field(default_factory=Metrics)

    def not_ready(self) -> str:
        """Why the nodes may not be as wanted; empty: they are."""
        return self.trouble or self.node_trouble()

    def not_alive(self) -> str:
        """Why the loop does not turn any more; empty: it does."""
        return "the watch hangs" if time.monotonic() - self.last_turn >= 2 * _TURN else ""


@contextmanager
def stoppable() -> Iterator[None]:
    """SIGTERM raises Stopped inside; as PID 1 of a container we would ignore it otherwise.

    It is raised again and again: where Python happens to run a callback (of an import, of what is
    collected as garbage), it only reports what is raised, and goes on.
    """
    if sys.platform == "win32":  # nobody sends it there
        yield
        return

    def stop(*_: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, _AGAIN)
        raise Stopped

    with handled({signal.SIGTERM: stop, signal.SIGALRM: stop}):
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)


def wait_for_pool(session: Session, state: State, log: Callable[[str], None]) -> Pool:
    """The nodes with the label of a provider, when there is one: a pool may scale from zero.

    Raises:
        UsageError: nodes of several presets.
        DeniedError: nodes may not be listed.
        Stopped, KeyboardInterrupt: as `keep`.
    """
    told = False
    while True:
        state.last_turn = time.monotonic()
        try:
            preset = find_preset(session)
        except UnreachableError as error:
            if not told:  # at the start it is a wrong address, more often than not
                raise
            state.trouble = error.message
        else:
            if preset is not None:
                return preset.pool
            state.trouble = ""  # nothing is other than wanted
            if not told:
                log("no node has the label of a provider's preemptible nodes: waiting for one")
            told = True
        time.sleep(_LOOK)


def keep(
    session: Session,
    selector: str,
    planned: Callable[[Node], Change],
    state: State,
    log: Callable[[str], None],
) -> None:
    """Keep all nodes with these labels as `planned` wants them; never returns.

    Raises:
        DeniedError: nodes may not be listed or watched.
        Stopped: SIGTERM came, within `stoppable`.
        KeyboardInterrupt: Ctrl-C came.
    """
    query = {"labelSelector": selector} if selector else {}
    with Reconciler(session, planned, log, state.metrics) as reconciler:
        state.node_trouble = reconciler.trouble
        failures = 0
        version = ""
        resync = 0.0
        while True:
            state.last_turn = time.monotonic()
            try:
                if not version or time.monotonic() > resync:
                    version = _list(session, query, reconciler)
                    resync = time.monotonic() + RESYNC
                events = session.watch(NODES, resource_version=version, timeout=_TURN, **query)
                if state.trouble:
                    log(f"watching {count(len(reconciler.known()), 'node')}")
                state.trouble = ""
                failures = 0
                for event in events:
                    version = _see(event, reconciler)
                    state.last_turn = time.monotonic()
            except GoneError:
                version = ""
            except UnreachableError as error:
                if not failures:
                    log(f"{error.message}: trying again")
                state.trouble = error.message
                failures += 1
                time.sleep(backoff(failures))


def _list(session: Session, query: dict[str, Any], reconciler: Reconciler) -> str:
    """See all nodes that there are; the version from which to watch on."""
    version = ""
    gone = reconciler.known()
    for page in session.lists(NODES, limit=_PAGE, **query):
        version = version or page["metadata"]["resourceVersion"]
        for item in page["items"]:
            node = Node.from_api(item)
            reconciler.see(node)
            gone.discard(node.name)
    for name in gone:
        reconciler.forget(name)
    return version


def _see(event: Json, reconciler: Reconciler) -> str:
    """See what has changed; the version from which to watch on."""
    if event["type"] in ("ADDED", "MODIFIED"):
        reconciler.see(Node.from_api(event["object"]))
    elif event["type"] == "DELETED":
        reconciler.forget(event["object"]["metadata"]["name"])
    version: str = event["object"]["metadata"]["resourceVersion"]
    return version
