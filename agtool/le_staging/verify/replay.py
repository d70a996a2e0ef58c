"""A chain that nobody serves yet, shown to the same client as a server would show it.

OpenSSL's client verifies the chain when the server's message Certificate arrives, before the
server has to prove that it has the key. So two messages of TLS 1.2, written here, are enough for
the same verdict, with every reason, and no key is needed. Source: RFC 5246, 7.4.1.3 and 7.4.2.
"""

from __future__ import annotations

from collections.abc import Sequence

from OpenSSL import SSL

from agtool.le_staging.certificate import Certificate
from agtool.le_staging.verify.alerts import failure
from agtool.le_staging.verify.evidence import Evidence
from agtool.le_staging.verify.handshake import begin, seen

_ECDHE_ECDSA, _ECDHE_RSA = b"\xc0\x2b", b"\xc0\x2f"
"""TLS_ECDHE_..._WITH_AES_128_GCM_SHA256: the certificate's key decides which."""

_SECURE_RENEGOTIATION = b"\xff\x01\x00\x01\x00"

_LONGEST = 1 << 14
"""Bytes of a record's content."""


def show(chain: Sequence[Certificate], context: SSL.Context) -> Evidence:
    """What a client says of this chain (leaf first). Raises NoTls if it cannot read it."""
    tls, signs = begin(context, None)
    try:
        tls.do_handshake()
    except SSL.WantReadError:
        tls.bio_read(1 << 16)
    rsa = chain[0].key.startswith("RSA")
    hello = b"\x03\x03" + bytes(32) + b"\0" + (_ECDHE_RSA if rsa else _ECDHE_ECDSA) + b"\0"
    hello += _with_length(_SECURE_RENEGOTIATION, 2)
    sent = b"".join(_with_length(certificate.der, 3) for certificate in chain)
    messages = _message(2, hello) + _message(11, _with_length(sent, 3))
    try:
        for begins in range(0, len(messages), _LONGEST):
            part = messages[begins : begins + _LONGEST]
            tls.bio_write(b"\x16\x03\x03" + _with_length(part, 2))
        tls.do_handshake()
    except SSL.WantReadError:
        pass  # for the server's proof that it has the key
    except SSL.Error as error:
        if not (signs.flaws or tls.get_peer_cert_chain()):
            raise failure(error) from error
    return seen(tls, signs)


def _message(kind: int, content: bytes) -> bytes:
    return bytes([kind]) + _with_length(content, 3)


def _with_length(content: bytes, size: int) -> bytes:
    return len(content).to_bytes(size, "big") + content
