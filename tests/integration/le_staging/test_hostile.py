"""Whatever a server sends, its host fails with a finding, and no other host is touched."""

import random
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from agtool.le_staging import der as asn1
from agtool.le_staging.certificate import Certificate, key_of, parse
from agtool.le_staging.verify import handshake, replay, target
from agtool.le_staging.verify.checker import Checker, Report, in_order
from agtool.le_staging.verify.connect import NoTls
from agtool.le_staging.verify.judge import Verdict
from agtool.le_staging.verify.look import How, Looker
from tests.integration.le_staging.conftest import Authority, as_root
from tests.integration.le_staging.test_beside_curl import curl
from tests.servers import tls
from tests.servers.certificates import Issued

NAME = "shop.test"


def check(port: int, *roots: Issued, timeout: float = 20) -> Report:
    """Check shop.test, which is on loopback."""
    override = target.parse_connect_to(f"::127.0.0.1:{port}")
    how = How(tuple(map(as_root, roots)), overrides=(override,), timeout=timeout)
    return Checker(how).check(target.parse(NAME, port))


def codes(report: Report) -> list[str]:
    """What is wrong."""
    return [problem.code for problem in report.problems]


# -- certificates that a library does not like, signed as they should be -----------------------


def element(tag: int, content: bytes) -> bytes:
    """DER."""
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def resigned(issued: Issued, ca: Issued, change: Callable[[bytes], bytes]) -> bytes:
    """The certificate with another signed part, signed by its CA anew."""
    (outer,) = asn1.elements(issued.der)
    signed, algorithm, _ = outer.parts()
    changed = change(signed.whole)
    assert isinstance(ca.key, ec.EllipticCurvePrivateKey)
    signature = ca.key.sign(changed, ec.ECDSA(hashes.SHA256()))
    return element(0x30, changed + algorithm.whole + element(0x03, b"\0" + signature))


def of_version(number: int) -> Callable[[bytes], bytes]:
    """With another number in the place of the version."""

    def change(signed: bytes) -> bytes:
        (outer,) = asn1.elements(signed)
        first, *others = outer.parts()
        version = element(0xA0, element(0x02, bytes([number])))
        assert first.tag == 0xA0
        return element(0x30, version + b"".join(other.whole for other in others))

    return change


def with_name(name: bytes) -> Callable[[bytes], bytes]:
    """With one more element among the alternative names."""

    def change(signed: bytes) -> bytes:
        (outer,) = asn1.elements(signed)
        *others, extensions = outer.parts()
        (listed,) = extensions.parts()
        made = b""
        for extension in listed.parts():
            number, *critical, value = extension.parts()
            content = value.content
            if asn1.dotted(number.content) == "2.5.29.17":
                (names,) = asn1.elements(content)
                content = element(0x30, names.content + name)
            flags = b"".join(flag.whole for flag in critical)
            made += element(0x30, number.whole + flags + element(0x04, content))
        tail = element(0xA3, element(0x30, made))
        return element(0x30, b"".join(other.whole for other in others) + tail)

    return change


ODD = {
    "version 107": of_version(107),
    "version 0": of_version(0),
    "ediPartyName": with_name(element(0xA5, element(0xA1, element(0x0C, b"party")))),
    "x400Address": with_name(element(0xA3, b"\x30\x00")),
    "otherName": with_name(element(0xA0, bytes.fromhex("06032a0304") + element(0xA0, b"\x0c\0"))),
    "directoryName": with_name(element(0xA4, b"\x30\x00")),
    "registeredID": with_name(element(0x88, b"\x2a\x03\x04")),
    "address of three bytes": with_name(element(0x87, b"\x01\x02\x03")),
    "name that is not ASCII": with_name(element(0x82, b"\xff\xfe")),
    "empty name": with_name(element(0x82, b"")),
    "name with a zero": with_name(element(0x82, b"a\0b.test")),
}


@pytest.mark.usefixtures("data_home", "public_roots")
@pytest.mark.parametrize("kind", ODD)
def test_what_a_library_refuses_is_judged_as_by_curl(
    kind: str, staging: Authority, tmp_path: Path
) -> None:
    leaf = staging.intermediate.leaf(NAME)
    odd = resigned(leaf, staging.intermediate, ODD[kind])
    with raw_server(tmp_path, odd, leaf, staging.intermediate.der) as port:
        report = check(port, staging.root)
        done = curl(NAME, port, "127.0.0.1")
    assert (report.verdict is Verdict.staging) == (done.returncode == 0), report.problems
    assert bool(report.problems) == (done.returncode != 0)


@contextmanager
def raw_server(
    folder: Path, certificate: bytes, leaf: Issued, above: bytes, *options: str
) -> Iterator[int]:
    """Give the port of an `openssl s_server`, which sends what it is given."""
    (folder / "leaf.pem").write_text(ssl.DER_cert_to_PEM_cert(certificate))
    (folder / "chain.pem").write_text(ssl.DER_cert_to_PEM_cert(above))
    (folder / "key.pem").write_text(leaf.key_pem)
    argv = ["openssl", "s_server", "-accept", "127.0.0.1:0", "-www", *options]
    argv += ["-cert", "leaf.pem", "-key", "key.pem", "-cert_chain", "chain.pem"]
    process = subprocess.Popen(
        argv, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert process.stdout
        told = (line for line in process.stdout if line.startswith("ACCEPT"))
        yield int(next(told).rpartition(":")[2])
    finally:
        process.kill()
        process.communicate()


# -- certificates with bytes changed -----------------------------------------------------------


def mutated(der: bytes, chance: random.Random) -> bytes:
    """With a few bytes changed, left out or added."""
    changed = bytearray(der)
    for _ in range(chance.choice([1, 1, 1, 2, 5])):
        at = chance.randrange(len(changed))
        how = chance.randrange(6)
        if how == 0:
            del changed[at]
        elif how == 1:
            changed.insert(at, chance.randrange(256))
        else:
            changed[at] = chance.randrange(256)
    return bytes(changed)


@pytest.mark.usefixtures("public_roots")
def test_nothing_but_an_answer_comes_of_a_changed_certificate(staging: Authority) -> None:
    """The reader, OpenSSL, the judge: on ten thousand of them, with a seed that is told."""
    seed = random.SystemRandom().randrange(2**32)
    chance = random.Random(seed)  # noqa: S311
    known = x509.OtherName(x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3"), b"\x0c\x04user")
    rich = x509.SubjectAlternativeName([x509.DNSName(NAME), known])
    leaf = staging.intermediate.leaf(more=[(rich, False)], issuer_url="http://ca.test/")
    above = parse(staging.intermediate.der)
    looker = Looker(How((as_root(staging.root),)))
    name = target.parse(NAME, 443)
    answered = 0
    for _ in range(10_000):
        changed = mutated(leaf.der, chance)
        try:
            certificate = parse(changed)
        except ValueError:
            continue
        finally:
            with suppress(ValueError):
                assert len(key_of(changed)) == 64
        if chance.random() < 0.1:
            sight = looker.stored(name, [certificate, above])
            assert sight.verdict is Verdict.staging or sight.problems, f"seed {seed}"
            answered += 1
    assert answered > 50, f"seed {seed}"


def test_what_no_reader_takes_is_told_as_such(staging: Authority) -> None:
    """OpenSSL reads less than nothing of it."""
    context = handshake.context([staging.root.der])
    leaf = parse(staging.intermediate.leaf(NAME).der)
    broken: Certificate = leaf._replace(der=b"\x30\x03\x02\x01\x01")
    with pytest.raises(NoTls) as caught:
        replay.show([broken], context)
    assert caught.value.problem.code == "tls"
    assert caught.value.problem.hint


# -- servers that misbehave beside one that does not ------------------------------------------


def alert(number: int) -> tls.Handler:
    """End each handshake with this alert."""

    def handle(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"\x15\x03\x03\x00\x02\x02" + bytes([number]))

    return handle


def flood(data: bytes) -> tls.Handler:
    """Send this without end."""

    def handle(connection: socket.socket) -> None:
        connection.recv(65536)
        while True:
            connection.sendall(data)

    return handle


def trickle(connection: socket.socket) -> None:
    """Begin a record, and send a byte of it now and then, for ever."""
    connection.recv(65536)
    connection.sendall(b"\x16\x03\x03\x40\x00\x02\x00\x3f\x00")
    while True:
        connection.sendall(b"\x01")
        time.sleep(0.05)


HOSTILE: dict[str, tls.Handler] = {
    **{f"alert {number}": alert(number) for number in (0, 20, 40, 47, 50, 80, 112, 120, 200)},
    "zeros": flood(bytes(1000)),
    "empty records": flood(b"\x16\x03\x03\x00\x00"),
    "empty alerts": flood(b"\x15\x03\x03\x00\x02\x01\x5a"),
    "garbage": flood(bytes(range(256))),
    "HTTP without end": flood(b"HTTP/1.1 100 Continue\r\n\r\n"),
    "a byte now and then": trickle,
    "silent": tls.silent,
    "hangs up": tls.hang_up,
}


def test_hosts_beside_hostile_ones_are_checked(staging: Authority, tmp_path: Path) -> None:
    with ExitStack() as running:
        context = tls.tls_context(tmp_path, staging.intermediate.leaf(NAME))
        servers = [
            running.enter_context(tls.Listener(handler))
            for handler in (*HOSTILE.values(), tls.https(context))
        ]
        overrides = tuple(
            target.parse_connect_to(f"h{number}.test::127.0.0.1:{server.port}")
            for number, server in enumerate(servers[:-1])
        )
        overrides += (target.parse_connect_to(f"{NAME}::127.0.0.1:{servers[-1].port}"),)
        names = [f"h{number}.test" for number in range(len(HOSTILE))]
        how = How((as_root(staging.root),), overrides=overrides, timeout=3)
        targets = [target.parse(name, 443) for name in (*names, NAME)]
        reports = list(in_order(targets, Checker(how).check, timeout=3, progress=lambda: None))
    assert reports[-1].verdict is Verdict.staging
    for name, report in zip(HOSTILE, reports[:-1], strict=True):
        assert len(report.problems) == 1, (name, report.problems)
        assert report.problems[0].code in {"tls", "not-tls", "timed-out", "unreachable"}, name
        assert report.problems[0].hint, name


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (40, "certificate for this name"),
        (80, "no certificate for the name"),
        (112, "no site of this name"),
        (120, "--alpn"),
        (70, "TLS 1.2"),
        (49, "list of who may come"),
    ],
)
def test_alerts_have_a_hint_of_their_own(staging: Authority, number: int, told: str) -> None:
    with tls.Listener(alert(number)) as server:
        report = check(server.port, staging.root)
    assert codes(report) == ["tls"]
    assert told in report.problems[0].hint


def test_the_hint_of_a_server_that_wants_another_protocol(
    staging: Authority, tmp_path: Path
) -> None:
    """As PostgreSQL 17 does, which is not installed here: followed, it leads out of it."""
    leaf = staging.intermediate.leaf(NAME)
    ca = staging.intermediate.der
    with raw_server(tmp_path, leaf.der, leaf, ca, "-alpn", "postgresql") as port:
        report = check(port, staging.root)
        assert codes(report) == ["tls"]
        assert "no application protocol" in report.problems[0].message
        assert "--alpn postgresql" in report.problems[0].hint
        override = target.parse_connect_to(f"::127.0.0.1:{port}")
        how = How((as_root(staging.root),), overrides=(override,), alpn=("postgresql",))
        assert Checker(how).check(target.parse(NAME, 443)).verdict is Verdict.staging


@pytest.mark.usefixtures("data_home")
def test_a_stapled_answer_of_ocsp_that_is_garbage(staging: Authority, tmp_path: Path) -> None:
    leaf = staging.intermediate.leaf(NAME)
    (tmp_path / "garbage").write_bytes(b"\x30\x03\x0a\x01\x06")
    stapled = ("-status_file", "garbage")
    with raw_server(tmp_path, leaf.der, leaf, staging.intermediate.der, *stapled) as port:
        assert check(port, staging.root).verdict is Verdict.staging


def test_a_key_that_writes_its_curve_out(staging: Authority, tmp_path: Path) -> None:
    """OpenSSL refuses it, with a number of its own; what is shown of it stays short."""
    (tmp_path / "ca.pem").write_text(staging.intermediate.pem + staging.intermediate.key_pem)
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    argv = ["openssl", "req", "-new", *curve, "-pkeyopt", "ec_param_enc:explicit", "-nodes"]
    argv += ["-subj", "/CN=shop.test", "-keyout", "leaf.key", "-out", "leaf.csr"]
    subprocess.run(argv, cwd=tmp_path, check=True, capture_output=True)
    sign = ["openssl", "x509", "-req", "-in", "leaf.csr", "-CA", "ca.pem", "-CAcreateserial"]
    made = subprocess.run(sign, cwd=tmp_path, check=True, capture_output=True, text=True)
    der = ssl.PEM_cert_to_DER_cert(made.stdout)
    assert parse(der).key == "ECDSA with a curve of its own"
    sight = Looker(How((as_root(staging.root),))).stored(
        None, [parse(der), parse(staging.intermediate.der)]
    )
    assert "refused-by-openssl" in [problem.code for problem in sight.problems]
