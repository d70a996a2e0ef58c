"""Whether public roots vouch for a chain: Mozilla's list, and this machine's own store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import certifi

from agtool.core import authorities
from agtool.le_staging.certificate import Certificate
from agtool.le_staging.paths import Anchors
from agtool.le_staging.roots.pins import REVOKED
from agtool.le_staging.verify.evidence import Voucher

if TYPE_CHECKING:
    from OpenSSL import crypto


class PublicRoots:
    """The two stores, each read when it is first asked.

    Mozilla's list comes with certifi. This machine's store is what its programs trust:
    SSL_CERT_FILE and SSL_CERT_DIR, else where OpenSSL looks. A company's own CA is often there.
    """

    def __init__(self) -> None:
        self._mozilla = Anchors(lambda store: store.load_locations(certifi.where()))
        self._machine = Anchors(_load_machine)

    def voucher(self, chain: Sequence[Certificate]) -> Voucher | None:
        """The root that vouches for this chain (leaf first), whatever the date is.

        Its path has no revoked cross-sign, if there is one without.
        """
        for anchors in (self._mozilla, self._machine):
            if path := avoiding_revoked(anchors, chain):
                return Voucher(path, public=anchors is self._mozilla)
        return None


def avoiding_revoked(anchors: Anchors, chain: Sequence[Certificate]) -> tuple[Certificate, ...]:
    """A path as by `Anchors.path`; one with a revoked cross-sign only if there is none without."""
    good = [certificate for certificate in chain if certificate.sha256 not in REVOKED]
    if len(good) < len(chain) and good and (path := anchors.path(good)):
        return path
    return anchors.path(chain)


def _load_machine(store: crypto.X509Store) -> None:
    places = authorities.places()
    if any(places):
        store.load_locations(*places)
