"""Which staging roots to trust: those whose production twins the public has.

A staging certificate is worth what its production twin would be. Of Let's Encrypt's production
roots not all are in the public stores yet; what ends in one of the others works nowhere. The
public store is Mozilla's list in the package certifi, so that the answer changes with it.
"""

from __future__ import annotations

import binascii
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from agtool.le_staging.certificate import key_of
from agtool.le_staging.roots.pins import BY_SHA256, TWINS


class _Fetched(Protocol):
    """What `store.Root` has."""

    @property
    def sha256(self) -> str: ...

    @property
    def private(self) -> bool: ...


Root = TypeVar("Root", bound=_Fetched)

_BEGIN, _END = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"


def mozilla() -> list[bytes]:
    """The certificates (DER) of Mozilla's list."""
    import certifi

    return certificates(Path(certifi.where()).read_bytes())


def certificates(pem: bytes) -> list[bytes]:
    """The certificates (DER) in a file of them."""
    return [binascii.a2b_base64(block.partition(_END)[0]) for block in pem.split(_BEGIN)[1:]]


def publicly_trusted_keys() -> frozenset[str]:
    """The keys (SHA-256 of SubjectPublicKeyInfo) of Mozilla's list."""
    return frozenset(map(key_of, mozilla()))


def split(roots: Sequence[Root]) -> tuple[list[Root], list[Root]]:
    """The roots to trust, and those whose twins no public store has.

    A private CA has no twin: its root is trusted.
    """
    known = publicly_trusted_keys() if any(not root.private for root in roots) else frozenset()
    trusted: list[Root] = []
    others: list[Root] = []
    for root in roots:
        twin = TWINS.get(BY_SHA256[root.sha256].name) if root.sha256 in BY_SHA256 else None
        (trusted if twin is None or twin.spki in known else others).append(root)
    return trusted, others


def lets_encrypt_s(spki: str, authority_key: str) -> str:
    """Whose key this is, or who issued the certificate, if it is Let's Encrypt; else "".

    By key, not by name. authority_key: as of a `Certificate`.
    """
    known = [(pin.name, pin.spki, pin.key_id) for pin in BY_SHA256.values()]
    known += [(twin.name, twin.spki, twin.key_id) for twin in TWINS.values()]
    for name, key, key_id in known:
        if spki == key:
            return f"{name} of Let's Encrypt"
        if authority_key and authority_key == key_id:
            return f"issued by {name} of Let's Encrypt"
    return ""
