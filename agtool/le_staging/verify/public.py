"""Whether public roots vouch for a chain: Mozilla's list, and this machine's own store."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from functools import cached_property

import certifi
from OpenSSL import crypto

from agtool.le_staging.certificate import Certificate, from_openssl
from agtool.le_staging.verify.evidence import Voucher

_NO_CHECK_TIME = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME. Who signed is one question, until when another: `judge` has both."""


class PublicRoots:
    """The two stores, each read when it is first asked.

    Mozilla's list comes with certifi. This machine's store is what its programs trust:
    SSL_CERT_FILE and SSL_CERT_DIR, else where OpenSSL looks. A company's own CA is often there.
    """

    @cached_property
    def _mozilla(self) -> crypto.X509Store:
        store = _empty()
        store.load_locations(certifi.where())
        return store

    @cached_property
    def _machine(self) -> crypto.X509Store | None:
        paths = ssl.get_default_verify_paths()
        if not (paths.cafile or paths.capath):
            return None
        store = _empty()
        try:
            store.load_locations(paths.cafile, paths.capath)
        except crypto.Error:  # an empty or broken file, which makes nothing trusted
            return None
        return store

    def voucher(self, chain: Sequence[Certificate]) -> Voucher | None:
        """The root that vouches for this chain (leaf first), whatever the date is."""
        if path := _path(self._mozilla, chain):
            return Voucher(path, public=True)
        if self._machine and (path := _path(self._machine, chain)):
            return Voucher(path, public=False)
        return None


def _empty() -> crypto.X509Store:
    store = crypto.X509Store()
    store.set_flags(_NO_CHECK_TIME)
    return store


def _path(store: crypto.X509Store, chain: Sequence[Certificate]) -> tuple[Certificate, ...]:
    leaf, *others = (crypto.load_certificate(crypto.FILETYPE_ASN1, c.der) for c in chain)
    try:
        path = crypto.X509StoreContext(store, leaf, others).get_verified_chain()
    except crypto.X509StoreContextError:
        return ()
    return tuple(map(from_openssl, path))
