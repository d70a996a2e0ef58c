"""Waiting for sockets, where the system has poll(2) and where it has not."""

from __future__ import annotations

import select
import sys
from collections.abc import Collection
from typing import Protocol


class HasDescriptor(Protocol):
    """A socket."""

    def fileno(self) -> int: ...


def readable(connection: HasDescriptor, seconds: float) -> bool:
    """Whether something, or the end, can be read within a time."""
    return bool(wait_for([connection.fileno()], seconds, write=False))


def writable(connection: HasDescriptor, seconds: float) -> bool:
    """Whether something can be written within a time."""
    return bool(wait_for([connection.fileno()], seconds, write=True))


def wait_for(descriptors: Collection[int], seconds: float, *, write: bool) -> list[int]:
    """Those of some sockets that can be read from, or written to, as soon as one can."""
    if sys.platform == "win32":
        # Windows has no poll(), and tells a connection that failed among the exceptional ones.
        reading, writing = ([], descriptors) if write else (descriptors, [])
        found = select.select(reading, writing, descriptors, seconds)
        return list({one for kind in found for one in kind})
    # Not select(2), to which a number of 1024 or more is an error.
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLOUT if write else select.POLLIN)
    return [descriptor for descriptor, _ in poll.poll(1000 * seconds)]


def most_descriptors() -> int:
    """How many files and sockets this process may have open."""
    if sys.platform == "win32":
        return 512  # to which Windows sets it at a program's start
    import resource

    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
