"""The decision, pure: from what a handshake showed to a verdict and every problem there is."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from enum import Enum
from typing import NamedTuple

from agtool.core.finding import Finding
from agtool.core.text import count, some
from agtool.le_staging.certificate import Certificate
from agtool.le_staging.roots.pins import BY_SHA256
from agtool.le_staging.verify.evidence import Evidence
from agtool.le_staging.verify.flaws import DATES, UNTRUSTED, problems_of_trust
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
    "the server accepts only clients that have a certificate of their own",
    "Give curl such a certificate with --cert and --key. What is said here of the server's own "
    "certificate holds.",
)


def judge(target: Target, evidence: Evidence, anchors: Collection[str], now: datetime) -> Judgement:
    """Decide; anchors: the fingerprints of the roots that count as staging."""
    codes = {flaw.code for flaw in evidence.flaws} - DATES
    path, voucher = evidence.chain, evidence.voucher
    issued_by = Verdict.failed
    # How many certificates there are up to the first anchor; 0: none of them is one.
    ends = (at + 1 for at, certificate in enumerate(path) if certificate.sha256 in anchors)
    length = next(ends, 0)
    if length and not codes:
        path = path[:length]
        issued_by = Verdict.staging
    # Let's Encrypt's roots for staging stay what they are, even if this machine trusts them.
    elif (
        not length
        and voucher
        and not codes - UNTRUSTED
        and voucher.path[-1].sha256 not in BY_SHA256
    ):
        path = voucher.path
        issued_by = Verdict.production if voucher.public else Verdict.other
    anchor = None if issued_by is Verdict.failed else path[-1]
    matched = matching_name(target.host, evidence.presented[0])
    problems = [
        *problems_of_trust(evidence, trusted=anchor is not None),
        *_problems_of_dates(evidence, path, now),
        *_problems_of_names(target, evidence.presented[0], matched),
        *([_CLIENT_CERTIFICATE] if evidence.refused else []),
    ]
    verdict = Verdict.failed if problems else issued_by
    return Judgement(verdict, issued_by, path, anchor, matched, tuple(dict.fromkeys(problems)))


def _problems_of_dates(
    evidence: Evidence, path: tuple[Certificate, ...], now: datetime
) -> Iterator[Finding]:
    # OpenSSL was not asked for the dates of what another store has added to the path.
    flawed = [evidence.chain[flaw.depth] for flaw in evidence.flaws if flaw.code in DATES]
    for certificate in dict.fromkeys([*flawed, *path]):
        if certificate.not_after < now:
            yield Finding(
                "expired",
                f"{certificate.subject} expired on {_day(certificate.not_after)}, "
                f"{_days(now - certificate.not_after)} ago",
                "Check the log of the ACME client for the last renewal. If it succeeded, reload "
                "the server.",
            )
        elif certificate.not_before > now:
            yield Finding(
                "not-yet-valid",
                f"{certificate.subject} is valid from {_day(certificate.not_before)}, "
                f"in {_days(certificate.not_before - now)}",
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
    """What to say of a host that verifies, but not as `expected`; None: it is as expected."""
    if judgement.verdict in {expected, Verdict.failed} or not judgement.anchor:
        return None
    name = judgement.anchor.subject
    if judgement.verdict is Verdict.staging:
        return Finding(
            "still-staging",
            f"the certificate is from the staging environment ({name}): nobody else trusts it",
            "Set the ACME server to Let's Encrypt's production "
            "(https://acme-v02.api.letsencrypt.org/directory), delete the staging certificate "
            "(in Kubernetes its Secret), and let the client get a new one.",
        )
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
    judgement: Judgement, leaf: Certificate, now: datetime, warn_days: int
) -> tuple[Finding, ...]:
    """What does not make a host fail, but will, or does so elsewhere."""
    found = []
    left = leaf.not_after - now
    if timedelta(0) <= left <= timedelta(days=warn_days):
        found.append(
            Finding(
                "expires-soon",
                f"the certificate expires on {_day(leaf.not_after)}, in {_days(left)}",
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


def _days(span: timedelta) -> str:
    if span < timedelta(days=2):
        return count(int(span.total_seconds() // 3600), "hour")
    return count(span.days, "day")
