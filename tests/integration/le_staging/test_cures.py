"""Each problem that the reference knows is made here, and then its cure is followed, to green."""

import base64
import inspect
import json
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from agtool.core.command import Format
from agtool.core.options import ClusterOptions
from agtool.le_staging.cli.check import check
from agtool.le_staging.cli.connecting import Connecting
from agtool.le_staging.cli.judging import Judging
from agtool.le_staging.cli.sources import Sources
from agtool.le_staging.cli.verify import verify
from agtool.le_staging.documents import Host, StoredChain
from agtool.le_staging.roots import fetch, pins, store
from tests.integration.le_staging.conftest import Authority, authority
from tests.integration.le_staging.generation_y import World, Worlds, fetched, settle
from tests.integration.le_staging.test_beside_curl import ROWS
from tests.servers import tls
from tests.servers.certificates import Issued, issue, root, to_pem
from tests.servers.process import free_port
from tests.unit.le_staging.test_reference import documented_codes

NAME = "shop.test"

Found = Host | StoredChain
Case = Callable[["Lab"], tuple[Found, Found]]


class Lab(NamedTuple):
    """Where a case happens. stack: of servers; patch: undone at the end."""

    staging: Authority
    public: Authority
    company: Authority
    folder: Path
    stack: ExitStack
    patch: pytest.MonkeyPatch

    @property
    def good(self) -> Issued:
        """What the ACME client gets when all is well."""
        return self.staging.intermediate.leaf(NAME)

    def listen(self, handler: tls.Handler, port: int = 0) -> int:
        """Start a server; its port."""
        return self.stack.enter_context(tls.Listener(handler, port=port)).port

    def context(
        self, issued: Issued, sent: Sequence[x509.Certificate] | None = None
    ) -> ssl.SSLContext:
        """Of a server that sends the whole chain, or just these."""
        return tls.tls_context(self.folder / issued.sha256, issued, sent)

    def serve(self, issued: Issued, sent: Sequence[x509.Certificate] | None = None) -> int:
        """Start a web server; its port."""
        return self.listen(tls.https(self.context(issued, sent)))

    def see(
        self,
        port: int = 0,
        *,
        hosts: Sequence[str] = (NAME,),
        expect: Any = "staging",
        warn_days: int = 0,
        sources: Sources = Sources(),  # noqa: B008  # it cannot change
        **connecting: Any,
    ) -> Host:
        """What `agtool le-staging verify` finds; port: where the name leads."""
        options = {"proxy": "", "timeout": 60.0, **connecting}
        if port:
            options["connect_to"] = [f"::127.0.0.1:{port}"]
        result = inspect.unwrap(verify)(
            Judging(expect, warn_days),
            Connecting(**options),
            sources,
            ClusterOptions(),
            list(hosts),
            None,
            Format.json,
        )
        found: Host = result.data.hosts[0]
        return found

    def check(self, *contents: str, password_file: Path | None = None) -> StoredChain:
        """What `agtool le-staging check` finds in files with these contents."""
        files = [self.folder / f"file{number}" for number in range(len(contents))]
        for file, content in zip(files, contents, strict=True):
            file.write_text(content)
        names = [str(file) for file in files]
        done = inspect.unwrap(check)(Judging(), names, [NAME], None, password_file, Format.json)
        found: StoredChain = done.data.chains[0]
        return found

    def fetch(self, ca: Issued) -> None:
        """Follow the hint `fetch --url URL --fingerprint SHA256`."""
        port = self.listen(tls.plain_file(ca.pem.encode()))
        wanted = fetch.Wanted(f"http://127.0.0.1:{port}/root.pem", ca.sha256)
        fetch.fetch([wanted], force=False)

    def worlds(self) -> Worlds:
        """Generation Y, staging and production."""
        made = settle(self.folder, self.patch)
        store.write(fetched(made.staging))
        return made

    def of_manifests(self, *objects: dict[str, Any], port: int = 0, offline: bool = False) -> Host:
        """What `verify --from-manifests` finds; port: where the name leads."""
        file = self.folder / "manifests.json"
        file.write_text(json.dumps({"kind": "List", "items": objects}))
        return self.see(port, hosts=(), sources=Sources(from_manifests=file, offline=offline))


@pytest.fixture
def lab(
    staging: Authority,
    public: Authority,
    company: Authority,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Lab]:
    """Give a place where the staging root was fetched."""
    with ExitStack() as stack:
        yield Lab(staging, public, company, folder, stack, monkeypatch)


def replaced(make: Callable[[Lab], Issued], **options: Any) -> Case:
    """The server gets the certificate that it should have."""

    def case(lab: Lab) -> tuple[Found, Found]:
        return lab.see(lab.serve(make(lab)), **options), lab.see(lab.serve(lab.good), **options)

    return case


def row(code: str) -> Case:
    """One of the rows in which curl agrees: a chain with this problem, and a good one."""
    found = next(row for row in ROWS if row.problems == (code,))

    def case(lab: Lab) -> tuple[Found, Found]:
        broken, cured = lab.serve(*found.make(lab.staging)), lab.serve(lab.good)
        return lab.see(broken, hosts=[found.host]), lab.see(cured)

    return case


def not_staging(lab: Lab) -> tuple[Found, Found]:
    """--expect production."""
    port = lab.serve(lab.public.intermediate.leaf(NAME))
    return lab.see(port), lab.see(port, expect="production")


def still_staging(lab: Lab) -> tuple[Found, Found]:
    """Production's ACME server, and a new certificate."""
    new = lab.public.intermediate.leaf(NAME)
    return (
        lab.see(lab.serve(lab.good), expect="production"),
        lab.see(lab.serve(new), expect="production"),
    )


def cross_sign(which: str, above: tuple[str, ...], whole: tuple[str, ...]) -> Case:
    """The whole chain is served."""

    def case(lab: Lab) -> tuple[Found, Found]:
        made: World = getattr(lab.worlds(), which)
        leaf = made.parts[above[0]].leaf(NAME)
        broken, cured = (lab.serve(leaf, made.sent(leaf, sent)) for sent in (above, whole))
        return lab.see(broken, expect=which), lab.see(cured, expect=which)

    return case


def revoked(lab: Lab) -> tuple[Found, Found]:
    """The new cross-sign in the place of the old one."""
    made = lab.worlds().production
    key = made.roots["Root YR"].key
    old = made.roots["ISRG Root X1"].intermediate("Root YR", key=key, days=(-2, 900))
    lab.patch.setitem(pins.REVOKED, old.sha256, "root-yr-by-x1.pem")
    leaf = made.parts["YR1"].leaf(NAME)
    sent = made.sent(leaf, ("YR1",))
    broken = lab.serve(leaf, [*sent, old.certificate])
    cured = lab.serve(leaf, [*sent, made.parts["YR by X1"].certificate])
    return lab.see(broken, expect="production"), lab.see(cured, expect="production")


def of_an_own_ca(name: str) -> Case:
    """`fetch --url` for it."""

    def case(lab: Lab) -> tuple[Found, Found]:
        own = authority(name)
        port = lab.serve(own.intermediate.leaf(NAME))
        before = lab.see(port)
        lab.fetch(own.root)
        return before, lab.see(port)

    return case


def too_long(lab: Lab) -> tuple[Found, Found]:
    """A hundred intermediates are more than OpenSSL follows."""
    ca = lab.staging.root
    for number in range(103):
        ca = ca.intermediate(f"CA {number}")
    return lab.see(lab.serve(ca.leaf(NAME))), lab.see(lab.serve(lab.good))


def unsupported_constraint(lab: Lab) -> Issued:
    """A CA that limits a kind of names which OpenSSL cannot compare, and a leaf with such a one."""
    kind = x509.RegisteredID(x509.ObjectIdentifier("1.2.3.4"))
    ca = lab.staging.root.intermediate("Bound", more=[(x509.NameConstraints([kind], None), True)])
    names = x509.SubjectAlternativeName([x509.DNSName(NAME), kind])
    return issue(ca, NAME, more=[(names, False)])


def unreadable_certificate(lab: Lab) -> tuple[Found, Found]:
    """A leaf of which one field is another one, and a new certificate."""
    good = lab.good
    der = bytearray(good.der)
    at = der.index(b"\x17\x0d")  # the first date becomes one of the 13th month
    der[at + 4 : at + 6] = b"13"
    context = lab.context(good)
    broken = lab.folder / "broken.pem"
    broken.write_text(ssl.DER_cert_to_PEM_cert(bytes(der)) + to_pem(*good.chain[1:]) + good.key_pem)
    context.load_cert_chain(broken)
    return lab.see(lab.listen(tls.https(context))), lab.see(lab.serve(lab.good))


def two_answers(lab: Lab) -> tuple[Found, Found]:
    """All servers behind the address are reloaded."""
    old = lab.staging.intermediate.leaf(NAME, days=(-90, -1))
    contexts = [lab.context(old), *[lab.context(lab.good)] * 3]

    def balance(connection: socket.socket) -> None:
        tls.https(contexts.pop(0))(connection)

    port = lab.listen(balance)
    return lab.see(port), lab.see(port)


def client_certificate(lab: Lab) -> tuple[Found, Found]:
    """--cert and --key."""
    context = lab.context(lab.good)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=lab.company.root.pem)
    own = lab.company.intermediate.leaf("client", purpose=None)
    cert, key = lab.folder / "cert.pem", lab.folder / "key.pem"
    cert.write_text(to_pem(*own.chain))
    key.write_text(own.key_pem)
    port = lab.listen(tls.https(context))
    return lab.see(port), lab.see(port, cert=cert, key=key)


def with_resolve(wrong: Sequence[str]) -> Case:
    """--resolve HOST:PORT:ADDRESS."""

    def case(lab: Lab) -> tuple[Found, Found]:
        port = lab.serve(lab.good)
        hosts = [f"{NAME}:{port}"]
        lost = [entry.format(port) for entry in wrong]
        return (
            lab.see(hosts=hosts, resolve=lost),
            lab.see(hosts=hosts, resolve=[f"{NAME}:{port}:127.0.0.1"]),
        )

    return case


def refused(lab: Lab) -> tuple[Found, Found]:
    """The server is started."""
    port = free_port()
    before = lab.see(port)
    lab.listen(tls.https(lab.context(lab.good)), port)
    return before, lab.see(port)


def timed_out(lab: Lab) -> tuple[Found, Found]:
    """A longer --timeout, for a slow server."""
    port = lab.listen(tls.https(lab.context(lab.good), round_trip=2))
    return lab.see(port, timeout=0.5), lab.see(port)


def proxy(lab: Lab) -> tuple[Found, Found]:
    """The right proxy."""
    port = lab.serve(lab.good)
    right = lab.listen(tls.connect_proxy(port))
    wrong = lab.listen(tls.plain_http)
    return (
        lab.see(port, proxy=f"http://127.0.0.1:{wrong}"),
        lab.see(port, proxy=f"http://127.0.0.1:{right}"),
    )


def another_port(handler: tls.Handler, **options: Any) -> Case:
    """The port on which the server speaks TLS, without --starttls."""

    def case(lab: Lab) -> tuple[Found, Found]:
        return lab.see(lab.listen(handler), **options), lab.see(lab.serve(lab.good))

    return case


def without_starttls(connection: socket.socket) -> None:
    """A mail server that offers none."""
    connection.sendall(b"220 mail\r\n")
    while connection.recv(1024):
        connection.sendall(b"250 mail\r\n")


def no_host(lab: Lab) -> tuple[Found, Found]:
    """The list is corrected."""
    port = lab.serve(lab.good)
    seen = []
    for text in ("shop test\n", "shop.test\n"):
        file = lab.folder / "hosts"
        file.write_text(text)
        seen.append(lab.see(port, hosts=(), sources=Sources(from_file=file)))
    return seen[0], seen[1]


def renewed(lab: Lab) -> Issued:
    """A certificate in its last days."""
    return lab.staging.intermediate.leaf(NAME, days=(-80, 5))


# -- what is stored ----------------------------------------------------------------------------


def stored(issued: Issued, **entries: str | None) -> dict[str, Any]:
    """A Secret, with other entries or without them (None)."""
    data: dict[str, str | None] = {"tls.crt": to_pem(*issued.chain), "tls.key": issued.key_pem}
    data |= entries
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {"name": "web-tls", "namespace": "shop"},
        "data": {
            name: base64.b64encode(text.encode()).decode()
            for name, text in data.items()
            if text is not None
        },
    }


def corrected(**entries: str | None) -> Case:
    """The Secret gets what it lacks."""

    def case(lab: Lab) -> tuple[Found, Found]:
        wrong, right = stored(lab.good, **entries), stored(lab.good)
        return lab.check(json.dumps(wrong)), lab.check(json.dumps(right))

    return case


def key_mismatch(lab: Lab) -> tuple[Found, Found]:
    """Key and chain of the same renewal."""
    one, other = lab.good, lab.good
    return (
        lab.check(to_pem(*one.chain), other.key_pem),
        lab.check(to_pem(*other.chain), other.key_pem),
    )


def wrong_order(lab: Lab) -> tuple[Found, Found]:
    """The server's certificate first."""
    leaf = lab.good
    return (
        lab.check(to_pem(*reversed(leaf.chain)) + leaf.key_pem),
        lab.check(to_pem(*leaf.chain) + leaf.key_pem),
    )


def unreadable(lab: Lab) -> tuple[Found, Found]:
    """Another form: PEM."""
    leaf = lab.good
    return lab.check("certificate of shop.test"), lab.check(to_pem(*leaf.chain))


def with_password(whole: bool) -> Case:
    """--password-file, for a PKCS 12 or for a key."""

    def case(lab: Lab) -> tuple[Found, Found]:
        leaf, password = lab.good, lab.folder / "password"
        password.write_text("correct horse\n")
        encryption = serialization.BestAvailableEncryption(b"correct horse")
        if whole:
            file = lab.folder / "file.p12"
            above = list(leaf.chain[1:])
            file.write_bytes(
                pkcs12.serialize_key_and_certificates(
                    b"shop", leaf.key, leaf.certificate, above, encryption
                )
            )
            run = inspect.unwrap(check)
            seen = [
                run(Judging(), [str(file)], [NAME], None, given, Format.json).data.chains[0]
                for given in (None, password)
            ]
            return seen[0], seen[1]
        pem = serialization.Encoding.PEM
        key = leaf.key.private_bytes(pem, serialization.PrivateFormat.PKCS8, encryption).decode()
        text = to_pem(*leaf.chain) + key
        return lab.check(text), lab.check(text, password_file=password)

    return case


# -- the cluster -------------------------------------------------------------------------------


def ingress() -> dict[str, Any]:
    """An Ingress for the host, with the Secret."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {
            "rules": [{"host": NAME}],
            "tls": [{"hosts": [NAME], "secretName": "web-tls"}],
        },
    }


def not_reloaded(lab: Lab) -> tuple[Found, Found]:
    """The controller is reloaded."""
    old, new = lab.staging.intermediate.leaf(NAME, days=(-30, 30)), lab.good
    objects = (stored(new), ingress())
    return lab.of_manifests(*objects, port=lab.serve(old)), lab.of_manifests(
        *objects, port=lab.serve(new)
    )


def not_from_secret(lab: Lab) -> tuple[Found, Found]:
    """The address is that of the controller which has the Secret."""
    other = lab.staging.root.intermediate("Another").leaf(NAME)
    served = lab.good
    objects = (stored(served), ingress())
    return lab.of_manifests(*objects, port=lab.serve(other)), lab.of_manifests(
        *objects, port=lab.serve(served)
    )


def no_secret(lab: Lab) -> tuple[Found, Found]:
    """The Secret is given too."""
    return (
        lab.of_manifests(ingress(), offline=True),
        lab.of_manifests(ingress(), stored(lab.good), offline=True),
    )


def certificate(ready: str) -> dict[str, Any]:
    """cert-manager's."""
    condition = {"type": "Ready", "status": ready, "message": "Issuing it."}
    return {
        "apiVersion": "cert-manager.io/v1",
        "kind": "Certificate",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"secretName": "web-tls", "dnsNames": [NAME]},
        "status": {"conditions": [condition]},
    }


def not_issued(lab: Lab) -> tuple[Found, Found]:
    """What the challenge waits for is done, and cert-manager issues the certificate."""
    served = lab.good
    port = lab.serve(served)
    return (
        lab.of_manifests(certificate("False"), port=port),
        lab.of_manifests(certificate("True"), stored(served), port=port),
    )


CASES: dict[str, Case] = {
    "not-staging": not_staging,
    "still-staging": still_staging,
    "other-root": replaced(lambda lab: lab.company.intermediate.leaf(NAME)),
    "not-publicly-trusted-twin": cross_sign("staging", ("YR1",), ("YR1", "YR by X1")),
    "missing-cross-sign": cross_sign("production", ("YE1",), ("YE1", "YE by X2", "X2 by X1")),
    "revoked-cross-sign": revoked,
    "unknown-root": of_an_own_ca("Elsewhere"),
    "incomplete-chain": row("incomplete-chain"),
    "self-signed": row("self-signed"),
    "temporary-certificate": replaced(lambda _: root("cert-manager.local").leaf(NAME)),
    "default-certificate": replaced(lambda _: root("ingress-operator@1700000000").leaf(NAME)),
    "private-ca": of_an_own_ca("Smallstep"),
    "retired-root": row("retired-root"),
    "expired": row("expired"),
    "not-yet-valid": row("not-yet-valid"),
    "wrong-name": row("wrong-name"),
    "bad-signature": row("bad-signature"),
    "not-a-ca": row("not-a-ca"),
    "purpose": row("purpose"),
    "weak": row("weak"),
    "name-constraint": row("name-constraint"),
    "extension": row("extension"),
    "chain": too_long,
    "refused-by-openssl": replaced(unsupported_constraint),
    "unreadable-certificate": unreadable_certificate,
    "two-answers": two_answers,
    "client-certificate": client_certificate,
    "unresolvable": with_resolve([]),
    "unreachable": with_resolve([NAME + ":{}:224.0.0.1"]),
    "refused": refused,
    "timed-out": timed_out,
    "proxy": proxy,
    "not-tls": another_port(tls.plain_http),
    "tls": another_port(tls.hang_up),
    "starttls": another_port(without_starttls, starttls="smtp"),
    "no-host": no_host,
    "expires-soon": replaced(renewed, warn_days=14),
    "common-name": replaced(lambda lab: issue(lab.staging.intermediate, NAME)),
    "key-mismatch": key_mismatch,
    "wrong-order": wrong_order,
    "no-key": corrected(**{"tls.key": None}),
    "no-certificate": corrected(**{"tls.crt": None}),
    "unreadable": unreadable,
    "unreadable-key": corrected(**{"tls.key": "-----BEGIN PRIVATE KEY-----\nAAAA\n"}),
    "encrypted": with_password(whole=True),
    "encrypted-key": with_password(whole=False),
    "not-reloaded": not_reloaded,
    "not-from-secret": not_from_secret,
    "no-secret": no_secret,
    "not-issued": not_issued,
}


def codes(found: Found) -> set[str]:
    """What is wrong, or will be."""
    return {finding.code for finding in (*found.problems, *found.warnings)}


@pytest.mark.usefixtures("data_home", "public_roots")
@pytest.mark.parametrize("code", sorted(documented_codes()))
def test_whoever_follows_the_cure_has_no_problem_left(code: str, lab: Lab) -> None:
    """A problem of the reference without a case here is a KeyError."""
    before, after = CASES[code](lab)
    assert code in codes(before), before
    told = next(one for one in (*before.problems, *before.warnings) if one.code == code)
    assert told.message
    assert told.hint
    assert after.as_expected, after
    assert codes(after) == set()


def test_no_case_is_of_the_past() -> None:
    assert set(CASES) == documented_codes()
