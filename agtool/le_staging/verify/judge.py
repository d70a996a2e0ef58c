"""The decision, pure: from what a handshake showed to a verdict and every problem there is."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from enum import Enum
from typing import NamedTuple

from agtool.core.duration import in_words
from agtool.core.finding import Finding
from agtool.core.text import some
from agtool.le_staging.certificate import Certificate
from agtool.le_staging.roots.pins import BY_SHA256, REVOKED, SUCCESSORS
from agtool.le_staging.verify.evidence import Evidence
from agtool.le_staging.verify.flaws import (
    DATES,
    UNTRUSTED,
    is_staging,
    not_publicly_trusted_twin,
    problems_of_trust,
)
from agtool.le_staging.verify.names import matching_name
from agtool.le_staging.verify.target import Target


class Verdict(str, Enum):
    """What a host is.

    staging: curl would accept its production twin, in which the production roots have the places
    of the staging roots. production: a public root vouches for it. other: only this machine's own
    store does. failed: none of these.
    """

    staging = "STAGING"
    production = "PRODUCTION"
    other = "OTHER"
    failed = "FAILED"


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
    problems: tuple[Finding, ...]


_CLIENT_CERTIFICATE = Finding(
    "client-certificate",
    "the server accepts only clients that have a certificate of their own, of a CA that it knows",
    "Give such a certificate with --cert and --key. What is said here of the server's own "
    "certificate holds.",
)


def judge(
    target: Target | None, evidence: Evidence, anchors: Collection[str], now: datetime
) -> Judgement:
    """Decide; anchors: the fingerprints of the roots that count as staging and are trusted.

    target: what the certificate must be for; None: whatever its names are.
    """
    codes = {flaw.code for flaw in evidence.flaws} - DATES
    path, voucher = evidence.chain, evidence.voucher
    issued_by = Verdict.failed
    # How many certificates there are up to the first anchor; 0: none of them is one.
    ends = (at + 1 for at, certificate in enumerate(path) if certificate.sha256 in anchors)
    length = next(ends, 0)
    own_path = True
    if length and not codes:
        path = path[:length]
        issued_by = Verdict.staging
    elif not length and not codes - UNTRUSTED:
        # Let's Encrypt's roots for staging stay what they are, even if this machine trusts them.
        if voucher and voucher.path[-1].sha256 not in BY_SHA256:
            path, own_path = voucher.path, False
            issued_by = Verdict.production if voucher.public else Verdict.other
        elif evidence.twin:
            path, own_path = evidence.twin, False
            issued_by = Verdict.staging
    anchor = None if issued_by is Verdict.failed else path[-1]
    twin = [not_publicly_trusted_twin(path)] if evidence.twin and path is evidence.twin else []
    matched = matching_name(target.host, evidence.presented[0]) if target else None
    problems = [
        *twin,
        *problems_of_trust(evidence, trusted=anchor is not None),
        *_problems_of_revocation(path),
        *_problems_of_dates(evidence, path, now, own_path=own_path),
        *(_problems_of_names(target, evidence.presented[0], matched) if target else ()),
        *([_CLIENT_CERTIFICATE] if evidence.refused else []),
    ]
    verdict = Verdict.failed if problems else issued_by
    return Judgement(verdict, issued_by, path, anchor, matched, tuple(dict.fromkeys(problems)))


def _problems_of_revocation(path: Sequence[Certificate]) -> Iterator[Finding]:
    for certificate in path:
        if certificate.sha256 in REVOKED:
            yield _revoked(certificate, "and without it no path leads to a root")


def _revoked(certificate: Certificate, then: str) -> Finding:
    return Finding(
        "revoked-cross-sign",
        f"Let's Encrypt has revoked the cross-sign of {certificate.subject} by "
        f"{certificate.issuer} of {certificate.not_before:%Y-%m-%d}: the server sends it, {then}",
        "Renew the certificate: the ACME server sends the new cross-sign with it. Or put that in "
        f"the place of the old one: {SUCCESSORS}{REVOKED[certificate.sha256]}",
    )


def _problems_of_dates(
    evidence: Evidence, path: tuple[Certificate, ...], now: datetime, *, own_path: bool
) -> Iterator[Finding]:
    # OpenSSL's flaws are those of its own path; another one may do without what has expired.
    flaws = evidence.flaws if own_path else ()
    flawed = [evidence.chain[flaw.depth] for flaw in flaws if flaw.code in DATES]
    for certificate in dict.fromkeys([*flawed, *path]):
        if certificate.not_after < now:
            yield Finding(
                "expired",
                f"{certificate.subject} expired on {_day(certificate.not_after)}, "
                f"{_span(now - certificate.not_after)} ago",
                "Check the log of the ACME client for the last renewal. If it succeeded, reload "
                "the server.",
            )
        elif certificate.not_before > now:
            yield Finding(
                "not-yet-valid",
                f"{certificate.subject} is valid from {_day(certificate.not_before)}, "
                f"in {_span(certificate.not_before - now)}",
                f"Check the clock of this machine, on which it is {_day(now)}.",
            )


def _problems_of_names(target: Target, leaf: Certificate, matched: str | None) -> Iterator[Finding]:
    if matched is None:
        names = leaf.names or list(leaf.common_names[-1:])
        yield Finding(
            "wrong-name",
            f"the certificate is not for {target.host}, but for {some(names, 5) or 'no name'}",
            "Check that DNS leads to the right server, and that the server knows this name.",
        )


def surprise(judgement: Judgement, expected: Verdict) -> Finding | None:
    """What to say of a host that verifies, but not as `expected`; None: it is as expected.

    With production expected also of one that fails: another certificate is the first cure.
    """
    top = judgement.path[-1]
    staging = judgement.issued_by is Verdict.staging or (not judgement.anchor and is_staging(top))
    if staging and expected is Verdict.production:
        return Finding(
            "still-staging",
            "the certificate is from the staging environment "
            f"({(judgement.anchor or top).subject}): nobody else trusts it",
            "Set the ACME server to Let's Encrypt's production "
            "(https://acme-v02.api.letsencrypt.org/directory), delete the staging certificate "
            "(in Kubernetes its Secret), and let the client get a new one.",
        )
    if judgement.verdict in {expected, Verdict.failed} or not judgement.anchor:
        return None
    name = judgement.anchor.subject
    if judgement.verdict is Verdict.production and expected is Verdict.staging:
        return Finding(
            "not-staging",
            f"the certificate is not from the staging environment: {name} is a public root",
            "If you expect a production certificate, use --expect production.",
        )
    return Finding(
        "other-root",
        f"only this machine's own store trusts {name}, which is neither a staging root nor a "
        "public one",
        "Get a certificate from Let's Encrypt: outside your organisation nobody trusts this one.",
    )


def warnings(
    judgement: Judgement,
    leaf: Certificate,
    now: datetime,
    warn_days: float,
    *,
    warn_left: float = 0,
    presented: Sequence[Certificate] = (),
) -> tuple[Finding, ...]:
    """What does not make a host fail, but will, or does so elsewhere.

    warn_days, warn_left: warn of a certificate that expires within so many days, or has this
    share of its lifetime left (0 to 1).
    """
    found = [
        _revoked(certificate, "although nobody needs it")
        for certificate in presented
        if certificate.sha256 in REVOKED and certificate not in judgement.path
    ]
    left = leaf.not_after - now
    share = (leaf.not_after - leaf.not_before) * warn_left
    if timedelta(0) <= left <= max(timedelta(days=warn_days), share):
        found.append(
            Finding(
                "expires-soon",
                f"the certificate expires on {_day(leaf.not_after)}, in {_span(left)}",
                "Check the log of the ACME client: does it renew the certificate?",
            )
        )
    if judgement.matched and not leaf.names:
        found.append(
            Finding(
                "common-name",
                "only the common name matches: curl accepts that, browsers do not",
                "Get a certificate that has the name as a subject alternative name.",
            )
        )
    return tuple(found)


def _day(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M UTC")


def _span(span: timedelta) -> str:
    return in_words(span.total_seconds())
