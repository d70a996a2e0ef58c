"""A handshake by the standard library, which tells that a host is as it should be, or nothing.

It verifies with the flags that curl sets, as `handshake` does. Where it refuses a chain it says
one reason and shows no certificate: then the host is looked at thoroughly.
"""

import socket
import ssl
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from agtool.core.ready import readable
from agtool.le_staging.certificate import parse
from agtool.le_staging.roots.pins import REVOKED
from agtool.le_staging.verify.alerts import PORT_HINT
from agtool.le_staging.verify.connect import MORE_TIME, Address, seconds_left
from agtool.le_staging.verify.evidence import Evidence, Voucher
from agtool.le_staging.verify.opened import opened
from agtool.le_staging.verify.target import Target
from agtool.le_staging.verify.way import Way

_CERTIFICATE_REQUEST = 13
"""The type of the message with which a server asks for a certificate of ours (RFC 8446, 4)."""

_DER = 2
"""ENCODING_DER of Python's C module, for `_ssl.Certificate.public_bytes`."""


class Answer(NamedTuple):
    """What came of it.

    Attributes:
        evidence: without any flaw; None: the host has to be looked at thoroughly.
        refused: why the chain was refused, if that was the reason.
    """

    evidence: Evidence | None
    refused: str = ""


class Quick:
    """Looks at hosts.

    Args:
        roots: the roots (DER) to trust.
        public: trust the public roots instead (Mozilla's list).
        alpn: the protocols to offer.
    """

    def __init__(self, roots: Sequence[bytes], *, public: bool, alpn: Sequence[str]) -> None:
        self._public = public
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._context.check_hostname = False  # names are compared by curl's rules: verify.names
        self._context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._context.verify_flags = ssl.VERIFY_X509_TRUSTED_FIRST | ssl.VERIFY_X509_PARTIAL_CHAIN
        if alpn:
            self._context.set_alpn_protocols(list(alpn))
        if public:
            import certifi

            self._context.load_verify_locations(certifi.where())
        elif roots:
            self._context.load_verify_locations(cadata=b"".join(roots))
        self._usable = public or bool(roots)
        self._asked: set[int] = set()
        # Private, but there in each Python since 3.8, and nothing else tells it.
        self._context._msg_callback = self._listen  # type: ignore[attr-defined]  # noqa: SLF001

    def look(self, target: Target, found: Sequence[Address], way: Way) -> Answer:
        """One handshake with the first of these addresses that answers. Raises NoTls."""
        if not self._usable:
            return Answer(None)
        with opened(target, found, way) as connection:
            return self._over(connection, target, way)

    def _listen(self, connection: Any, *message: Any) -> None:
        if message[3] == _CERTIFICATE_REQUEST and message[0] == "read":
            self._asked.add(id(connection))

    def _over(self, connection: socket.socket, target: Target, way: Way) -> Answer:
        address = str(connection.getpeername()[0])
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        # As bytes, since Python would read a name by older rules for IDNs than curl does.
        name: Any = None if target.is_address else target.host.encode()
        try:
            tls = self._context.wrap_bio(incoming, outgoing, server_hostname=name)
            self._asked.discard(id(tls))
            self._finish(tls, incoming, outgoing, connection, way)
            # Whether it needs a certificate of ours, only the thorough handshake finds out.
            if id(tls) in self._asked:
                return Answer(None)
            presented, chain = (tuple(map(parse, ders)) for ders in _chains(tls))
        except ssl.SSLCertVerificationError as error:
            return Answer(None, error.verify_message)
        except (ssl.SSLError, ValueError):
            return Answer(None)
        if not presented or any(certificate.sha256 in REVOKED for certificate in presented):
            return Answer(None)
        with suppress(OSError):
            connection.sendall(_goodbye(tls, outgoing))
        cipher = tls.cipher()
        return Answer(
            Evidence(
                presented,
                chain,
                (),
                voucher=Voucher(chain, public=True) if self._public else None,
                address="" if way.tunnel else address,
                tls=tls.version() or "",
                cipher=cipher[0] if cipher else "",
            )
        )

    @staticmethod
    def _finish(
        tls: ssl.SSLObject,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        connection: socket.socket,
        way: Way,
    ) -> None:
        while True:
            try:
                tls.do_handshake()
                done = True
            except ssl.SSLWantReadError:
                done = False
            if data := outgoing.read():
                connection.sendall(data)
            if done:
                return
            left = seconds_left(
                way.deadline, "waiting for the TLS handshake", f"{PORT_HINT} {MORE_TIME}"
            )
            if not readable(connection, left):
                continue
            data = connection.recv(65536)
            if data:
                incoming.write(data)
            else:
                incoming.write_eof()


def _goodbye(tls: ssl.SSLObject, outgoing: ssl.MemoryBIO) -> bytes:
    with suppress(ssl.SSLError):
        tls.unwrap()
    return outgoing.read()


def _chains(tls: ssl.SSLObject) -> tuple[list[bytes], list[bytes]]:
    """What the server sent, and the path to a root; public from Python 3.13 on."""
    inner: Any = tls
    if not hasattr(tls, "get_verified_chain"):
        inner = tls._sslobj  # type: ignore[attr-defined]  # noqa: SLF001
    sent, path = inner.get_unverified_chain(), inner.get_verified_chain()
    return _ders(sent), _ders(path)


def _ders(chain: Any) -> list[bytes]:
    return [c if isinstance(c, bytes) else c.public_bytes(_DER) for c in chain or ()]
