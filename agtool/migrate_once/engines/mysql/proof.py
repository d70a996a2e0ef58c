"""Proof that no holder has lost the lock, where an empty database has no place for its sign.

A server counts the sessions that did not end in order (Aborted_clients: their client vanished, or
somebody killed them), before it frees their locks. As long as it counts none, every holder has
released the lock itself, when its command had ended.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pymysql.cursors import Cursor


_SAME = 1.5
"""Seconds between two views of the same moment, since the server tells whole ones."""


class Counted(NamedTuple):
    """What the server says. since: time.monotonic() at which it began to count."""

    aborted: int
    since: float

    @classmethod
    def look(cls, cursor: Cursor) -> Counted:
        """Ask it."""
        cursor.execute(
            "SHOW GLOBAL STATUS WHERE variable_name IN "
            "('Aborted_clients', 'Uptime', 'Uptime_since_flush_status')"
        )
        found = {str(name).lower(): int(value) for name, value in cursor.fetchall()}
        seconds = min(found["uptime"], found["uptime_since_flush_status"])
        return cls(found["aborted_clients"], time.monotonic() - seconds)

    def proves(self, before: Counted | None, patience: float) -> bool:
        """Whether no command can be alive whose holder has lost the lock.

        Args:
            before: from a moment after which the lock was seen to be held; None: it never was.
            patience: seconds after which such a command is dead.
        """
        if self.aborted == 0 and time.monotonic() - self.since > patience:
            return True
        return before is not None and (
            self.aborted == before.aborted and abs(self.since - before.since) < _SAME
        )
