"""What `--list` and `--cleanup` print for programs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

State = Literal["pending", "running", "ending", "over", "orphaned", "left"]


@dataclass(frozen=True)
class DebugPod:
    """A pod that agtool debug made.

    Attributes:
        state: pending, running or ending, or one of these. over: its main container has ended,
            or it has not begun within its lifetime. orphaned: the agtool process that it belongs to
            has ended. left: it is gone, or was never made, and its Job is there; the UID is the
            Job's.
        kept: whether it was made with --keep.
        made_by: the person and the machine.
        node: empty: none yet.
        ends_at: when its lifetime is over; null: it has none.
    """

    name: str
    namespace: str
    uid: str
    state: State
    kept: bool
    made_by: str
    image: str
    node: str
    created_at: datetime
    ends_at: datetime | None


@dataclass(frozen=True)
class DebugPods:
    """The debug pods of a namespace.

    Attributes:
        pods: the oldest first; with --cleanup, those that were removed.
    """

    pods: list[DebugPod]
