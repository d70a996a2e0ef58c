"""Files of /proc: a process may be called anything, and addresses are what the kernel means."""

import ipaddress
import sys
import tempfile
from functools import cache
from pathlib import Path

from agtool.core.process import connections, tree


@cache
def file() -> Path:
    """The one that all checks write."""
    return Path(tempfile.mkdtemp()) / "file"


def check(data: bytes) -> None:
    """The first 18 bytes are an address and a port, the rest is a process's name."""
    address, port, name = data[:16].ljust(16, b"\0"), data[16:18], data[18:34]
    file().write_bytes(b"4711 (" + name.replace(b"\n", b"?") + b") S 42 1 1 0 -1")
    assert tree._stat(file())[:2] == ["S", "42"]  # noqa: SLF001  # the kernel's file, elsewhere
    number = int.from_bytes(port, "big")
    for size in (4, 16):
        words = [address[at : at + 4] for at in range(0, size, 4)]
        digits = "".join(f"{int.from_bytes(word, sys.byteorder):08X}" for word in words)
        line = f"0: {digits}:0050 {digits}:{number:04X} 01 0:0 00:0 0 0 0 12345 1\n"
        file().write_text(f"  sl  local_address\n   {line}")
        ((inode, found),) = connections._lines(file())  # noqa: SLF001
        assert (inode, found.port, found.host_port) == ("12345", 80, number)
        meant = ipaddress.ip_address(address[:size])
        mapped = meant.ipv4_mapped if isinstance(meant, ipaddress.IPv6Address) else None
        assert ipaddress.ip_address(found.host) == (mapped or meant)
