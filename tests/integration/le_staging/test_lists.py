"""Hosts as people have them: lists with mistakes, wildcards, several addresses, proxies."""

import base64
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from agtool.core.errors import ConfigurationError
from agtool.le_staging.verify import handshake, proxy, target, way
from agtool.le_staging.verify.checker import Checker, Report
from agtool.le_staging.verify.judge import Verdict
from agtool.le_staging.verify.look import How
from tests.integration.le_staging.conftest import Authority, as_root
from tests.integration.le_staging.test_beside_curl import curl
from tests.servers import tls
from tests.servers.certificates import Issued, to_pem
from tests.servers.process import free_port

NAME = "shop.test"


def codes(report: Report) -> list[str]:
    """What is wrong."""
    return [problem.code for problem in report.problems]


def notes(report: Report) -> list[str]:
    """What is worth knowing."""
    return [note.code for note in report.notes]


# -- several addresses -------------------------------------------------------------------------


@contextmanager
def replicas(folder: Path, *leaves: Issued) -> Iterator[target.Override]:
    """Give an override that leads to a server for each, on addresses of loopback."""
    with ExitStack() as stack:
        port, listening = 0, []
        for number, leaf in enumerate(leaves, 1):
            address = f"127.0.0.{number}"
            context = tls.tls_context(folder / address, leaf)
            listener = tls.Listener(tls.https(context), address, port)
            port = listener.port
            listening.append(address)
            stack.enter_context(listener)
        yield target.parse_resolve(f"{NAME}:{port}:{','.join(listening)}")


def test_one_of_three_replicas_is_looked_at_and_it_says_so(
    staging: Authority, tmp_path: Path
) -> None:
    good = staging.intermediate.leaf(NAME)
    old = staging.intermediate.leaf(NAME, days=(-90, -1))
    other = staging.intermediate.leaf("other.test")
    with replicas(tmp_path, good, old, other) as override:
        how = How((as_root(staging.root),), overrides=(override,))
        host = target.parse(NAME, override.for_port)
        report = Checker(how).check(host)
        assert (report.verdict, codes(report)) == (Verdict.staging, [])
        assert notes(report) == ["several-addresses"]
        assert "2 other addresses" in report.notes[0].message
        assert "--all-addresses" in report.notes[0].hint

        report = Checker(how._replace(all_addresses=True)).check(host)
    assert (report.verdict, report.as_expected) == (Verdict.failed, False)
    assert codes(report) == ["expired", "wrong-name"]
    assert [problem.message[:22] for problem in report.problems] == [
        "at 127.0.0.2 (ECDSA): ",
        "at 127.0.0.3 (ECDSA): ",
    ]
    seen = [(sight.address, sight.verdict) for sight in report.sights]
    assert seen == [
        ("127.0.0.1", Verdict.staging),
        ("127.0.0.2", Verdict.failed),
        ("127.0.0.3", Verdict.failed),
    ]
    assert notes(report) == []


def test_an_address_that_is_down_is_a_failure(staging: Authority, tmp_path: Path) -> None:
    with replicas(tmp_path, staging.intermediate.leaf(NAME)) as only:
        override = only._replace(addresses=("127.0.0.1", "127.0.0.9"))
        how = How((as_root(staging.root),), overrides=(override,), all_addresses=True)
        report = Checker(how).check(target.parse(NAME, only.for_port))
    assert codes(report) == ["refused"]
    assert report.problems[0].message.startswith("at 127.0.0.9: ")


def test_what_all_have_is_said_once(staging: Authority, tmp_path: Path) -> None:
    old = staging.intermediate.leaf(NAME, days=(-90, -1))
    with replicas(tmp_path, old, old) as override:
        how = How((as_root(staging.root),), overrides=(override,), all_addresses=True)
        report = Checker(how).check(target.parse(NAME, override.for_port))
    (problem,) = report.problems
    assert problem.message.startswith("shop.test expired")


@pytest.mark.parametrize("broken", ["RSA", "ECDSA", ""])
def test_both_kinds_of_keys(staging: Authority, tmp_path: Path, broken: str) -> None:
    """A server with two certificates, as nginx and OpenSSL have them, picks by the client."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    for kind, key in (("RSA", "rsa2048"), ("ECDSA", "ec")):
        days = (-90.0, -1.0) if kind == broken else (-1.0, 60.0)
        leaf = staging.intermediate.leaf(NAME, key=key, days=days)
        (tmp_path / kind).write_text(to_pem(*leaf.chain) + leaf.key_pem)
        context.load_cert_chain(tmp_path / kind)
    with tls.Listener(tls.https(context)) as server:
        override = target.parse_connect_to(f"::127.0.0.1:{server.port}")
        how = How((as_root(staging.root),), overrides=(override,), all_addresses=True)
        report = Checker(how).check(target.parse(NAME, 443))
    assert sorted(sight.key for sight in report.sights) == ["ECDSA", "RSA"]
    assert codes(report) == (["expired"] if broken else [])
    if broken:
        assert report.problems[0].message.startswith(f"at 127.0.0.1 ({broken}): ")


def test_two_servers_behind_one_address(staging: Authority, tmp_path: Path) -> None:
    """The first one has not been reloaded."""
    old = staging.intermediate.leaf(NAME, days=(-90, -1))
    new = staging.intermediate.leaf(NAME)
    contexts = iter([tls.tls_context(tmp_path / one.sha256, one) for one in (old, new, new)])

    def balance(connection: socket.socket) -> None:
        tls.https(next(contexts))(connection)

    with tls.Listener(balance) as balancer:
        override = target.parse_connect_to(f"::127.0.0.1:{balancer.port}")
        how = How((as_root(staging.root),), overrides=(override,))
        report = Checker(how).check(target.parse(NAME, 443))
    assert (report.verdict, codes(report)) == (Verdict.failed, ["two-answers"])
    assert "certificate has expired" in report.problems[0].message
    assert "reload all" in report.problems[0].hint


# -- names -------------------------------------------------------------------------------------


def test_a_wildcard_is_checked_by_a_label_of_our_making(staging: Authority, tmp_path: Path) -> None:
    asked: list[str | None] = []
    context = tls.tls_context(tmp_path, staging.intermediate.leaf("*.apps.shop.test"))
    context.sni_callback = lambda _socket, name, _context: asked.append(name)
    with tls.Listener(tls.https(context)) as server:
        for to in ("*.apps.shop.test:443", ":"):
            override = target.parse_connect_to(f"{to}:127.0.0.1:{server.port}")
            how = How((as_root(staging.root),), overrides=(override,))
            report = Checker(how).check(target.parse("*.apps.shop.test", 443))
            assert (report.verdict, notes(report)) == (Verdict.staging, ["wildcard"])
            assert "agtool-wildcard-check.apps.shop.test" in report.notes[0].message
    assert asked == ["agtool-wildcard-check.apps.shop.test"] * 2


@pytest.mark.usefixtures("data_home", "public_roots")
@pytest.mark.parametrize("host", ["i❤.test", "☃.shop.test", "bücher.test", "faß.test"])
def test_names_in_other_scripts_are_curl_s(staging: Authority, tmp_path: Path, host: str) -> None:
    ascii_name = target.parse(host, 443).host
    context = tls.tls_context(tmp_path, staging.intermediate.leaf(ascii_name))
    with tls.Listener(tls.https(context)) as server:
        override = target.parse_connect_to(f"::127.0.0.1:{server.port}")
        how = How((as_root(staging.root),), overrides=(override,))
        assert Checker(how).check(target.parse(host, 443)).verdict is Verdict.staging
        assert curl(host, server.port, "127.0.0.1").returncode == 0


def test_a_dot_at_the_end_keeps_search_domains_away(
    staging: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The resolver is the only thing that is not real here: nobody's search domains are ours."""
    asked = []

    def lookup(host: bytes, *_: object) -> list[object]:
        asked.append(host.decode())
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    checker = Checker(How((as_root(staging.root),)))
    for host in ("shop.test.", "https://shop.test.:8443/x", "shop.test"):
        assert codes(checker.check(target.parse(host, 443))) == ["unresolvable"]
    moved = How((as_root(staging.root),), overrides=(target.parse_connect_to("::other.test.:1"),))
    Checker(moved).check(target.parse("shop.test", 443))
    assert asked == ["shop.test.", "shop.test.", "shop.test", "other.test."]


# -- proxies -----------------------------------------------------------------------------------


@contextmanager
def behind_a_proxy(
    staging: Authority, folder: Path, answer: bytes = b""
) -> Iterator[tuple[tls.Listener, tls.Listener, list[bytes]]]:
    """Give a server, a proxy that leads everybody there, and what it was asked for."""
    context = tls.tls_context(folder, staging.intermediate.leaf(NAME))
    asked: list[bytes] = []

    def refuse(connection: socket.socket) -> None:
        request = b""
        while not request.endswith(b"\r\n\r\n"):
            request += connection.recv(1)
        asked.append(request)
        connection.sendall(answer)

    with tls.Listener(tls.https(context)) as server:
        led = tls.connect_proxy(server.port, asked)
        with tls.Listener(refuse if answer else led) as listening:
            yield server, listening, asked


def through(staging: Authority, proxies: proxy.Proxies) -> How:
    """Check through them."""
    return How((as_root(staging.root),), proxies=proxies, timeout=20)


def test_through_a_proxy(staging: Authority, tmp_path: Path) -> None:
    with behind_a_proxy(staging, tmp_path) as (server, listening, asked):
        url = f"http://me:p%40ss@127.0.0.1:{listening.port}"
        how = through(staging, proxy.choose(url, https=True, environment={}))
        report = Checker(how).check(target.parse(f"{NAME}:444", 443))
        assert (report.verdict, notes(report)) == (Verdict.staging, ["proxy"])
        assert "me" not in report.notes[0].message
        assert server.connections == 1
    assert asked[0].startswith(b"CONNECT shop.test:444 HTTP/1.1\r\nHost: shop.test:444\r\n")
    assert base64.b64encode(b"me:p@ss") in asked[0]
    assert report.evidence
    assert report.evidence.address == ""


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "it says: HTTP/1.1 407"),
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", "it says: HTTP/1.1 403"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "it says: SSH"),
        (b"HTTP/1.1 200 OK\r\n", "closed the connection"),
        (b"x" * 70_000, "talks on"),
    ],
)
def test_a_proxy_that_does_not(
    staging: Authority, tmp_path: Path, answer: bytes, told: str
) -> None:
    with behind_a_proxy(staging, tmp_path, answer) as (_, listening, _asked):
        how = through(staging, proxy.Proxies(proxy.Proxy("127.0.0.1", listening.port)))
        report = Checker(how).check(target.parse(NAME, 443))
    assert codes(report) == ["proxy"]
    assert told in report.problems[0].message
    assert "NO_PROXY" in report.problems[0].hint


def test_a_proxy_that_is_not_there(staging: Authority) -> None:
    how = through(staging, proxy.Proxies(proxy.Proxy("127.0.0.1", free_port())))
    assert codes(Checker(how).check(target.parse(NAME, 443))) == ["refused"]


@pytest.mark.parametrize(
    ("environment", "https", "host", "expected"),
    [
        ({}, True, NAME, None),
        ({"HTTPS_PROXY": "http://p.test:3128"}, True, NAME, ("p.test", 3128)),
        ({"HTTPS_PROXY": "p.test"}, True, NAME, ("p.test", 1080)),
        ({"HTTPS_PROXY": "http://a", "https_proxy": "http://b"}, True, NAME, ("b", 80)),
        ({"HTTPS_PROXY": "http://a"}, False, NAME, None),
        ({"ALL_PROXY": "http://a"}, False, NAME, ("a", 80)),
        ({"ALL_PROXY": "http://a", "HTTPS_PROXY": "http://b"}, True, NAME, ("b", 80)),
        ({"ALL_PROXY": "http://a", "NO_PROXY": "*"}, True, NAME, None),
        ({"ALL_PROXY": "http://a", "NO_PROXY": ".test"}, True, NAME, None),
        ({"ALL_PROXY": "http://a", "NO_PROXY": "x, shop.test"}, True, NAME, None),
        ({"ALL_PROXY": "http://a", "NO_PROXY": "hop.test"}, True, NAME, ("a", 80)),
        ({"ALL_PROXY": "http://a", "NO_PROXY": "10.0.0.0/8"}, True, "10.1.2.3", None),
        ({"ALL_PROXY": "http://a", "NO_PROXY": "10.0.0.0/8"}, True, "192.0.2.1", ("a", 80)),
        ({"ALL_PROXY": "http://a", "NO_PROXY": "[::1]"}, True, "::1", None),
    ],
)
def test_which_proxy(
    environment: dict[str, str], https: bool, host: str, expected: tuple[str, int] | None
) -> None:
    found = proxy.choose(None, https=https, environment=environment).for_host(host)
    assert (found[:2] if found else None) == expected
    assert proxy.choose("", https=https, environment=environment).for_host(host) is None


@pytest.mark.parametrize("url", ["socks5://p", "https://p", "http://", "http://[::1", "http://p:x"])
def test_what_is_no_http_proxy(url: str) -> None:
    with pytest.raises(ConfigurationError, match="not the URL of an HTTP proxy"):
        proxy.choose(url, https=True, environment={})


# -- clients' certificates ----------------------------------------------------------------------


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_certificate_of_ours(
    staging: Authority, company: Authority, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    context = tls.tls_context(tmp_path, staging.intermediate.leaf(NAME))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=company.root.pem)
    context.minimum_version = context.maximum_version = version
    known = company.intermediate.leaf("client", purpose=None)
    unknown = staging.intermediate.leaf("client", purpose=None)
    for number, (own, problems) in enumerate(
        [(known, []), (unknown, ["client-certificate"]), (None, ["client-certificate"])]
    ):
        file = tmp_path / f"client{number}.pem"
        if own:
            file.write_text(to_pem(*own.chain) + own.key_pem)
        with tls.Listener(tls.https(context)) as server:
            override = target.parse_connect_to(f"::127.0.0.1:{server.port}")
            how = How((as_root(staging.root),), overrides=(override,), timeout=60)
            if own:
                how = how._replace(own=way.Own(str(file), str(file)))
            report = Checker(how).check(target.parse(NAME, 443))
        assert codes(report) == problems


def test_a_certificate_of_ours_that_cannot_be_used(staging: Authority, tmp_path: Path) -> None:
    one, other = (staging.intermediate.leaf(name) for name in ("a", "b"))
    (tmp_path / "one").write_text(one.pem)
    (tmp_path / "key").write_text(other.key_pem)
    for certificate, key in (
        ("one", "key"),
        ("one", "missing"),
        ("missing", "key"),
        ("key", "key"),
    ):
        with pytest.raises(ConfigurationError, match="cannot use"):
            handshake.context([], own=way.Own(str(tmp_path / certificate), str(tmp_path / key)))
