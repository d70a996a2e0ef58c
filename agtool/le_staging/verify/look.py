"""One handshake with a host, and what is to be said of it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Sequence
from datetime import datetime, timezone
from functools import cached_property
from typing import NamedTuple

from agtool.core.finding import Finding
from agtool.le_staging.certificate import Certificate, parse
from agtool.le_staging.paths import Anchors, these
from agtool.le_staging.roots import trust
from agtool.le_staging.roots.pins import CURRENT
from agtool.le_staging.roots.store import Root
from agtool.le_staging.verify import judge
from agtool.le_staging.verify.connect import Address, NoTls
from agtool.le_staging.verify.evidence import Evidence
from agtool.le_staging.verify.handshake import KEYS, Own, Way, context, shake_hands
from agtool.le_staging.verify.judge import Judgement, Verdict
from agtool.le_staging.verify.proxy import Proxies
from agtool.le_staging.verify.public import PublicRoots, avoiding_revoked
from agtool.le_staging.verify.replay import show
from agtool.le_staging.verify.target import Override, Target


class How(NamedTuple):
    """How to check.

    Attributes:
        roots: what counts as staging.
        expected: the verdict that is a success.
        protocol: what to speak before TLS; "" for nothing.
        timeout: seconds for one host, all in all.
        family: AF_INET, AF_INET6, or AF_UNSPEC for both.
        overrides: where to connect instead.
        warn_days: warn of certificates that expire within so many days.
        warn_left: and of those with this share of their lifetime left, from 0 to 1.
        alpn: the protocols to offer in the handshake (RFC 7301); none: curl's.
        own: a certificate of ours for hosts that want one.
        proxies: through which proxy to connect.
        all_addresses: look at each address, and at certificates with both kinds of keys.
    """

    roots: Sequence[Root]
    expected: Verdict = Verdict.staging
    protocol: str = ""
    timeout: float = 10
    family: socket.AddressFamily = socket.AF_UNSPEC
    overrides: tuple[Override, ...] = ()
    warn_days: float = 0
    warn_left: float = 0
    alpn: Sequence[str] = ()
    own: Own | None = None
    proxies: Proxies = Proxies()
    all_addresses: bool = False


class Sight(NamedTuple):
    """What one handshake came to.

    Attributes:
        address: the IP address.
        verdict: failed also when no certificate was seen.
        problems: why it is not as expected.
        evidence, judgement: None when no certificate was seen.
    """

    address: str
    verdict: Verdict
    problems: tuple[Finding, ...]
    warnings: tuple[Finding, ...] = ()
    evidence: Evidence | None = None
    judgement: Judgement | None = None

    @property
    def key(self) -> str:
        """The kind of key of the certificate, as RSA; empty if none was seen."""
        return self.evidence.presented[0].key.partition(" ")[0] if self.evidence else ""


class Looker:
    """Looks at hosts; what the looks share is read once."""

    def __init__(self, how: How) -> None:
        self._how = how
        trusted, self._others = trust.split(how.roots)
        self._contexts = {
            key: context((root.der for root in trusted), key, how.own)
            for key in ("", *(KEYS if how.all_addresses else ()))
        }
        self._anchors = {root.sha256 for root in trusted}
        self._trusted = Anchors(these([root.der for root in trusted]))
        self._twins = Anchors(these([root.der for root in self._others]))
        self._private = tuple(root.name for root in how.roots if root.private)
        self._public = PublicRoots()
        self._lock = threading.Lock()

    def look(self, target: Target, found: Sequence[Address], way: Way, key: str = "") -> Sight:
        """One handshake with the first of these addresses that answers."""
        try:
            evidence = shake_hands(target, found, self._contexts[key], way)
        except NoTls as error:
            return Sight(str(found[0][1][0]), Verdict.failed, (error.problem,))
        return self.judged(target, evidence)

    def stored(self, target: Target | None, chain: Sequence[Certificate]) -> Sight:
        """What is to be said of a chain (leaf first) that nobody serves yet, as if it were served.

        target: the name for which it is to be good; None: whatever its names are.
        """
        try:
            evidence = show(chain, self._contexts[""])
        except NoTls as error:
            return Sight("", Verdict.failed, (error.problem,))
        return self.judged(target, evidence)

    def judged(self, target: Target | None, evidence: Evidence) -> Sight:
        """The verdict on what a handshake showed."""
        with self._lock:
            evidence = self._vouched(evidence)
        now = datetime.now(timezone.utc)
        judgement = judge.judge(target, evidence, self._anchors, now)
        surprise = judge.surprise(judgement, self._how.expected)
        return Sight(
            evidence.address,
            judgement.verdict,
            (*judgement.problems, *([surprise] if surprise else [])),
            judge.warnings(
                judgement,
                evidence.presented[0],
                now,
                self._how.warn_days,
                warn_left=self._how.warn_left,
                presented=evidence.presented,
            ),
            evidence,
            judgement,
        )

    def _vouched(self, evidence: Evidence) -> Evidence:
        """The evidence with who vouches for the chain."""
        sent = evidence.presented
        if not self._anchors.isdisjoint(certificate.sha256 for certificate in evidence.chain):
            if not evidence.flaws:
                evidence = evidence._replace(
                    chain=avoiding_revoked(self._trusted, sent) or evidence.chain
                )
            return evidence
        if voucher := self._public.voucher(sent):
            return evidence._replace(voucher=voucher)
        if self._others and (twin := self._twins.path(sent)):
            return evidence._replace(twin=twin)
        return evidence._replace(
            private=self._private, look_alike=self._known_name(evidence.chain[-1])
        )

    def _known_name(self, top: Certificate) -> str:
        """The known root whose name the end of a chain has that no root vouches for."""
        name = top.subject if top.self_issued else top.issuer
        for pin in CURRENT:  # whose keys are known, fetched or not
            if top.self_issued and name == pin.name and top.spki != pin.spki:
                return "a staging root"
        return self._names.get(name, "")

    @cached_property
    def _names(self) -> dict[str, str]:
        public = dict.fromkeys((parse(der).subject for der in trust.mozilla()), "a public root")
        fetched = {
            parse(root.der).subject: "a private CA's root" if root.private else "a staging root"
            for root in self._how.roots
        }
        return {**public, **fetched}
