"""A connection on which the TLS handshake can begin: through a proxy, after STARTTLS."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from agtool.le_staging.verify.connect import Address, NoTls, connect
from agtool.le_staging.verify.target import Target
from agtool.le_staging.verify.way import Way


@contextmanager
def opened(target: Target, found: Sequence[Address], way: Way) -> Iterator[socket.socket]:
    """Give a connection (non-blocking) to the first of these addresses that answers.

    Raises NoTls, also for an OSError from inside.
    """
    try:
        with connect(found, way.deadline) as connection:
            if way.tunnel:
                from agtool.le_staging.verify.proxy import connect_through

                connect_through(way.tunnel, connection, way.deadline)
            if way.protocol:
                from agtool.le_staging.verify import starttls

                starttls.start(way.protocol, connection, way.deadline, target.host)
            yield connection
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise NoTls("unreachable", f"the connection broke: {reason}", "Try again.") from error
