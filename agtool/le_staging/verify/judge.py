"""The decision, pure: from what a handshake showed to a verdict and every problem there is."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from enum import Enum
from typing import NamedTuple

from agtool.le_staging.certificate import Certificate
from agtool.le_staging.roots.pins import BY_SHA256, CURRENT, PINS
from agtool.le_staging.verify.names import matching_name
from agtool.le_staging.verify.target import Target


class Verdict(str, Enum):
    """What a host is.

    staging: curl accepts it with the staging roots and nothing else. production: a public root
    vouches for it. other: only this machine's own store does. failed: none of these.
    """

    staging = "STAGING"
    production = "PRODUCTION"
    other = "OTHER"
    failed = "FAILED"


class Flaw(NamedTuple):
    """What OpenSSL objected to: its number (X509_V_ERR_...), and where in the chain (0: leaf)."""

    code: int
    depth: int


class Voucher(NamedTuple):
    """A root beyond the staging roots, and its path to a certificate.

    path: leaf first, the root last. public: the root is in Mozilla's list, and not only in this
    machine's own store.
    """

    path: tuple[Certificate, ...]
    public: bool


class Problem(NamedTuple):
    """Why a host does not verify: a stable word, a sentence, and what to do next."""

    kind: str
    text: str
    hint: str = ""


class Evidence(NamedTuple):
    """All that a judgement rests on.

    Attributes:
        presented: the certificates that the server sent, leaf first.
        chain: the path that OpenSSL built, leaf first. Its anchor is the last one, except when
            the bundle has the server's own certificate: then OpenSSL goes on, and stops there.
        flaws: what OpenSSL objected to with the staging roots as the only anchors.
        voucher: which other root vouches for the chain, dates apart.
        refused: the server wants a certificate from its clients, and turned us away.
    """

    presented: tuple[Certificate, ...]
    chain: tuple[Certificate, ...]
    flaws: tuple[Flaw, ...]
    voucher: Voucher | None = None
    refused: bool = False


class Judgement(NamedTuple):
    """What was decided.

    Attributes:
        verdict: as `Verdict` says.
        issued_by: the verdict that there would be without problems of dates and names, and if the
            server took us; failed when no root vouches for the certificate.
        path: the chain that was really used, leaf first; without an anchor, as far as it leads.
        anchor: the root that was really used.
        matched: the name in the certificate that stands for the host.
        problems: all of them; none unless the verdict is failed.
    """

    verdict: Verdict
    issued_by: Verdict
    path: tuple[Certificate, ...]
    anchor: Certificate | None
    matched: str | None
    problems: tuple[Problem, ...]


# X509_V_ERR_..., as in openssl/x509_vfy.h.
_BAD_SIGNATURE = 7
_NOT_YET_VALID = 9
_EXPIRED = 10
_SELF_SIGNED_LEAF = 18
_UNTRUSTED = {2, 18, 19, 20, 21, 27}
_DATES = {_NOT_YET_VALID, _EXPIRED}
_NOT_A_CA = "{subject} may not issue certificates: basic constraints or key usage do not allow it"
_OTHERS = {
    22: ("chain", "the chain is too long"),
    24: ("not-a-ca", _NOT_A_CA),
    25: ("not-a-ca", "the path below {subject} is longer than it allows"),
    26: ("purpose", "{subject} is not for servers: its extended key usage does not allow it"),
    28: ("purpose", "{subject} is rejected for that purpose"),
    32: ("not-a-ca", _NOT_A_CA),
    34: ("extension", "{subject} has a critical extension that OpenSSL does not know"),
    47: ("name-constraint", "a CA above {subject} may not issue for its names"),
    48: ("name-constraint", "a CA above {subject} may not issue for its names"),
    66: ("weak", "the key of {subject} is too weak: {key}"),
    67: ("weak", "the key of {subject} is too weak: {key}"),
    68: ("weak", "the signature of {subject} is too weak: {signature}"),
    79: ("not-a-ca", _NOT_A_CA),
}

DEFAULT_CERTIFICATES = {
    "Kubernetes Ingress Controller Fake Certificate": "ingress-nginx",
    "TRAEFIK DEFAULT CERT": "Traefik",
}
"""What well-known servers send while they have no certificate for a name."""


_CLIENT_CERTIFICATE = Problem(
    "client-certificate",
    "the server turns away clients that have no certificate of their own",
    "So curl needs --cert and --key there. What is said of the server's certificate holds.",
)


def judge(target: Target, evidence: Evidence, anchors: Collection[str], now: datetime) -> Judgement:
    """Decide; anchors: the fingerprints of the roots that count as staging."""
    codes = {flaw.code for flaw in evidence.flaws} - _DATES
    path, voucher = evidence.chain, evidence.voucher
    issued_by = Verdict.failed
    if (length := _length(path, anchors)) and not codes:
        path = path[:length]
        issued_by = Verdict.staging
    # Let's Encrypt's roots for staging stay what they are, even if this machine trusts them.
    elif (
        not length
        and voucher
        and not codes - _UNTRUSTED
        and voucher.path[-1].sha256 not in BY_SHA256
    ):
        path = voucher.path
        issued_by = Verdict.production if voucher.public else Verdict.other
    anchor = None if issued_by is Verdict.failed else path[-1]
    matched = matching_name(target.host, evidence.presented[0])
    problems = [
        *_of_trust(evidence, trusted=anchor is not None),
        *_of_dates(evidence, path, now),
        *_of_name(target, evidence.presented[0], matched),
        *([_CLIENT_CERTIFICATE] if evidence.refused else []),
    ]
    verdict = Verdict.failed if problems else issued_by
    return Judgement(verdict, issued_by, path, anchor, matched, tuple(dict.fromkeys(problems)))


def _length(chain: tuple[Certificate, ...], anchors: Collection[str]) -> int:
    """How many certificates there are up to the first anchor; 0: none of them is one."""
    places = (at + 1 for at, certificate in enumerate(chain) if certificate.sha256 in anchors)
    return next(places, 0)


def _of_trust(evidence: Evidence, *, trusted: bool) -> Iterator[Problem]:
    codes = {flaw.code for flaw in evidence.flaws}
    if codes & _UNTRUSTED and not trusted:
        yield _untrusted(evidence)
    found: dict[tuple[int, str], Problem] = {}
    for code, depth in evidence.flaws:
        if code not in _UNTRUSTED | _DATES:
            problem = _of_flaw(code, evidence.chain[min(depth, len(evidence.chain) - 1)])
            found.setdefault((depth, problem.kind), problem)
    for (depth, kind), problem in found.items():
        # What is no CA at all is no CA for servers either.
        if kind != "purpose" or (depth, "not-a-ca") not in found:
            yield problem


def _of_flaw(code: int, certificate: Certificate) -> Problem:
    if code == _BAD_SIGNATURE:
        return Problem(
            "bad-signature",
            f"{certificate.subject} was not signed by {certificate.issuer}, as it claims",
            "The chain was put together wrongly: serve what the ACME client wrote.",
        )
    unknown = ("refused-by-openssl", f"OpenSSL refuses {{subject}} (verify error {code})")
    kind, text = _OTHERS.get(code, unknown)
    return Problem(kind, text.format(**certificate._asdict()))


def _untrusted(evidence: Evidence) -> Problem:
    """Why no root was reached: of several possible reasons the one that the facts show."""
    leaf, top = evidence.presented[0], evidence.chain[-1]
    names = {certificate.subject for certificate in evidence.chain} | {top.issuer}
    for pin in PINS:
        if pin.retired and not pin.signed_by and pin.name in names:
            return Problem(
                "retired-root",
                f"the chain ends in {pin.name}, which was retired: {pin.retired}",
                "Get a new certificate; no current one has this root.",
            )
    if top.self_issued and len(evidence.chain) == 1:
        if server := DEFAULT_CERTIFICATES.get(leaf.subject):
            return Problem(
                "self-signed",
                f"the server sends the default certificate of {server}: it has none for this name",
                "Does the Ingress name this host under tls:, and is its Secret there?",
            )
        return Problem(
            "self-signed",
            "the certificate is self-signed: no CA has issued it",
            "Has the ACME client finished, and was the server reloaded after that?",
        )
    if top.self_issued:
        return Problem(
            "unknown-root",
            f"the chain ends in {top.subject}, which is neither a staging root nor a public one",
            _private_hint(top.subject),
        )
    by_aia = next(iter(top.issuer_urls), "")
    is_root = top.issuer in {pin.name for pin in CURRENT}
    if len(evidence.chain) == 1 or (_is_staging(top) and not is_root):
        fetch = f", from {by_aia}" if by_aia else ""
        return Problem(
            "incomplete-chain",
            f"the server does not send the certificate of {top.issuer}, which issued {top.subject}",
            "Serve the whole chain (fullchain.pem, not cert.pem). Chrome may open the page all the "
            f"same, since it fetches what is missing by AIA{fetch}; curl does not.",
        )
    return Problem(
        "unknown-root",
        f"{top.issuer} is a root of Let's Encrypt's staging which has not been fetched"
        if is_root
        else f"the chain ends at {top.subject}, whose issuer {top.issuer} is neither a staging "
        "root nor a public one",
        "Run: agtool le-staging fetch" if is_root else _private_hint(top.issuer),
    )


def _is_staging(certificate: Certificate) -> bool:
    """Hints, not proofs: what the issuer is called and where its certificate is to be had."""
    return certificate.issuer.startswith("(STAGING)") or any(
        url.startswith("http://stg-") and ".i.lencr.org/" in url for url in certificate.issuer_urls
    )


def _private_hint(name: str) -> str:
    return f"If {name} is your own ACME CA: agtool le-staging fetch --url URL --fingerprint SHA256"


def _of_dates(
    evidence: Evidence, path: tuple[Certificate, ...], now: datetime
) -> Iterator[Problem]:
    # OpenSSL was not asked for the dates of what another store has added to the path.
    flawed = [evidence.chain[flaw.depth] for flaw in evidence.flaws if flaw.code in _DATES]
    for certificate in dict.fromkeys([*flawed, *path]):
        if certificate.not_after < now:
            yield Problem(
                "expired",
                f"{certificate.subject} expired on {_day(certificate.not_after)}, "
                f"{_days(now - certificate.not_after)} ago",
                "Did the last renewal fail? Or was the server not reloaded after it?",
            )
        elif certificate.not_before > now:
            yield Problem(
                "not-yet-valid",
                f"{certificate.subject} is valid from {_day(certificate.not_before)}, "
                f"in {_days(certificate.not_before - now)}",
                f"Is the clock right? Here it is {_day(now)}.",
            )


def _of_name(target: Target, leaf: Certificate, matched: str | None) -> Iterator[Problem]:
    if matched is not None:
        return
    names = [*leaf.dns_names, *leaf.addresses] or list(leaf.common_names[-1:])
    listed = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    yield Problem(
        "wrong-name",
        f"the certificate is not for {target.host}, but for {listed or 'no name at all'}",
        "Does DNS lead to the right server, and does it know this name?",
    )


def surprise(judgement: Judgement, expected: Verdict) -> Problem | None:
    """What to say of a host that verifies, but not as `expected`; None: it is as expected."""
    if judgement.verdict in {expected, Verdict.failed} or not judgement.anchor:
        return None
    name = judgement.anchor.subject
    if judgement.verdict is Verdict.staging:
        return Problem(
            "still-staging",
            f"the certificate is from staging ({name}): nobody else trusts it",
            "Set the ACME server to Let's Encrypt's production "
            "(https://acme-v02.api.letsencrypt.org/directory), delete the staging certificate "
            "(in Kubernetes its Secret), and let the client get a new one.",
        )
    if judgement.verdict is Verdict.production and expected is Verdict.staging:
        return Problem(
            "not-staging",
            f"the certificate is not from staging: {name} is a public root",
            "If that is what you want to see: --expect production",
        )
    return Problem(
        "other-root",
        f"only this machine's own store trusts {name}: it is no staging root and no public one",
        "Outside your organisation nobody trusts it.",
    )


def warnings(
    judgement: Judgement, leaf: Certificate, now: datetime, warn_days: int
) -> tuple[Problem, ...]:
    """What does not make a host fail, but will, or does so elsewhere."""
    found = []
    left = leaf.not_after - now
    if timedelta(0) <= left <= timedelta(days=warn_days):
        found.append(
            Problem(
                "expires-soon",
                f"the certificate expires on {_day(leaf.not_after)}, in {_days(left)}",
                "Does the ACME client renew it by itself? Look at its log.",
            )
        )
    if judgement.matched and not (leaf.dns_names or leaf.addresses):
        found.append(
            Problem(
                "common-name",
                "only the common name matches: curl accepts that, browsers do not",
                "The certificate needs the name as a subject alternative name.",
            )
        )
    return tuple(found)


def _day(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M UTC")


def _days(span: timedelta) -> str:
    if span < timedelta(days=2):
        hours = int(span.total_seconds() // 3600)
        return f"{hours} hours" if hours != 1 else "1 hour"
    return f"{span.days} days"
