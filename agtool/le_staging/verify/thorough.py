"""All that can be known of a host: by pyOpenSSL, with every reason, and who vouches for it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from agtool.le_staging.certificate import Certificate, parse
from agtool.le_staging.paths import Anchors, these
from agtool.le_staging.roots import trust
from agtool.le_staging.roots.pins import CURRENT, REVOKED, TWINS, Pin, Twin
from agtool.le_staging.verify.connect import Address
from agtool.le_staging.verify.evidence import Evidence
from agtool.le_staging.verify.handshake import context, shake_hands
from agtool.le_staging.verify.public import PublicRoots, avoiding_revoked
from agtool.le_staging.verify.replay import show
from agtool.le_staging.verify.target import Target
from agtool.le_staging.verify.way import Own, Way


class Thorough:
    """Handshakes and paths to roots.

    Args:
        trusted: the roots (DER) that are trusted.
        others: staging roots whose twins no public store has.
        private: the names of the roots of private CAs.
        own: a certificate of ours.
    """

    def __init__(
        self,
        trusted: Sequence[bytes],
        others: Sequence[bytes],
        *,
        private: Sequence[str],
        own: Own | None,
    ) -> None:
        self._roots = (*trusted, *others)
        self._trusted, self._twins = Anchors(these(trusted)), Anchors(these(others))
        self._fingerprints = {parse(der).sha256 for der in trusted}
        self._private = tuple(private)
        self._public = PublicRoots()
        self._contexts = {key: context(trusted, key, own) for key in ("", "RSA", "ECDSA")}

    def look(self, target: Target, found: Sequence[Address], way: Way, key: str) -> Evidence:
        """What a handshake shows, as of `handshake.shake_hands`; key: a word of `way.KEYS`."""
        return shake_hands(target, found, self._contexts[key], way)

    def show(self, chain: Sequence[Certificate]) -> Evidence:
        """What a client would see of a chain, as of `replay.show`."""
        return show(chain, self._contexts[""])

    def vouched(self, evidence: Evidence) -> Evidence:
        """The evidence with who vouches for the chain."""
        sent, chain = evidence.presented, evidence.chain
        if not self._fingerprints.isdisjoint(certificate.sha256 for certificate in chain):
            revoked = any(certificate.sha256 in REVOKED for certificate in sent)
            if revoked and not evidence.flaws:
                chain = avoiding_revoked(self._trusted, sent) or chain
            return evidence._replace(chain=chain)
        if voucher := self._public.voucher(sent):
            return evidence._replace(voucher=voucher)
        if twin := self._twins.path(sent):
            return evidence._replace(twin=twin)
        return evidence._replace(private=self._private, look_alike=self._known_name(chain[-1]))

    def _known_name(self, top: Certificate) -> str:
        """The known root whose name the end of a chain has that no root vouches for."""
        name = top.subject if top.self_issued else top.issuer
        known: list[Pin | Twin] = [*CURRENT, *TWINS.values()]  # their keys are, fetched or not
        for root in known:
            keys = {top.spki, root.spki} if top.self_issued else {top.authority_key, root.key_id}
            if name == root.name and len(keys - {""}) == 2:
                return "a root of Let's Encrypt"
        return self._names.get(name, "")

    @cached_property
    def _names(self) -> dict[str, str]:
        public = dict.fromkeys((parse(der).subject for der in trust.mozilla()), "a public root")
        fetched = (parse(der).subject for der in self._roots)
        own = dict.fromkeys(self._private, "a private CA's root")
        return {**public, **dict.fromkeys(fetched, "a staging root"), **own}
