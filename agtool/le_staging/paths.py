"""Whether a path leads from a chain to one of some roots, as OpenSSL builds it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta, timezone
from functools import cached_property

from OpenSSL import crypto

from agtool.le_staging.certificate import Certificate, from_openssl

_NO_CHECK_TIME = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME. Who signed is one question, until when another: `verify.judge`."""

Load = Callable[[crypto.X509Store], None]
"""Puts roots into a store. Raises crypto.Error, which stands for no roots."""


def these(roots: Iterable[bytes]) -> Load:
    """Puts these certificates (DER) into a store; each is an anchor, whatever it is, as in curl."""

    def load(store: crypto.X509Store) -> None:
        store.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN)
        for der in roots:
            store.add_cert(crypto.load_certificate(crypto.FILETYPE_ASN1, der))

    return load


class Anchors:
    """Roots; they are read when a path to them is first asked for."""

    def __init__(self, load: Load) -> None:
        self._load = load

    def path(self, chain: Sequence[Certificate]) -> tuple[Certificate, ...]:
        """The path from a chain (leaf first) to one of the roots, which is its last; () if none.

        One whose certificates are all within their dates if there is one: of two certificates of
        an intermediate one may have expired. Else one that is so but for the leaf; else any.
        """
        try:
            leaf, *others = (crypto.load_certificate(crypto.FILETYPE_ASN1, c.der) for c in chain)
        except crypto.Error:
            return ()
        now, instant = datetime.now(timezone.utc), timedelta(seconds=1)
        times = [now]
        if not chain[0].not_before <= now <= chain[0].not_after:
            times.append(chain[0].not_after - instant)
            times.append(chain[0].not_before + instant)
        for at in times:
            self._timed.set_time(at)
            if path := _path(self._timed, leaf, others):
                return path
        return _path(self._untimed, leaf, others)

    @cached_property
    def _timed(self) -> crypto.X509Store:
        return self._store()

    @cached_property
    def _untimed(self) -> crypto.X509Store:
        store = self._store()
        store.set_flags(_NO_CHECK_TIME)
        return store

    def _store(self) -> crypto.X509Store:
        store = crypto.X509Store()
        try:
            self._load(store)
        except crypto.Error:  # an empty or broken file, which makes nothing trusted
            return crypto.X509Store()
        return store


def _path(
    store: crypto.X509Store, leaf: crypto.X509, others: Sequence[crypto.X509]
) -> tuple[Certificate, ...]:
    try:
        path = crypto.X509StoreContext(store, leaf, others).get_verified_chain()
        return tuple(map(from_openssl, path))
    except (crypto.X509StoreContextError, crypto.Error, ValueError):
        return ()
