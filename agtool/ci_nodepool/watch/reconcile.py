"""Change nodes to what is wanted, one by one as they are seen, and again when it is undone."""

from __future__ import annotations

import heapq
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from sys import intern
from typing import NamedTuple

from agtool.ci_nodepool.model import Node
from agtool.ci_nodepool.pool.plan import Change
from agtool.ci_nodepool.pool.write import NODES
from agtool.ci_nodepool.watch.metrics import Metrics
from agtool.core.errors import AgtoolError, unexpected
from agtool.core.kube.errors import ConflictError, NotFoundError
from agtool.core.kube.session import METADATA_ONLY, Session

THREADS = 8

_FREE = 3
"""Changes of one node that come at once; if it needs more, somebody fights over it with us."""

_CALM = 600.0
"""Seconds without a change of a node after which the fight over it is forgotten."""

_LONGEST = 60.0
"""Seconds between two attempts at one node, at most."""


class _Due(NamedTuple):
    """What is to be done to a node. Thousands may be, so it is no more than that, as text.

    Attributes:
        patch: as JSON.
        created: when the node came, as the API has it.
        lines: the same for people.
    """

    patch: str
    created: str
    lines: str


@dataclass(slots=True)
class _Watched:
    """What we did to a node, and the trouble that was logged last; not the node itself.

    Thousands of nodes with their labels would be most of what a watch keeps in memory.

    Attributes:
        due: what is to be done to it, as it was last seen; None: nothing.
    """

    name: str
    uid: str
    due: _Due | None = None
    changes: int = 0
    failures: int = 0
    changed_at: float = 0.0
    trouble: str = ""

    def pause(self, now: float) -> float:
        """Seconds to wait before the next attempt."""
        if now - self.changed_at > _CALM:
            self.changes = 0
        tries = max(self.failures, self.changes + 1 - _FREE)
        return min(_LONGEST, 2.0**tries) if tries > 0 else 0.0


class Reconciler:
    """Changes nodes that are not as `planned` wants them, THREADS at once; use as a context.

    It needs no lock among several agtools. Each change carries the version of the node that it
    was planned for, so that of two equal ones the second is refused, and its agtool then sees that
    nothing is left to do.
    """

    def __init__(
        self,
        session: Session,
        planned: Callable[[Node], Change],
        log: Callable[[str], None],
        metrics: Metrics,
    ) -> None:
        self._metrics = metrics
        self._session = session
        self._planned = planned
        self._log = log
        self._nodes: dict[str, _Watched] = {}
        self._due: list[tuple[float, str]] = []
        self._changed = threading.Condition()
        self._stopped = False

    def __enter__(self) -> Reconciler:
        for _ in range(THREADS):
            threading.Thread(target=self._work, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def see(self, node: Node) -> None:
        """`node` is there, in this state."""
        with self._changed:
            watched = self._nodes.get(node.name)
            if watched is None or watched.uid != node.uid:
                watched = self._nodes[node.name] = _Watched(node.name, node.uid)
            change = self._planned(node)
            watched.due = _due(change) if change else None
            self._metrics.saw(len(self._nodes))
            self._metrics.refused(node.name, now=bool(change.clashes))
            if change.clashes and watched.trouble != change.clashes[0]:
                watched.trouble = change.clashes[0]
                self._log(f"node {node.name} has {change.clashes[0]} already: it is left as it is")
            if change:
                self._schedule(watched, watched.pause(time.monotonic()))
            else:
                watched.failures = 0

    def forget(self, name: str) -> None:
        """There is no such node any more."""
        with self._changed:
            self._nodes.pop(name, None)
            self._metrics.saw(len(self._nodes))
            self._metrics.refused(name, now=False)

    def known(self) -> set[str]:
        """The names of the nodes that are there."""
        with self._changed:
            return set(self._nodes)

    def trouble(self) -> str:
        """What keeps a node from being as wanted; empty: nothing."""
        with self._changed:
            failing = [watched for watched in self._nodes.values() if watched.failures]
            return f"node {failing[0].name}: {failing[0].trouble}" if failing else ""

    def _schedule(self, watched: _Watched, delay: float) -> None:
        heapq.heappush(self._due, (time.monotonic() + delay, watched.name))
        self._changed.notify()

    def _work(self) -> None:
        while (watched := self._next()) is not None:
            due = watched.due
            if due is None:
                continue
            error: AgtoolError | None = None
            try:
                path = f"{NODES}/{watched.name}"
                self._session.patch(path, json.loads(due.patch), accept=METADATA_ONLY)
            except (ConflictError, NotFoundError):
                continue  # it has changed, or has gone: the watch tells
            except AgtoolError as failure:
                error = failure
            except Exception as failure:  # noqa: BLE001  # a thread's boundary: told, and tried again
                error = unexpected(failure)
            self._account(watched, due, error)

    def _next(self) -> _Watched | None:
        """The next node that is due; None: the end."""
        with self._changed:
            while not self._stopped:
                delay = self._due[0][0] - time.monotonic() if self._due else None
                if delay is not None and delay <= 0:
                    watched = self._nodes.get(heapq.heappop(self._due)[1])
                    if watched is not None:
                        return watched
                else:
                    self._changed.wait(delay)
            return None

    def _account(self, watched: _Watched, due: _Due, error: AgtoolError | None) -> None:
        with self._changed:
            if error is None:
                watched.failures = 0
                watched.changes += 1
                watched.changed_at = time.monotonic()
                self._metrics.repaired(due.created)
                self._log(f"node {watched.name}: {due.lines}")
                if watched.changes == _FREE:
                    self._log(f"node {watched.name}: somebody else undoes this each time")
                return
            self._metrics.failed()
            watched.failures += 1
            if watched.trouble != error.message:
                watched.trouble = error.message
                self._log(f"node {watched.name}: {error.message}\n{error.hint}".rstrip())
            self._schedule(watched, watched.pause(time.monotonic()))


def _due(change: Change) -> _Due:
    patch = json.dumps(change.patch(), separators=(",", ":"))
    return _Due(patch, change.node.created, intern(", ".join(change.lines)))
