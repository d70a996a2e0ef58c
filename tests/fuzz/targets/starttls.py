"""A server that begins in plain text: TLS begins, or a problem says why not."""

import time

from agtool.le_staging.verify.connect import NoTls
from agtool.le_staging.verify.starttls import PROTOCOLS, start
from tests.fuzz.sockets import said

NAMES = sorted(PROTOCOLS)


def check(data: bytes) -> None:
    """The first byte says which protocol, the rest is what the server says."""
    name = NAMES[(data[0] if data else 0) % len(NAMES)]
    with said(data[1:]) as connection:
        try:
            start(name, connection, time.monotonic() + 20, "shop.test")
        except NoTls as error:
            assert error.problem.code in {"starttls", "timed-out"}
            assert error.problem.hint
            assert error.problem.message.isprintable()
