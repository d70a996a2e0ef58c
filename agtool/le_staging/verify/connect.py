"""A TCP connection within a deadline, to whichever address of a host answers first."""

from __future__ import annotations

import errno
import os
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from itertools import zip_longest
from typing import Any

from agtool.core.finding import Finding
from agtool.core.ready import wait_for
from agtool.le_staging.verify.target import join

_HEAD_START = 0.25
"""Seconds that an address has before the next one is tried beside it (RFC 8305)."""

MORE_TIME = "For a slow server use a longer --timeout."

Address = tuple[socket.AddressFamily, tuple[Any, ...]]


class NoTls(Exception):
    """No certificate was seen, and why.

    Its code is one of unresolvable, refused, unreachable, timed-out, not-tls, tls, starttls.
    """

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.problem = Finding(code, message, hint)


def seconds_left(deadline: float, doing: str, hint: str = MORE_TIME) -> float:
    """Seconds until the deadline (time.monotonic()). Raises NoTls when there are none."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise NoTls("timed-out", f"no answer in time while {doing}", hint)
    return left


def addresses(hosts: Sequence[str], port: int, family: socket.AddressFamily) -> list[Address]:
    """The addresses of a host, or of all hosts, best first, the families alternating. Raises NoTls.

    Nothing can interrupt the system's resolver: this may take longer than any deadline.
    """
    found: list[Address] = []
    for host in hosts:
        try:
            # As bytes, since Python would read a name by older rules for IDNs than curl does.
            listed = socket.getaddrinfo(host.encode(), port, family, socket.SOCK_STREAM)
        except socket.gaierror as error:
            reason = (error.strerror or "").lower()
            wanted = {socket.AF_INET: "IPv4 ", socket.AF_INET6: "IPv6 "}.get(family, "")
            raise NoTls(
                "unresolvable",
                f"{host} has no {wanted}address: {reason}",
                "Check the name, and that it is in DNS. To connect without DNS, use --resolve "
                "HOST:PORT:ADDRESS.",
            ) from error
        found += [(version, address) for version, _, _, _, address in listed]
    return alternating(found)


def alternating(found: Sequence[Address]) -> list[Address]:
    """The families in turn, so that one of them that leads nowhere does not hold up (RFC 8305)."""
    first = [address for address in found if address[0] == found[0][0]]
    second = [address for address in found if address[0] != found[0][0]]
    return [address for pair in zip_longest(first, second) for address in pair if address]


def connect(found: Sequence[Address], deadline: float) -> socket.socket:
    """A connection (non-blocking) to the first address that answers.

    Each address gets a head start of a quarter of a second. Raises NoTls when none answers
    before the deadline (time.monotonic()).
    """
    waiting = list(found)
    running: dict[int, tuple[socket.socket, Address]] = {}
    failure: NoTls | None = None
    try:
        while waiting or running:
            if waiting:
                address = waiting.pop(0)
                attempt = socket.socket(address[0], socket.SOCK_STREAM)
                running[attempt.fileno()] = (attempt, address)
                attempt.setblocking(False)
                error = attempt.connect_ex(address[1])
                if error not in {0, errno.EINPROGRESS}:
                    failure = _failed(running.pop(attempt.fileno()), error)
                    continue
            left = seconds_left(deadline, "connecting")
            seconds = min(left, _HEAD_START) if waiting else left
            for descriptor in wait_for(running, seconds, write=True):
                attempt, _address = running[descriptor]
                error = attempt.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if not error:
                    del running[descriptor]
                    return attempt
                failure = _failed(running.pop(descriptor), error)
        raise failure or NoTls("unresolvable", "the host has no address")
    finally:
        for attempt, _ in running.values():
            with suppress(OSError):
                attempt.close()


def _failed(attempt: tuple[socket.socket, Address], error: int) -> NoTls:
    connection, (_, address) = attempt
    connection.close()
    shown = join(str(address[0]), int(address[1]))
    if error == errno.ECONNREFUSED:
        return NoTls(
            "refused",
            f"{shown} refuses connections",
            "Check that the server is running, its port, and the firewalls between.",
        )
    if error == errno.ETIMEDOUT:
        return NoTls("timed-out", f"{shown} does not answer", "Check the firewalls between.")
    return NoTls(
        "unreachable",
        f"{shown} cannot be reached: {os.strerror(error).lower()}",
        "Check the network, or use --ip 4 or --ip 6.",
    )
