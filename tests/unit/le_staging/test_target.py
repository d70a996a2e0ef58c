"""Hosts as people write them, and where to connect for them."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agtool.core.errors import UsageError
from agtool.le_staging.verify.target import (
    Target,
    join,
    parse,
    parse_connect_to,
    parse_resolve,
    plan_destination,
)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("shop.test", "shop.test", 443),
        ("shop.test:8443", "shop.test", 8443),
        ("SHOP.Test.", "shop.test", 443),
        ("localhost", "localhost", 443),
        ("_dmarc.shop.test", "_dmarc.shop.test", 443),
        ("https://shop.test", "shop.test", 443),
        ("https://user:secret@shop.test:444/path?query#fragment", "shop.test", 444),
        ("192.0.2.7", "192.0.2.7", 443),
        ("192.0.2.7:1", "192.0.2.7", 1),
        ("127.1", "127.0.0.1", 443),
        ("0x7F.1:1", "127.0.0.1", 1),
        ("1", "0.0.0.1", 443),
        ("1.2.3.4.5", "1.2.3.4.5", 443),
        ("1a.test", "1a.test", 443),
        ("::1", "::1", 443),
        ("[::1]", "::1", 443),
        ("[2001:DB8:0::1]:65535", "2001:db8::1", 65535),
        ("bücher.test", "xn--bcher-kva.test", 443),
        ("BÜCHER.test:1", "xn--bcher-kva.test", 1),
        ("straße.test", "xn--strae-oqa.test", 443),
        ("xn--bcher-kva.test", "xn--bcher-kva.test", 443),
        ("例え.テスト", "xn--r8jz45g.xn--zckzah", 443),
        ("  shop.test\t", "shop.test", 443),
    ],
)
def test_hosts(text: str, host: str, port: int) -> None:
    assert parse(text, 443) == Target(host, port, text.strip().replace("user:secret@", ""))


NO_HOSTS = [
    "",
    ".",
    "a..b",
    "a_b,c",
    "shop.test:",
    "shop.test:0",
    "shop.test:65536",
    "shop.test:x",
    "shop.test:٣",
    "[::1",
    "[::1]x",
    "[shop.test]",
    "1:2:3",
    "https://",
    "*.test",
    "-\u200d.test",
]


@pytest.mark.parametrize(
    "text", [*NO_HOSTS, "http://", "https://:443", "a b", "a" * 64, "a." * 127 + "aa", "ü" * 60]
)
def test_what_is_no_host(text: str) -> None:
    with pytest.raises(UsageError):
        parse(text, 443)


names = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?(\.[a-z]{1,5}){1,3}", fullmatch=True)
ports = st.integers(1, 65535)


@given(st.one_of(names, st.ip_addresses().map(str)), ports)
def test_what_is_joined_is_read_again(host: str, port: int) -> None:
    target = parse(join(host, port), 443)
    assert (target.port, str(target)) == (port, join(target.host, port))
    assert parse(str(target), 443)[:2] == target[:2]
    if target.is_address:
        assert ipaddress.ip_address(target.host) == ipaddress.ip_address(host)


@given(st.text())
def test_any_text_is_a_host_or_a_usage_error(text: str) -> None:
    try:
        target = parse(text, 443)
    except UsageError:
        return
    assert target.host.isascii()
    assert 0 < len(target.host) <= 253
    assert 0 < target.port < 65536


@given(st.text(alphabet="ab.:*[]0127,"))
def test_any_override_is_one_or_a_usage_error(text: str) -> None:
    for read in (parse_resolve, parse_connect_to):
        try:
            read(text)
        except UsageError:
            continue


def plan(host: str, *, resolve: str = "", connect_to: str = "") -> tuple[tuple[str, ...], int]:
    """Where to connect for a host."""
    overrides = [parse_resolve(text) for text in resolve.split()]
    overrides += [parse_connect_to(text) for text in connect_to.split()]
    return plan_destination(parse(host, 443), overrides)


@pytest.mark.parametrize(
    ("host", "resolve", "connect_to", "expected"),
    [
        ("a.test", "", "", (("a.test",), 443)),
        ("192.0.2.1", "", "", (("192.0.2.1",), 443)),
        ("a.test", "a.test:443:192.0.2.1", "", (("192.0.2.1",), 443)),
        ("a.test", "A.TEST:443:[::1],192.0.2.1", "", (("::1", "192.0.2.1"), 443)),
        ("a.test", "*:443:192.0.2.1", "", (("192.0.2.1",), 443)),
        ("a.test", "a.test:444:192.0.2.1 b.test:443:192.0.2.1", "", (("a.test",), 443)),
        ("a.test", "a.test:443:::1", "", (("::1",), 443)),
        ("a.test", "", "a.test:443:b.test:8443", (("b.test",), 8443)),
        ("a.test", "", "a.test::b.test:", (("b.test",), 443)),
        ("a.test", "", ":443::8443", (("a.test",), 8443)),
        ("a.test", "", "::[::1]:8443", (("::1",), 8443)),
        ("a.test", "", "c.test:443:b.test:1 a.test:443:d.test:2", (("d.test",), 2)),
        ("a.test", "b.test:1:192.0.2.1", "a.test:443:b.test:1", (("192.0.2.1",), 1)),
        ("ü.test", "ü.test:443:192.0.2.1", "", (("192.0.2.1",), 443)),
    ],
)  # fmt: skip
def test_destinations(
    host: str, resolve: str, connect_to: str, expected: tuple[tuple[str, ...], int]
) -> None:
    assert plan(host, resolve=resolve, connect_to=connect_to) == expected


@pytest.mark.parametrize(
    "text", ["", "a.test", "a.test:443", "a.test:443:", "a.test:443:b.test", "a.test:x:192.0.2.1"]
)
def test_what_is_no_resolve(text: str) -> None:
    with pytest.raises(UsageError):
        parse_resolve(text)


@pytest.mark.parametrize("text", ["", "a:1", "a:1:b", "a:1:b:2:c", "a:x:b:2", "a b:1:c:2"])
def test_what_is_no_connect_to(text: str) -> None:
    with pytest.raises(UsageError):
        parse_connect_to(text)
