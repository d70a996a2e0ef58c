"""How to do a handshake, as plain data."""

from collections.abc import Sequence
from typing import NamedTuple

from agtool.le_staging.verify.proxy import Tunnel

KEYS = {"RSA": b"aRSA", "ECDSA": b"aECDSA"}
"""Kinds of keys that a server may have certificates for side by side, and OpenSSL's ciphers."""


class Own(NamedTuple):
    """A certificate of ours for hosts that want one, and its key; both are files in PEM."""

    certificate: str
    key: str


class Way(NamedTuple):
    """How to begin.

    Attributes:
        protocol: what to speak first ("" for nothing), a word of `starttls`.
        alpn: the protocols to offer in the handshake (RFC 7301).
        deadline: as of time.monotonic().
        tunnel: what a proxy at the addresses is asked for; None: there is no proxy.
    """

    protocol: str
    alpn: Sequence[str]
    deadline: float
    tunnel: Tunnel | None = None
