"""One handshake with a host, and what is to be said of it."""

import socket
import threading
from collections.abc import Sequence
from datetime import datetime, timezone
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from agtool.core.finding import Finding
from agtool.le_staging.certificate import Certificate
from agtool.le_staging.roots import trust
from agtool.le_staging.roots.store import Root
from agtool.le_staging.verify import judge
from agtool.le_staging.verify.connect import Address, NoTls
from agtool.le_staging.verify.evidence import Evidence
from agtool.le_staging.verify.judge import Judgement, Verdict
from agtool.le_staging.verify.proxy import Proxies
from agtool.le_staging.verify.quick import Quick
from agtool.le_staging.verify.target import Override, Target
from agtool.le_staging.verify.way import Own, Way

if TYPE_CHECKING:
    from agtool.le_staging.verify.thorough import Thorough


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

    @property
    def offers(self) -> tuple[str, ...]:
        """What to offer by ALPN."""
        return tuple(self.alpn) or (() if self.protocol else ("h2", "http/1.1"))


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
    """Looks at hosts; what the looks share is read once.

    A host that is as it should be is told by the standard library, in one handshake: what the
    other libraries cost at the start is much more than that. Any other host is looked at again,
    thoroughly, and then only that handshake counts.
    """

    def __init__(self, how: How) -> None:
        self._how = how
        trusted, others = trust.split(how.roots)
        self._trusted = [root.der for root in trusted]
        self._others = [root.der for root in others]
        self._anchors = {root.sha256 for root in trusted}
        # A certificate of our own and the kind of key cannot be had from the standard library.
        simple = how.own is None and not how.all_addresses
        production = how.expected is Verdict.production
        self._quick = Quick(self._trusted, public=production, alpn=how.offers) if simple else None
        self._lock = threading.Lock()

    def look(self, target: Target, found: Sequence[Address], way: Way, key: str = "") -> Sight:
        """What a handshake with the first of these addresses that answers shows."""
        refused = ""
        try:
            if self._quick and not key:
                evidence, refused = self._quick.look(target, found, way)
                if evidence:
                    return self._sight(target, evidence)
            with self._lock:
                thorough = self._thorough
            evidence = thorough.look(target, found, way, key)
            sight = self.judged(target, evidence)
            # The two libraries may differ; two servers do so if it accepts the next one.
            if self._quick and refused and sight.verdict is self._how.expected:
                again = self._quick.look(target, found, way)
                return _two_answers(sight, refused) if again.evidence else sight
        except NoTls as error:
            return Sight(str(found[0][1][0]), Verdict.failed, (error.problem,))
        return sight

    def stored(self, target: Target | None, chain: Sequence[Certificate]) -> Sight:
        """What is to be said of a chain (leaf first) that nobody serves yet, as if it were served.

        target: the name for which it is to be good; None: whatever its names are.
        """
        try:
            evidence = self._thorough.show(chain)
        except NoTls as error:
            return Sight("", Verdict.failed, (error.problem,))
        return self.judged(target, evidence)

    def judged(self, target: Target | None, evidence: Evidence) -> Sight:
        """The verdict on what a handshake showed, after asking who vouches for it."""
        with self._lock:
            evidence = self._thorough.vouched(evidence)
        return self._sight(target, evidence)

    def _sight(self, target: Target | None, evidence: Evidence) -> Sight:
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

    @cached_property
    def _thorough(self) -> "Thorough":
        from agtool.le_staging.verify.thorough import Thorough

        private = [root for root in self._how.roots if root.private]
        return Thorough(
            self._trusted,
            self._others,
            own=self._how.own,
            private=[root.name for root in private],
        )


def _two_answers(sight: Sight, refused: str) -> Sight:
    """Two handshakes, of which one was refused and the other one was not, are two servers."""
    problem = Finding(
        "two-answers",
        f"of two connections to {sight.address} one got a certificate that is refused ({refused}), "
        "the other one a good one",
        "Several servers stand behind that address: reload all of them.",
    )
    problems = (problem, *sight.problems)
    return sight._replace(verdict=Verdict.failed, problems=problems)
