"""`verify` against servers on loopback: verdicts, connections that fail, and many at once."""

import resource
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from unittest.mock import Mock

import pytest
from cryptography import x509

from agtool.le_staging.roots import store
from agtool.le_staging.roots.pins import CURRENT
from agtool.le_staging.roots.store import Root
from agtool.le_staging.verify import connect, target, thorough
from agtool.le_staging.verify.checker import Checker, Report, failure, in_order
from agtool.le_staging.verify.connect import NoTls
from agtool.le_staging.verify.judge import Verdict
from agtool.le_staging.verify.look import How
from tests.integration.le_staging.conftest import Authority, as_root, authority
from tests.servers import tls
from tests.servers.certificates import Issued, root
from tests.servers.process import free_port

Serve = Callable[[Issued], tls.Listener]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Give a function that starts a server with a certificate, until the test's end."""
    with ExitStack() as running:

        def start(issued: Issued, host: str = "127.0.0.1", root_too: bool = False) -> tls.Listener:
            sent = (issued.certificate, *issued.above) if root_too else None
            context = tls.tls_context(tmp_path / issued.sha256, issued, sent)
            return running.enter_context(tls.Listener(tls.https(context), host))

        yield start


def check(port: int, *roots: Issued, host: str = "shop.test", **options: object) -> Report:
    """Check shop.test, which is on loopback."""
    override = target.parse_connect_to(f"::127.0.0.1:{port}")
    how = How(tuple(map(as_root, roots)), overrides=(override,), **options)  # type: ignore[arg-type]
    return Checker(how).check(target.parse(host, port))


def kinds(report: Report) -> list[str]:
    """What is wrong."""
    return [problem.code for problem in report.problems]


# -- verdicts ---------------------------------------------------------------------------------


@pytest.mark.usefixtures("public_roots")
def test_production_is_not_staging(staging: Authority, public: Authority, serve: Serve) -> None:
    port = serve(public.intermediate.leaf("shop.test")).port
    report = check(port, staging.root)
    assert (report.verdict, report.as_expected) == (Verdict.production, False)
    assert kinds(report) == ["not-staging"]
    assert report.judgement
    assert report.judgement.anchor
    assert report.judgement.anchor.sha256 == public.root.sha256
    report = check(port, staging.root, expected=Verdict.production)
    assert (report.verdict, report.as_expected, kinds(report)) == (Verdict.production, True, [])


@pytest.mark.usefixtures("public_roots")
def test_still_staging_on_the_day_of_the_switch(staging: Authority, serve: Serve) -> None:
    port = serve(staging.intermediate.leaf("shop.test")).port
    report = check(port, staging.root, expected=Verdict.production)
    assert (report.verdict, report.as_expected) == (Verdict.staging, False)
    assert kinds(report) == ["still-staging"]
    assert "acme-v02.api.letsencrypt.org" in report.problems[0].hint


@pytest.mark.usefixtures("public_roots")
def test_only_this_machine_trusts_it(staging: Authority, company: Authority, serve: Serve) -> None:
    port = serve(company.intermediate.leaf("shop.test")).port
    for expected in (Verdict.staging, Verdict.production):
        report = check(port, staging.root, expected=expected)
        assert (report.verdict, report.as_expected, kinds(report)) == (
            Verdict.other,
            False,
            ["other-root"],
        )


@pytest.mark.usefixtures("public_roots")
def test_a_production_certificate_with_problems(
    staging: Authority, public: Authority, serve: Serve
) -> None:
    port = serve(public.intermediate.leaf("other.test", days=(-9, -1))).port
    report = check(port, staging.root, expected=Verdict.production)
    assert (report.verdict, kinds(report)) == (Verdict.failed, ["expired", "wrong-name"])
    assert report.judgement
    assert report.judgement.issued_by is Verdict.production


def test_a_public_root_that_has_expired(
    staging: Authority, serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = root("Old Public Root", days=(-900, -1))
    (tmp_path / "mozilla.pem").write_text(old.pem)
    monkeypatch.setattr("certifi.where", lambda: str(tmp_path / "mozilla.pem"))
    report = check(serve(old.leaf("shop.test")).port, staging.root, expected=Verdict.production)
    assert (report.verdict, kinds(report)) == (Verdict.failed, ["expired"])


def test_a_staging_root_that_this_machine_trusts_is_no_production_root(
    public: Authority, serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody put a retired staging root into the machine's store: it is told by fingerprint."""
    old = root("(STAGING) Old")
    monkeypatch.setattr("agtool.le_staging.verify.judge.BY_SHA256", {old.sha256: None})
    (tmp_path / "all.pem").write_text(old.pem)
    monkeypatch.setattr("certifi.where", lambda: str(tmp_path / "all.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "all.pem"))
    report = check(serve(old.leaf("shop.test")).port, public.root)
    assert (report.verdict, report.as_expected) == (Verdict.failed, False)
    assert report.judgement
    assert report.judgement.anchor is None


def test_an_intermediate_or_a_leaf_in_the_bundle_is_an_anchor(
    staging: Authority, serve: Serve
) -> None:
    """As for curl, which sets X509_V_FLAG_PARTIAL_CHAIN; Python 3.12's ssl does not."""
    leaf = staging.intermediate.leaf("shop.test")
    port = serve(leaf).port
    for anchor in (staging.intermediate, leaf):
        report = check(port, anchor)
        assert report.verdict is Verdict.staging
        assert report.judgement
        assert report.judgement.anchor
        assert report.judgement.anchor.sha256 == anchor.sha256


def test_a_cross_signed_root(serve: Serve) -> None:
    """The new root's own signature is trusted, and also the old root's on the new one."""
    old, new = root("Old Root"), root("New Root")
    crossed = old.intermediate("New Root", key=new.key)
    leaf = new.leaf("shop.test")
    port = serve(Issued(leaf.certificate, leaf.key, (crossed.certificate, old.certificate))).port
    assert [check(port, anchor).verdict for anchor in (old, new)] == [Verdict.staging] * 2
    assert kinds(check(port, root("New Root"))) == ["unknown-root"]


def test_a_root_of_staging_that_was_not_fetched(
    serve: Serve, staging: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    pear = root("(STAGING) Pretend Pear X1")
    missing = pear.intermediate("(STAGING) Fine Fennel F1")
    key_id = x509.SubjectKeyIdentifier.from_public_key(pear.certificate.public_key()).digest.hex()
    pin = CURRENT[0]._replace(key_id=key_id)  # nobody has the real one's key
    monkeypatch.setattr(thorough, "CURRENT", (pin, *CURRENT[1:]))
    report = check(serve(missing.leaf("shop.test")).port, staging.root)
    assert kinds(report) == ["unknown-root"]
    assert report.problems[0].hint == "Run: agtool le-staging fetch"


def test_incomplete_below_staging_says_where_chrome_gets_it(
    serve: Serve, staging: Authority
) -> None:
    url = "http://stg-r11.i.lencr.org/"
    leaf = authority("(STAGING) X").intermediate.leaf("shop.test", issuer_url=url)
    alone = Issued(leaf.certificate, leaf.key)
    report = check(serve(alone).port, staging.root)
    assert kinds(report) == ["incomplete-chain"]
    assert f"from {url}" in report.problems[0].hint


def test_certificates_that_expire_soon(serve: Serve, staging: Authority) -> None:
    port = serve(staging.intermediate.leaf("shop.test", days=(-80, 9.5))).port
    assert [w.code for w in check(port, staging.root, warn_days=14).warnings] == ["expires-soon"]
    assert check(port, staging.root, warn_days=14).as_expected
    assert check(port, staging.root, warn_days=9).warnings == ()


def test_two_replicas_with_different_certificates(staging: Authority, tmp_path: Path) -> None:
    """A report never mixes them: one connection tells everything."""
    old, new = (staging.intermediate.leaf(name) for name in ("old.test", "new.test"))
    contexts = [tls.tls_context(tmp_path / issued.sha256, issued) for issued in (old, new)]
    turn = iter(contexts * 10)
    lock = threading.Lock()

    def balance(connection: socket.socket) -> None:
        with lock:
            context = next(turn)
        tls.https(context)(connection)

    with tls.Listener(balance) as balancer:
        for issued, host in [(old, "old.test"), (new, "new.test")] * 3:
            report = check(balancer.port, staging.root, host=host)
            assert report.verdict is Verdict.staging
            assert report.evidence
            assert report.evidence.presented[0].sha256 == issued.sha256
        assert balancer.connections == 6


def test_sni_is_the_name_that_is_asked_for(staging: Authority, tmp_path: Path) -> None:
    asked: list[str | None] = []
    context = tls.tls_context(tmp_path, staging.intermediate.leaf("shop.test", "127.0.0.1"))
    context.sni_callback = lambda _socket, name, _context: asked.append(name)
    with tls.Listener(tls.https(context)) as server:
        for host in ("shop.test.", "127.0.0.1"):
            assert check(server.port, staging.root, host=host).verdict is Verdict.staging
    assert asked == ["shop.test", None]


def test_a_server_that_does_not_answer_our_goodbye(staging: Authority, tmp_path: Path) -> None:
    """It asked for a certificate, then says nothing more: that is no refusal."""
    context = tls.tls_context(tmp_path, staging.intermediate.leaf("shop.test"))
    context.verify_mode = ssl.CERT_OPTIONAL
    context.num_tickets = 0
    over = threading.Event()

    def shake_hands(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True):
            over.wait(60)

    with tls.Listener(shake_hands) as server:
        report = check(server.port, staging.root, timeout=1.0)
        over.set()
    assert report.verdict is Verdict.staging


# -- connections that fail --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("handler", "kind"),
    [
        (tls.plain_http, "not-tls"),
        (tls.ssh, "not-tls"),
        (tls.hang_up, "tls"),
        (tls.silent, "timed-out"),
    ],
)
def test_not_tls(staging: Authority, handler: tls.Handler, kind: str) -> None:
    with tls.Listener(handler) as server:
        report = check(server.port, staging.root, timeout=0.5 if kind == "timed-out" else 20)
    assert (report.verdict, report.as_expected, kinds(report)) == (Verdict.failed, False, [kind])
    assert report.problems[0].hint


def test_old_tls_is_refused(staging: Authority, tmp_path: Path) -> None:
    context = tls.tls_context(tmp_path, staging.intermediate.leaf("shop.test"))
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with tls.Listener(tls.https(context)) as server:
        report = check(server.port, staging.root)
    assert kinds(report) == ["tls"]
    assert "version" in report.problems[0].message


def test_nothing_listens(staging: Authority) -> None:
    report = check(free_port(), staging.root)
    assert kinds(report) == ["refused"]
    assert "127.0.0.1:" in report.problems[0].message


def test_no_such_host(staging: Authority) -> None:
    checker = Checker(How((as_root(staging.root),)))
    report = checker.check(target.parse("no-such-host.invalid", 443))
    assert kinds(report) == ["unresolvable"]


def test_packets_vanish(staging: Authority) -> None:
    """A full backlog: the kernel drops what comes then, as a firewall would."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, ExitStack() as stack:
        for _ in range(3):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        began = time.monotonic()
        report = check(full.getsockname()[1], staging.root, timeout=0.7)
        assert kinds(report) == ["timed-out"]
        assert time.monotonic() - began < 10


# -- addresses --------------------------------------------------------------------------------


def test_ipv6(staging: Authority, serve: Serve) -> None:
    server = serve(staging.intermediate.leaf("::1"), host="::1")  # type: ignore[call-arg]
    checker = Checker(How((as_root(staging.root),)))
    for text in (f"[::1]:{server.port}", f"https://[0:0::1]:{server.port}/path"):
        report = checker.check(target.parse(text, 443))
        assert report.verdict is Verdict.staging
        assert report.evidence
        assert report.evidence.address == "::1"


def test_only_one_family(staging: Authority, serve: Serve) -> None:
    server = serve(staging.intermediate.leaf("127.0.0.1"))
    how = How((as_root(staging.root),), family=socket.AF_INET6)
    report = Checker(how).check(target.parse(f"127.0.0.1:{server.port}", 443))
    assert kinds(report) == ["unresolvable"]
    assert "no IPv6 address" in report.problems[0].message


def test_an_address_that_does_not_answer_does_not_hold_up(staging: Authority, serve: Serve) -> None:
    server = serve(staging.intermediate.leaf("shop.test"))
    with socket.create_server(("127.0.0.2", server.port), backlog=0) as full, ExitStack() as stack:
        for _ in range(3):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        resolve = target.parse_resolve(f"shop.test:{server.port}:127.0.0.2,127.0.0.3,127.0.0.1")
        how = How((as_root(staging.root),), overrides=(resolve,), timeout=20)
        report = Checker(how).check(target.parse("shop.test", server.port))
    assert report.verdict is Verdict.staging
    assert report.seconds < 15


def test_families_take_turns() -> None:
    six, four = socket.AF_INET6, socket.AF_INET
    found = [(six, ("a",)), (six, ("b",)), (six, ("c",)), (four, ("d",))]
    assert [address for _, (address,) in connect.alternating(found)] == ["a", "d", "b", "c"]


# -- many at once -----------------------------------------------------------------------------


def hosts(count: int) -> list[target.Target]:
    """Targets h0.test, h1.test, ..."""
    return [target.parse(f"h{number}.test", 443) for number in range(count)]


def done(host: target.Target) -> Report:
    """A report of no interest."""
    return failure(host, NoTls("refused", "no"), 0)


def test_results_come_in_order_and_a_slow_host_holds_up_none() -> None:
    slow = threading.Event()
    checked: list[str] = []

    def check_one(host: target.Target) -> Report:
        if host.host == "h0.test":
            assert slow.wait(60)
        else:
            checked.append(host.host)
            if len(checked) == 199:
                slow.set()  # all others are through before it
        return done(host)

    progress = Mock()
    reports = list(in_order(hosts(200), check_one, timeout=60, progress=progress))
    assert [report.target for report in reports] == hosts(200)
    assert progress.call_count == 200


def test_a_resolver_that_hangs_is_left_to_itself() -> None:
    never = threading.Event()

    def check_one(host: target.Target) -> Report:
        if host.host in {"h0.test", "h2.test"}:
            never.wait(60)
        return done(host)

    reports = list(in_order(hosts(4), check_one, timeout=0.1, progress=lambda: None))
    never.set()
    assert [kinds(report) for report in reports] == [["timed-out"], ["refused"]] * 2


def test_a_bug_in_a_thread_is_not_swallowed() -> None:
    def check_one(host: target.Target) -> Report:
        raise ZeroDivisionError(host)

    with pytest.raises(ZeroDivisionError):
        list(in_order(hosts(2), check_one, timeout=5, progress=lambda: None))


def test_a_hundred_hosts_over_real_connections(
    staging: Authority, public: Authority, tmp_path: Path
) -> None:
    leaves = [staging.intermediate.leaf("h0.test", "h1.test"), public.intermediate.leaf("h2.test")]
    with ExitStack() as stack:
        good, bad = (
            stack.enter_context(
                tls.Listener(tls.https(tls.tls_context(tmp_path / leaf.sha256, leaf)))
            )
            for leaf in leaves
        )
        overrides = [
            target.parse_connect_to(f"h{n}.test::127.0.0.1:{(bad if n % 3 == 2 else good).port}")
            for n in range(100)
        ]
        how = How((as_root(staging.root),), overrides=tuple(overrides), timeout=60)
        reports = list(in_order(hosts(100), Checker(how).check, timeout=60, progress=lambda: None))
    expected = [["wrong-name"], ["unknown-root", "wrong-name"]]
    assert [kinds(report) for report in reports[3:]] == [
        expected[n % 3 == 2] for n in range(3, 100)
    ]
    assert [kinds(report) for report in reports[:3]] == [[], [], ["unknown-root"]]


def test_hosts_do_not_fail_for_want_of_open_files() -> None:
    most, at_once, lock = 0, 0, threading.Lock()

    def check_one(host: target.Target) -> Report:
        nonlocal most, at_once
        with lock:
            at_once += 1
            most = max(most, at_once)
        time.sleep(0.01)
        with lock:
            at_once -= 1
        return done(host)

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
    try:
        reports = list(in_order(hosts(100), check_one, timeout=60, progress=lambda: None))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert len(reports) == 100
    assert 1 < most <= 16


@pytest.mark.usefixtures("data_home")
def test_the_store_s_roots_are_the_anchors(staging: Authority) -> None:
    (found,) = store.roots()
    assert found == Root(
        "Test Staging Root", "https://ca.test/root.pem", staging.root.sha256, staging.root.der, True
    )
