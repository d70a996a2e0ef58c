"""`verify` beside the real curl: the same verdict in every row, and the reason that is true."""

import shutil
import ssl
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from agtool.le_staging.roots import store
from agtool.le_staging.verify import target
from agtool.le_staging.verify.checker import Checker, Report
from agtool.le_staging.verify.judge import Verdict
from agtool.le_staging.verify.look import How
from tests.integration.le_staging.conftest import Authority, authority
from tests.servers import tls
from tests.servers.certificates import Issued, issue, key_usage, root

Sent = tuple[Issued, Sequence[x509.Certificate] | None]
"""A certificate, and what the server sends with it; None: all that it should."""


class Row(NamedTuple):
    """A host that is asked, what its server has, and what is wrong with that."""

    name: str
    make: Callable[[Authority], Sent]
    problems: tuple[str, ...] = ()
    host: str = "shop.test"


def _whole(issued: Issued) -> Sent:
    return issued, None


def _leaf(*names: str, **options: object) -> Callable[[Authority], Sent]:
    return lambda ca: _whole(ca.intermediate.leaf(*(names or ("shop.test",)), **options))


def _below(name: str, **options: object) -> Callable[[Authority], Sent]:
    """A good leaf below an intermediate that has these options."""
    return lambda ca: _whole(ca.root.intermediate(name, **options).leaf("shop.test"))


def _other(name: str, *, with_root: bool) -> Callable[[Authority], Sent]:
    def make(_: Authority) -> Sent:
        leaf = authority(name).intermediate.leaf("shop.test")
        return leaf, (leaf.certificate, *leaf.above[: None if with_root else -1])

    return make


def _forged(ca: Authority) -> Sent:
    """Below a CA that has only the name of the real intermediate, which is sent with it."""
    leaf = issue(None, "forger", ca=True)
    name = ca.intermediate.certificate.subject
    forger = Issued(
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(ca.root.certificate.subject)
        .public_key(leaf.key.public_key())
        .serial_number(1)
        .not_valid_before(leaf.certificate.not_valid_before_utc)
        .not_valid_after(leaf.certificate.not_valid_after_utc)
        .add_extension(x509.BasicConstraints(True, None), critical=True)
        .sign(leaf.key, hashes.SHA256()),
        leaf.key,
        ca.intermediate.above,
    )
    victim = forger.leaf("shop.test")
    return victim, (victim.certificate, forger.certificate)


def _sha1(ca: Authority) -> Sent:
    """Signed with SHA-1, which the library refuses to do."""
    leaf = ca.intermediate.leaf("shop.test")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        request = x509.CertificateSigningRequestBuilder(
            leaf.certificate.subject, list(leaf.certificate.extensions)
        ).sign(leaf.key, hashes.SHA256())
        (folder / "leaf").write_bytes(request.public_bytes(serialization.Encoding.PEM))
        (folder / "ca").write_text(ca.intermediate.pem)
        (folder / "key").write_text(ca.intermediate.key_pem)
        command = "openssl x509 -req -in leaf -copy_extensions copy -CA ca -CAkey key -sha1"
        subprocess.run(
            [*command.split(), "-out", "signed"], cwd=folder, check=True, capture_output=True
        )
        signed = x509.load_pem_x509_certificate((folder / "signed").read_bytes())
    return _whole(Issued(signed, leaf.key, leaf.above))


def _constraint(*permitted: str) -> tuple[x509.ExtensionType, bool]:
    return x509.NameConstraints([x509.DNSName(name) for name in permitted], None), True


_UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.55555.1"), b"\x05\x00")

ROWS = [
    Row("whole chain", _leaf()),
    Row(
        "root sent too",
        lambda ca: (leaf := ca.intermediate.leaf("shop.test"), (leaf.certificate, *leaf.above)),
    ),
    Row(
        "chain in the wrong order",
        lambda ca: (
            leaf := ca.intermediate.leaf("shop.test"),
            (leaf.certificate, *reversed(leaf.above)),
        ),
    ),
    Row("directly below the root", lambda ca: _whole(ca.root.leaf("shop.test"))),
    Row("rsa", _leaf(key="rsa2048")),
    Row("ed25519", _leaf(key="ed25519")),
    Row(
        "no intermediate",
        lambda ca: (leaf := ca.intermediate.leaf("shop.test"), [leaf.certificate]),
        ("incomplete-chain",),
    ),
    Row("expired", _leaf(days=(-90, -1)), ("expired",)),
    Row("not yet valid", _leaf(days=(1, 90)), ("not-yet-valid",)),
    Row("wrong name", _leaf("other.test"), ("wrong-name",)),
    Row("expired and wrong name", _leaf("other.test", days=(-9, -1)), ("expired", "wrong-name")),
    Row("expired intermediate", _below("Old", days=(-90, -1)), ("expired",)),
    Row("intermediate not yet valid", _below("New", days=(1, 90)), ("not-yet-valid",)),
    Row(
        "everything at once",
        lambda _: _whole(issue(None, "x", names=["other.test"], days=(-9, -1))),
        ("self-signed", "expired", "wrong-name"),
    ),
    Row(
        "self-signed",
        lambda _: _whole(issue(None, "shop.test", names=["shop.test"])),
        ("self-signed",),
    ),
    Row(
        "default certificate of an ingress",
        lambda _: _whole(
            issue(None, "Kubernetes Ingress Controller Fake Certificate", names=["ingress.local"])
        ),
        ("self-signed", "wrong-name"),
    ),
    Row("unknown root, sent", _other("Elsewhere", with_root=True), ("unknown-root",)),
    Row("unknown root, not sent", _other("Elsewhere", with_root=False), ("unknown-root",)),
    Row("same name as the root", _other("Test Staging", with_root=True), ("unknown-root",)),
    Row(
        "retired root",
        lambda _: _whole(
            root("Fake LE Root X1").intermediate("Fake LE Intermediate X1").leaf("shop.test")
        ),
        ("retired-root",),
    ),
    Row("forged intermediate", _forged, ("bad-signature",)),
    Row("wildcard", _leaf("*.test.example"), host="shop.test.example"),
    Row("wildcard, two labels", _leaf("*.test.example"), ("wrong-name",), "a.b.test.example"),
    Row("wildcard, no label", _leaf("*.test.example"), ("wrong-name",), "test.example"),
    Row("wildcard, partial", _leaf("sh*.test.example"), ("wrong-name",), "shop.test.example"),
    Row("wildcard, too wide", _leaf("*.test"), ("wrong-name",)),
    Row("second name", _leaf("other.test", "shop.test")),
    Row("other case", _leaf("SHOP.Test"), host="shop.tesT"),
    Row("dot at the end", _leaf(), host="shop.test."),
    Row("idn", _leaf("xn--bcher-kva.test"), host="bücher.test"),
    Row("idn, wildcard", _leaf("*.xn--bcher-kva.test"), host="shop.bücher.test"),
    Row("address", _leaf("127.0.0.1"), host="127.0.0.1"),
    Row("address, in short", _leaf("127.0.0.1"), host="127.1"),
    Row("other address", _leaf("127.0.0.2"), ("wrong-name",), "127.0.0.1"),
    Row(
        "name for an address",
        lambda ca: _whole(ca.intermediate.leaf("shop.test", more=[])),
        ("wrong-name",),
        "127.0.0.1",
    ),
    Row("common name only", lambda ca: _whole(issue(ca.intermediate, "shop.test"))),
    Row(
        "common name only, other",
        lambda ca: _whole(issue(ca.intermediate, "other.test")),
        ("wrong-name",),
    ),
    Row(
        "common name beside another name",
        lambda ca: _whole(issue(ca.intermediate, "shop.test", names=["other.test"])),
        ("wrong-name",),
    ),
    Row("no name at all", lambda ca: _whole(issue(ca.intermediate, None)), ("wrong-name",)),
    Row(
        "address as common name",
        lambda ca: _whole(issue(ca.intermediate, "127.0.0.1")),
        host="127.0.0.1",
    ),
    Row("weak key", _leaf(key="rsa1024"), ("weak",)),
    Row("weak intermediate", _below("Weak", key="rsa1024"), ("weak",)),
    Row("weak signature", _sha1, ("weak",)),
    Row("for clients", _leaf(purpose=ExtendedKeyUsageOID.CLIENT_AUTH), ("purpose",)),
    Row("for anything", _leaf(purpose=None)),
    Row(
        "intermediate that is no CA",
        _below("No CA", basic=x509.BasicConstraints(False, None)),
        ("not-a-ca",),
    ),
    Row(
        "intermediate that may not sign",
        _below("Mute", key_usage=key_usage(sign_certificates=False)),
        ("not-a-ca",),
    ),
    Row("intermediate that may sign", _below("Signs", key_usage=key_usage(sign_certificates=True))),
    Row(
        "path too long",
        lambda ca: _whole(
            ca.root.intermediate("Short", basic=x509.BasicConstraints(True, 0))
            .intermediate("Below")
            .leaf("shop.test")
        ),
        ("not-a-ca",),
    ),
    Row("name constraint", _below("Bound", more=[_constraint("other.test")]), ("name-constraint",)),
    Row("name constraint that fits", _below("Bound", more=[_constraint("test")])),
    Row("unknown critical extension", _leaf(more=[(_UNKNOWN, True)]), ("extension",)),
    Row("unknown extension", _leaf(more=[(_UNKNOWN, False)])),
]


@pytest.fixture
def servers() -> Iterator[ExitStack]:
    """Give a stack on which to start servers."""
    with ExitStack() as stack:
        yield stack


def curl(host: str, port: int, connect: str) -> subprocess.CompletedProcess[str]:
    """Run the real curl with the fetched roots and no others, against connect."""
    program = shutil.which("curl")
    assert program, "curl is not installed; tests/install-system-packages.sh helps"
    to = f"[{connect}]" if ":" in connect else connect
    argv = [program, "--disable", "--silent", "--show-error", "--max-time", "20", "--noproxy", "*"]
    argv += ["--cacert", str(store.bundle()), "--capath", str(store.no_certificates())]
    argv += ["--connect-to", f"::{to}:{port}", f"https://{host}:{port}/"]
    return subprocess.run(
        argv,
        capture_output=True,
        text=True,
        check=False,
    )


def ours(host: str, port: int, connect: str = "127.0.0.1", **options: object) -> Report:
    """Check a host as `verify --connect-to ::CONNECT:PORT` does."""
    override = target.Override("", 0, connect, port)
    how = How(tuple(store.roots()), overrides=(override,), **options)  # type: ignore[arg-type]
    return Checker(how).check(target.parse(host, port))


@pytest.mark.usefixtures("data_home", "public_roots")
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name.replace(" ", "-"))
def test_same_verdict_as_curl(
    row: Row, staging: Authority, tmp_path: Path, servers: ExitStack
) -> None:
    issued, sent = row.make(staging)
    context = tls.tls_context(tmp_path / "server", issued, sent)
    server = servers.enter_context(tls.Listener(tls.https(context)))
    report = ours(row.host, server.port)
    done = curl(row.host, server.port, server.host)
    assert (report.verdict is Verdict.staging) == (done.returncode == 0), done.stderr
    assert tuple(problem.code for problem in report.problems) == row.problems, report.problems
    assert report.as_expected == (not row.problems)


@pytest.mark.usefixtures("data_home", "public_roots")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("needed", [ssl.CERT_OPTIONAL, ssl.CERT_REQUIRED])
@pytest.mark.parametrize("tickets", [0, 2])
def test_a_server_that_wants_a_certificate_of_its_clients(
    staging: Authority,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    version: ssl.TLSVersion,
    needed: ssl.VerifyMode,
    tickets: int,
) -> None:
    """In TLS 1.3 it refuses after the handshake, which curl notices when it reads the answer."""
    # Its three seconds could pass on a busy machine too; a minute would not.
    monkeypatch.setattr("agtool.le_staging.verify.handshake._REFUSAL", 60.0)
    context = tls.tls_context(tmp_path, staging.intermediate.leaf("shop.test"))
    context.verify_mode = needed
    context.load_verify_locations(cadata=staging.root.pem)
    context.minimum_version = context.maximum_version = version
    context.num_tickets = tickets
    with tls.Listener(tls.https(context)) as server:
        report = ours("shop.test", server.port, timeout=60)
        done = curl("shop.test", server.port, server.host)
    refused = needed is ssl.CERT_REQUIRED
    assert (done.returncode != 0) == refused, done.stderr
    kinds = [problem.code for problem in report.problems]
    assert kinds == (["client-certificate"] if refused else [])
    # Its own certificate is told all the same.
    assert report.judgement
    assert report.judgement.issued_by is Verdict.staging
    assert report.seconds < 30, "it waits no longer than the server takes"


labels = st.sampled_from(["a", "b", "shop", "xn--bcher-kva", "*", "a*", "1"])
names = st.lists(labels, min_size=1, max_size=4).map(".".join)
addresses = st.sampled_from(["127.0.0.1", "127.0.0.2", "::1"])
asked = st.one_of(names.filter(lambda name: "*" not in name), addresses)
# Most examples shall come as far as the names.
days = st.sampled_from([(-90, 60)] * 3 + [(-90, -1), (1, 90)])
mostly = st.sampled_from([True] * 4 + [False])


class Case(NamedTuple):
    """A certificate, the chain above it, and the host for which it is asked."""

    alternative: list[str]
    common: str | None
    host: str
    leaf_days: tuple[float, float]
    ca_days: tuple[float, float]
    whole: bool
    known: bool


cases = st.builds(
    Case,
    st.lists(st.one_of(names, addresses), max_size=3),
    st.one_of(st.none(), names, addresses),
    asked,
    days,
    days,
    mostly,
    mostly,
)


@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(case=cases)
@pytest.mark.usefixtures("data_home", "public_roots")
def test_same_verdict_as_curl_for_any_certificate(
    case: Case, staging: Authority, tmp_path: Path
) -> None:
    top = staging.root if case.known else root("Elsewhere Root")
    ca = top.intermediate("CA", days=case.ca_days)
    leaf = issue(ca, case.common, names=case.alternative, days=case.leaf_days)
    context = tls.tls_context(tmp_path, leaf, None if case.whole else [leaf.certificate])
    host = f"[{case.host}]" if ":" in case.host else case.host
    with tls.Listener(tls.https(context)) as server:
        report = ours(case.host, server.port)
        done = curl(host, server.port, server.host)
    assert (report.verdict is Verdict.staging) == (done.returncode == 0), done.stderr
    event(f"curl exits with {done.returncode}")
    kinds = {problem.code for problem in report.problems}
    assert ("incomplete-chain" in kinds) == (not case.whole)
    assert ("unknown-root" in kinds) == (case.whole and not case.known)
