"""HOST[:PORT] and its like: a target or a usage error; what is joined is read again."""

from agtool.core.errors import AgtoolError
from agtool.le_staging.verify import proxy, target


def check(data: bytes) -> None:
    """A line of a list, a --resolve, a --connect-to, a proxy."""
    text = data.decode(errors="surrogateescape")
    try:
        found = target.parse(text, 443)
    except AgtoolError as error:
        assert error.hint
    else:
        assert 0 < found.port < 65536
        assert found.host.isascii()
        again = target.parse(str(found), 1)
        assert (again.host, again.port) == (found.host, found.port)
        assert target.plan_destination(found, ())[1] == found.port
    for read in (target.parse_resolve, target.parse_connect_to):
        try:
            read(text)
        except AgtoolError as error:
            assert error.message
    try:
        proxies = proxy.choose(text, https=True, environment={"NO_PROXY": text})
        proxies.for_host("shop.test")
    except AgtoolError as error:
        assert error.message
