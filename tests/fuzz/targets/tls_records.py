"""A server's TLS records, or what it sends instead: its host fails with a problem and a hint."""

import socket
import time
from functools import cache

from agtool.le_staging.roots.store import Root
from agtool.le_staging.verify import target
from agtool.le_staging.verify.judge import Verdict
from agtool.le_staging.verify.look import How, Looker
from agtool.le_staging.verify.way import Way
from tests.fuzz.sockets import Server
from tests.servers.certificates import root

NAME = target.parse("shop.test", 443)


@cache
def server() -> Server:
    """The one that all checks share."""
    return Server()


@cache
def looker() -> Looker:
    """One that trusts a root of its own."""
    ca = root("Fuzz Root")
    return Looker(How((Root("Fuzz Root", "", ca.sha256, ca.der, private=True),)))


def check(data: bytes) -> None:
    """What a server answers to the first message."""
    server().data = data
    found = socket.AF_INET, server().address
    sight = looker().look(NAME, [found], Way("", ("h2",), time.monotonic() + 20))
    assert sight.verdict is Verdict.failed  # nobody can finish a handshake without looking at us
    assert sight.problems
    assert all(problem.hint for problem in sight.problems), sight.problems
