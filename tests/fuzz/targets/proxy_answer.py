"""A proxy's answer to CONNECT: a tunnel, or a problem; not a byte behind it is read."""

import time

from agtool.le_staging.verify.connect import NoTls
from agtool.le_staging.verify.proxy import Proxy, Tunnel, connect_through
from tests.fuzz.sockets import said

TUNNEL = Tunnel(Proxy("proxy.test", 3128), "shop.test", 443)


def check(data: bytes) -> None:
    """What the proxy says."""
    with said(data) as connection:
        try:
            connect_through(TUNNEL, connection, time.monotonic() + 20)
        except NoTls as error:
            assert error.problem.code in {"proxy", "timed-out"}
            assert error.problem.message.isprintable()
            return
        head, end, rest = data.partition(b"\r\n\r\n")
        assert end
        assert head.startswith((b"HTTP/1.0 2", b"HTTP/1.1 2"))
        assert rest[:1] == connection.recv(1) if rest else True
