"""What OpenSSL says when a handshake fails, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agtool.le_staging.verify.connect import NoTls

if TYPE_CHECKING:
    from OpenSSL import SSL

PORT_HINT = "Check the port. Mail servers and databases may need --starttls."

_NOT_TLS = {
    "wrong version number",
    "packet length too long",
    "http request",
    "https proxy request",
    "unknown protocol",
    "unexpected message",
    "record layer failure",
    "bad record type",
}
"""What OpenSSL says when the answer does not look like TLS."""


_HINTS = {
    "unrecognized name": "The server knows no site of this name. Check the name, and that the "
    "server (virtual host, Ingress) has it.",
    "internal error": "Many servers say so while they have no certificate for the name. Check that "
    "the server has this site, and whether its log tells that the certificate was issued.",
    "no application protocol": "Offer a protocol that the server speaks: --alpn, as in --alpn "
    "postgresql.",
    "handshake failure": "Check that the server has a certificate for this name, and cipher suites "
    "that are not outdated.",
    "protocol version": "Let the server use TLS 1.2 or TLS 1.3: nothing older is accepted.",
    "unsupported protocol": "Let the server use TLS 1.2 or TLS 1.3: nothing older is accepted.",
    "access denied": "The server has a list of who may come. Check it, and the proxies between.",
    "unexpected eof": "Check the port, and that the server has a certificate for that name.",
    "certificate required": "The server wants a certificate from its clients: --cert and --key.",
    "bad certificate": "The server does not like the certificate of --cert.",
    "unknown ca": "The server does not know the CA of the certificate of --cert.",
    "dh key too small": "Let the server use ECDHE, or a larger DH group.",
    "legacy": "Let the server's TLS library be updated: it cannot renegotiate safely (RFC 5746).",
    "asn1": "The server sends what is no certificate. Get a new one from the ACME server.",
}
"""A part of what OpenSSL says, and what to do."""


def failure(error: SSL.Error) -> NoTls:
    """What an error of OpenSSL means for the host."""
    reasons = [entry[-1] for entry in (error.args[0] if error.args else []) if entry[-1]]
    if _NOT_TLS & set(reasons):
        return NoTls("not-tls", "the server does not speak TLS on that port", PORT_HINT)
    reason = reasons[-1] if reasons else "it closed the connection"
    hints = (hint for part, hint in _HINTS.items() if part in " ".join(reasons).lower())
    return NoTls(
        "tls",
        f"the TLS handshake failed: {reason}",
        next(hints, "Check the TLS settings of the server, and what its log tells."),
    )
