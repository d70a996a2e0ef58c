"""What `watch` has done, for Prometheus: its text format, version 0.0.4."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime, timezone

_BUCKETS = (1, 2, 5, 10, 30, 60, 300)
"""Upper bounds in seconds of the time from a node's creation to its taint."""


class Metrics:
    """Counts of one `watch`; threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._started = datetime.now(timezone.utc)
        self._nodes = 0
        self._refused: set[str] = set()
        self._repairs = 0
        self._errors = 0
        self._within = dict.fromkeys(_BUCKETS, 0)
        self._times = 0
        self._seconds = 0.0

    def saw(self, nodes: int) -> None:
        """So many nodes are there now."""
        with self._lock:
            self._nodes = nodes

    def refused(self, name: str, *, now: bool) -> None:
        """A node has, or no longer has, another value that is left as it is."""
        with self._lock:
            (self._refused.add if now else self._refused.discard)(name)

    def repaired(self, created: str) -> None:
        """A node was changed; `created` is when it came, as the API has it."""
        with self._lock:
            self._repairs += 1
            came = _time(created)
            # Nodes that were there before us were not waiting for us.
            if came is None or came < self._started:
                return
            seconds = max(0.0, (datetime.now(timezone.utc) - came).total_seconds())
            self._times += 1
            self._seconds += seconds
            for bound in _BUCKETS:
                self._within[bound] += seconds <= bound

    def failed(self) -> None:
        """A change of a node failed."""
        with self._lock:
            self._errors += 1

    def text(self) -> str:
        """All of it, as Prometheus reads it."""
        with self._lock:
            return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        prefix = "agtool_ci_nodepool_watch"
        for name, kind, value, help_ in (
            ("nodes", "gauge", self._nodes, "Nodes of the pool."),
            ("refused_nodes", "gauge", len(self._refused), "Nodes with another value."),
            ("repairs_total", "counter", self._repairs, "Changes of nodes."),
            ("errors_total", "counter", self._errors, "Changes of nodes that failed."),
        ):
            yield from (f"# HELP {prefix}_{name} {help_}", f"# TYPE {prefix}_{name} {kind}")
            yield f"{prefix}_{name} {value}"
        name = f"{prefix}_seconds_to_taint"
        yield f"# HELP {name} From the creation of a node to its change."
        yield f"# TYPE {name} histogram"
        for bound, number in self._within.items():
            yield f'{name}_bucket{{le="{bound}"}} {number}'
        yield f'{name}_bucket{{le="+Inf"}} {self._times}'
        yield f"{name}_sum {self._seconds:g}"
        yield f"{name}_count {self._times}"


def _time(created: str) -> datetime | None:
    try:
        return datetime.strptime(created, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
    except ValueError:
        return None
