"""Bring nodes to what is wanted, one by one as they are seen, and again as often as it takes."""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agtool.ci_nodepool.model import Node
from agtool.ci_nodepool.plan import Change
from agtool.core.errors import AgtoolError, unexpected
from agtool.core.kube.session import METADATA_ONLY
from agtool.core.kube.errors import ConflictError, NotFoundError

if TYPE_CHECKING:
    from agtool.core.kube.session import Session

THREADS = 8

_FREE = 3
"""Changes of one node that come at once; if it needs more, somebody fights over it with us."""

_CALM = 600.0
"""Seconds without a change of a node after which the fight over it is forgotten."""

_LONGEST = 60.0
"""Seconds between two attempts at one node, at most."""


@dataclass
class _Seen:
    """A node as it was last seen, and what we did to it."""

    node: Node
    changes: int = 0
    failures: int = 0
    last: float = 0.0
    told: str = ""

    def pause(self, now: float) -> float:
        """Seconds to wait before the next attempt."""
        if now - self.last > _CALM:
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
        self, session: Session, planned: Callable[[Node], Change], log: Callable[[str], None]
    ) -> None:
        self._session = session
        self._planned = planned
        self._log = log
        self._seen: dict[str, _Seen] = {}
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
            seen = self._seen.get(node.name)
            if seen is None or seen.node.uid != node.uid:
                seen = self._seen[node.name] = _Seen(node)
            seen.node = node
            change = self._planned(node)
            if change.clashes and seen.told != change.clashes[0]:
                seen.told = change.clashes[0]
                self._log(f"node {node.name} has {change.clashes[0]} already: it is left alone")
            if change:
                self._schedule(seen, seen.pause(time.monotonic()))
            else:
                seen.failures = 0

    def forget(self, name: str) -> None:
        """There is no such node any more."""
        with self._changed:
            self._seen.pop(name, None)

    def known(self) -> set[str]:
        """The names of the nodes that are there."""
        with self._changed:
            return set(self._seen)

    def trouble(self) -> str:
        """What keeps a node from being as wanted; empty: nothing."""
        with self._changed:
            failing = [s for s in self._seen.values() if s.failures]
            return f"node {failing[0].node.name}: {failing[0].told}" if failing else ""

    def _schedule(self, seen: _Seen, delay: float) -> None:
        heapq.heappush(self._due, (time.monotonic() + delay, seen.node.name))
        self._changed.notify()

    def _work(self) -> None:
        while (seen := self._next()) is not None:
            change = self._planned(seen.node)
            if not change:
                continue
            error: AgtoolError | None = None
            try:
                path = f"/api/v1/nodes/{seen.node.name}"
                self._session.patch(path, change.patch(), accept=METADATA_ONLY)
            except (ConflictError, NotFoundError):
                continue  # it has changed, or has gone: the watch tells
            except AgtoolError as failure:
                error = failure
            except Exception as failure:  # noqa: BLE001  # a thread's boundary: told, and tried again
                error = unexpected(failure)
            self._account(seen, change, error)

    def _next(self) -> _Seen | None:
        """The next node that is due; None: the end."""
        with self._changed:
            while not self._stopped:
                delay = self._due[0][0] - time.monotonic() if self._due else None
                if delay is not None and delay <= 0:
                    seen = self._seen.get(heapq.heappop(self._due)[1])
                    if seen is not None:
                        return seen
                else:
                    self._changed.wait(delay)
            return None

    def _account(self, seen: _Seen, change: Change, error: AgtoolError | None) -> None:
        with self._changed:
            if error is None:
                seen.failures = 0
                seen.changes += 1
                seen.last = time.monotonic()
                self._log(f"node {seen.node.name}: {', '.join(change.lines)}")
                if seen.changes == _FREE:
                    self._log(f"node {seen.node.name}: somebody else takes that back each time")
                return
            seen.failures += 1
            if seen.told != error.message:
                seen.told = error.message
                self._log(f"node {seen.node.name}: {error.message}\n{error.hint}".rstrip())
            self._schedule(seen, seen.pause(time.monotonic()))
