"""The TCP connections that processes have open, from /proc (Linux)."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

_IPV4_IN_IPV6 = b"\0" * 10 + b"\xff\xff"


class Connection(NamedTuple):
    """Our port, and to whom it is connected."""

    port: int
    host: str
    host_port: int


def connections_of(pids: Iterable[int]) -> set[Connection]:
    """The connections that any of these processes has open.

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
        connection
        for table in ("/proc/net/tcp", "/proc/net/tcp6")
        for inode, connection in _lines(Path(table))
        if inode in inodes
    }


def connection_of(descriptor: int) -> Connection | None:
    """The connection that has this descriptor; None: it is no TCP socket."""
    with socket.socket(fileno=os.dup(descriptor)) as duplicate:
        if duplicate.family not in (socket.AF_INET, socket.AF_INET6):
            return None
        host, host_port = duplicate.getpeername()[:2]
        return Connection(duplicate.getsockname()[1], plain(host), host_port)


def plain(address: str) -> str:
    """An address, spelt as others spell it.

    Of an IPv4 address in IPv6's form (::ffff:10.0.0.1), which Java's sockets have, the IPv4 one.
    """
    address = address.partition("%")[0]
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return _text(socket.inet_pton(family, address))


def _text(address: bytes) -> str:
    address = address.removeprefix(_IPV4_IN_IPV6)
    return socket.inet_ntop(socket.AF_INET if len(address) == 4 else socket.AF_INET6, address)


def _lines(table: Path) -> Iterator[tuple[str, Connection]]:
    """(inode, connection) of each line; the columns are told in proc(5), /proc/net/tcp."""
    with suppress(OSError):
        for line in table.read_text().splitlines()[1:]:
            columns = line.split()
            own, other = columns[1].rpartition(":"), columns[2].rpartition(":")
            yield columns[9], Connection(int(own[2], 16), _address(other[0]), int(other[2], 16))


def _address(digits: str) -> str:
    """The address in words of four bytes, each in this machine's order."""
    words = (digits[i : i + 8] for i in range(0, len(digits), 8))
    return _text(b"".join(int(word, 16).to_bytes(4, sys.byteorder) for word in words))
