"""An API server that was away a moment ago, and what that means for what it says since."""

from __future__ import annotations

import time

_LASTS = 10.0
"""Seconds after its start in which it may not know yet who may do what."""

AGAIN = 0.3
"""Seconds until it is asked again meanwhile."""


class Outage:
    """When a session's API server did not answer last. Threads may share it.

    One that has just been started forbids everything until it has read the roles (seen on 1.37).
    And nodes have not told it yet what happened meanwhile.
    """

    def __init__(self) -> None:
        self._at: float | None = None

    def happens(self) -> None:
        """There is no answer."""
        self._at = time.monotonic()

    def was_recent(self, seconds: float = _LASTS) -> bool:
        """Whether there was none within that time."""
        return self._at is not None and time.monotonic() - self._at < seconds
