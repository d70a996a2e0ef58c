"""Which TCP connections a process has, from /proc (Linux; elsewhere nothing is found)."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


def local_ports(pids: Iterable[int]) -> set[int]:
    """The ports on our side of the TCP connections that any of these processes has open.

    A process that ended meanwhile, or that we may not look into, has none.
    """
    inodes: set[str] = set()
    for pid in pids:
        with suppress(OSError):
            for descriptor in Path(f"/proc/{pid}/fd").iterdir():
                with suppress(OSError):  # closed meanwhile
                    target = str(descriptor.readlink())
                    if target.startswith("socket:["):
                        inodes.add(target[8:-1])
    if not inodes:
        return set()
    return {
        port
        for table in ("/proc/net/tcp", "/proc/net/tcp6")
        for inode, port in _connections(Path(table))
        if inode in inodes
    }


def _connections(table: Path) -> Iterable[tuple[str, int]]:
    """(inode, local port) of each line; the columns are told in proc(5), /proc/net/tcp."""
    with suppress(OSError):
        for line in table.read_text().splitlines()[1:]:
            columns = line.split()
            yield columns[9], int(columns[1].rpartition(":")[2], 16)
