"""`--starttls` against real servers of each protocol, and against such that do not want it."""

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from agtool.le_staging.roots import store
from agtool.le_staging.verify import starttls, target
from agtool.le_staging.verify.checker import Checker, Report
from agtool.le_staging.verify.judge import Verdict
from agtool.le_staging.verify.look import How
from tests.conftest import needed
from tests.integration.le_staging.conftest import Authority
from tests.servers import tls
from tests.servers.process import server_folder
from tests.servers.starttls import running

PROTOCOLS = ["smtp", "imap", "pop3", "ftp", "ldap", "postgres", "mysql", "sieve", "lmtp", "xmpp"]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Give a stack on which to start servers."""
    with ExitStack() as stack:
        yield stack


def check(protocol: str, port: int, host: str = "shop.test", timeout: float = 20) -> Report:
    """Check a server on loopback."""
    override = target.Override("", 0, "127.0.0.1", port)
    how = How(tuple(store.roots()), protocol=protocol, overrides=(override,), timeout=timeout)
    return Checker(how).check(target.parse(host, port))


def s_client(protocol: str, port: int, host: str) -> bool:
    """Whether OpenSSL's own client verifies the server, with these roots only."""
    argv = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-starttls", protocol]
    argv += ["-servername", host, "-verify_hostname", host, "-verify_return_error"]
    argv += ["-CAfile", str(store.bundle()), "-no-CApath", "-no-CAstore"]
    argv += ["-xmpphost", host] if protocol == "xmpp" else []
    done = subprocess.run(
        argv,
        input="",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "BEGIN CERTIFICATE" in done.stdout or done.returncode, done.stderr
    return done.returncode == 0


@pytest.mark.usefixtures("data_home")
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_real_server(protocol: str, staging: Authority, stack: ExitStack) -> None:
    folder = stack.enter_context(server_folder())
    with needed():
        leaf = staging.intermediate.leaf("shop.test")
        port = stack.enter_context(running(protocol, folder / "server", leaf))
    for host, problems in (("shop.test", []), ("other.test", ["wrong-name"])):
        report = check(protocol, port, host)
        assert [problem.code for problem in report.problems] == problems, report.problems
        assert report.as_expected == s_client(protocol, port, host) == (not problems)
    # TLS at once is not what such a server speaks. MariaDB and MySQL wait, since they speak first.
    kinds = {problem.code for problem in check("", port, timeout=3).problems}
    assert kinds <= {"not-tls", "tls", "timed-out"}


@pytest.mark.usefixtures("data_home")
@pytest.mark.parametrize(
    ("protocol", "says", "text"),
    [
        ("smtp", b"220 hi\r\n250-hi\r\n250 SIZE 1\r\n", "does not offer STARTTLS"),
        ("smtp", b"554 5.7.1 not you\r\n", "it says: 554 5.7.1 not you"),
        ("smtp", b"220 hi\r\n250 STARTTLS\r\n454 not now\r\n", "it says: 454 not now"),
        ("imap", b"* OK hi\r\na BAD what?\r\n", "it says: a BAD what?"),
        ("imap", b"* BYE full\r\n", "it says: * BYE full"),
        ("pop3", b"+OK hi\r\n-ERR no TLS\r\n", "it says: -ERR no TLS"),
        ("ftp", b"220 hi\r\n500 what?\r\n", "it says: 500 what?"),
        ("ldap", b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x02\x04\x00\x04\x00", "result code is 2"),
        ("ldap", bytes.fromhex("308400000010020101788400000007 0a013404000400"), "code is 52"),
        ("ldap", b"\x30\x84\x7f\xff\xff\xff", "not LDAP"),
        ("ldap", b"\x30\xff\0\0", "not LDAP"),
        ("ldap", b"\x30\x80\0\0", "not LDAP"),
        ("ldap", b"\x30\x05\x02\x01\x01\x78\0", "not LDAP's for STARTTLS"),
        ("ldap", b"\x30\x07\x02\x01\x01\x78\x02\x0a\0", "not LDAP's for STARTTLS"),
        ("ldap", b"HTTP/1.1 400 Bad Request\r\n\r\n" + b" " * 80, "not LDAP"),
        ("postgres", b"N", "TLS is switched off"),
        ("postgres", b"E", "does not know TLS"),
        ("postgres", b"x", "not PostgreSQL's"),
        ("lmtp", b"220 hi\r\n250-hi\r\n250 SIZE 1\r\n", "does not offer STARTTLS"),
        ("sieve", b'"IMPLEMENTATION" "x"\r\nOK\r\nNO "not now"\r\n', 'it says: NO "not now"'),
        ("sieve", b'"A" "b"\r\n' * 1000, "have no end"),
        ("sieve", b"BYE\r\n", "it says: BYE"),
        ("mysql", b"\x17\0\0\0\xff\x10\x04Too many connections", "Too many connections"),
        ("mysql", b"\x04\0\0\0abcd", "not MySQL's"),
        ("mysql", b"\0\0\0\0", "not MySQL's"),
        ("mysql", b"\x4a\0\0\0\x0a8.0.0\0" + bytes(67), "TLS is switched off"),
        ("xmpp", b"<stream:stream><stream:features></stream:features>", "does not offer STARTTLS"),
        ("xmpp", b"<stream:error/></stream:stream>", "does not offer STARTTLS"),
        ("xmpp", b"x" * 10_000, "has no end"),
        (
            "xmpp",
            b"<stream:features>urn:ietf:params:xml:ns:xmpp-tls</stream:features><failure/>",
            "it says: ",
        ),
        ("smtp", b"", "it closed the connection"),
        ("imap", b"x" * 10_000, "its line has no end"),
        ("smtp", b"220-x\r\n" * 1000, "its reply has no end"),
        ("smtp", b"220 hi\r\n550 \x1b[2J\r\n", "it says: 550 \N{REPLACEMENT CHARACTER}[2J"),
    ],
)  # fmt: skip
def test_server_that_does_not_want(protocol: str, says: bytes, text: str) -> None:
    def server(connection: socket.socket) -> None:
        connection.sendall(says)
        connection.shutdown(socket.SHUT_WR)
        tls.silent(connection)

    with tls.Listener(server) as listening:
        report = check(protocol, listening.port)
    assert [problem.code for problem in report.problems] == ["starttls"]
    assert text in report.problems[0].message


@pytest.mark.usefixtures("data_home")
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_server_that_says_nothing(protocol: str) -> None:
    with tls.Listener(tls.silent) as listening:
        report = check(protocol, listening.port, timeout=0.5)
    assert [problem.code for problem in report.problems] == ["timed-out"]


@pytest.mark.usefixtures("data_home")
def test_lengths_as_active_directory_writes_them(staging: Authority, tmp_path: Path) -> None:
    """An imitation of it: each length in four bytes, which BER allows. Then TLS begins."""
    name = b"1.3.6.1.4.1.1466.20037"
    result = b"\x0a\x01\0\x04\0\x04\0\x8a" + bytes([len(name)]) + name
    answer = b"\x02\x01\x01\x78\x84" + len(result).to_bytes(4, "big") + result
    answer = b"\x30\x84" + len(answer).to_bytes(4, "big") + answer
    assert answer.startswith(bytes.fromhex("30 84 00 00 00 28 02 01 01 78 84 00 00 00 1f 0a 01 00"))

    def active_directory(connection: socket.socket) -> None:
        request = connection.recv(31, socket.MSG_WAITALL)
        assert request.endswith(name)
        connection.sendall(answer)

    context = tls.tls_context(tmp_path, staging.intermediate.leaf("shop.test"))
    with tls.Listener(tls.https(context, before=active_directory)) as listening:
        assert check("ldap", listening.port).verdict is Verdict.staging


@pytest.mark.usefixtures("data_home")
def test_replies_in_many_pieces_and_lines(staging: Authority, tmp_path: Path) -> None:
    def smtp(connection: socket.socket) -> None:
        stream = connection.makefile("rb", buffering=0)
        for answer in (b"220-a\r\n220 b\r\n", b"250-x\r\n250-StartTLS\r\n250 y\r\n", b"220 go\r\n"):
            for byte in answer:
                connection.sendall(bytes([byte]))
            if not answer.startswith(b"220 go"):
                stream.readline()

    context = tls.tls_context(tmp_path, staging.intermediate.leaf("shop.test"))
    with tls.Listener(tls.https(context, before=smtp)) as listening:
        assert check("smtp", listening.port).verdict is Verdict.staging


def test_every_protocol_has_a_port_and_a_test() -> None:
    assert set(starttls.PROTOCOLS) == set(PROTOCOLS) == set(target.PORTS) - {""}


def test_openssl_is_there() -> None:
    with needed():
        assert shutil.which("openssl")
