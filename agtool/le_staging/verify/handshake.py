"""One TLS handshake that tells everything: what the server sent and what OpenSSL says of it.

OpenSSL does the verification, as in curl, with the flags that curl sets: PARTIAL_CHAIN, so that
any certificate in the bundle is an anchor, and not X509_STRICT. It is the OpenSSL that comes with
the package `cryptography`: the same for every version of Python. Where it finds a flaw it is told
to go on, so that it finds all of them, and the chain is known in any case. Nothing but the
handshake is ever sent over such a connection.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from OpenSSL import SSL, crypto

from agtool.core.errors import ConfigurationError
from agtool.core.ready import readable, writable
from agtool.le_staging.certificate import from_openssl
from agtool.le_staging.paths import these
from agtool.le_staging.verify.alerts import PORT_HINT, failure
from agtool.le_staging.verify.connect import MORE_TIME, Address, NoTls, seconds_left
from agtool.le_staging.verify.evidence import Evidence, Flaw
from agtool.le_staging.verify.opened import opened
from agtool.le_staging.verify.target import Target
from agtool.le_staging.verify.way import KEYS, Own, Way

_REFUSAL = 3.0
"""Seconds in which a server that asked for our certificate should have said that it needs one."""

_ASKED = b"SSLv3/TLS read server certificate request"
"""A state of OpenSSL's handshake; all versions of TLS have it."""

_NO_CERTIFICATE = {40, 42, 43, 44, 45, 46, 48, 49, 116}
"""Alerts (RFC 8446, 6.2) that may stand for "without a certificate you do not come in here"."""


class Signs:
    """What OpenSSL tells of a connection while it is busy with it.

    Attributes:
        asked: the server asked for our certificate.
        refused: an alert says that the server does not want us without one.
        flaws: what OpenSSL objects to, in its order.
    """

    def __init__(self) -> None:
        self.asked = False
        self.refused = False
        self.flaws: dict[Flaw, None] = {}


def _listen(connection: SSL.Connection, event: int, value: int) -> None:
    signs = connection.get_app_data()
    if event == SSL.SSL_CB_READ_ALERT:
        signs.refused |= signs.asked and value & 0xFF in _NO_CERTIFICATE
    elif connection.get_state_string() == _ASKED:
        signs.asked = True


def context(anchors: Iterable[bytes], key: str = "", own: Own | None = None) -> SSL.Context:
    """What all handshakes share: these certificates (DER) are the only anchors.

    key: a word of `KEYS` for a certificate with such a key only. That is asked for in TLS 1.2,
    where the cipher suites say it. own: shown to servers that ask for it.
    Raises ConfigurationError when it cannot be used.
    """
    made = SSL.Context(SSL.TLS_CLIENT_METHOD)
    made.set_min_proto_version(SSL.TLS1_2_VERSION)
    if key:
        made.set_max_proto_version(SSL.TLS1_2_VERSION)
        made.set_cipher_list(KEYS[key])
    store = made.get_cert_store()
    assert store is not None  # noqa: S101  # a context always has one
    these(anchors)(store)
    made.set_info_callback(_listen)
    if own:
        _use(made, own)
    return made


def _use(made: SSL.Context, own: Own) -> None:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    # Read here: OpenSSL would ask for a password on the terminal.
    try:
        key: Any = load_pem_private_key(Path(own.key).read_bytes(), None)
        made.use_certificate_chain_file(own.certificate)
        made.use_privatekey(key)
        made.check_privatekey()
    except (OSError, TypeError, ValueError, UnsupportedAlgorithm, SSL.Error) as error:
        stack = error.args[0] if isinstance(error, SSL.Error) and error.args else []
        reasons = [entry[-1] for entry in stack if entry[-1]] or [
            getattr(error, "strerror", "") or " ".join(str(error).split()) or "they are unreadable"
        ]
        raise ConfigurationError(
            f"cannot use {own.certificate} with the key in {own.key}: {reasons[0]}",
            hint="Give PEM files with --cert and --key: a certificate, and its key without a "
            "password.",
        ) from error


def shake_hands(
    target: Target, found: Sequence[Address], context: SSL.Context, way: Way
) -> Evidence:
    """Connect, do the handshake, hang up; who vouches for the chain is not asked yet.

    Raises NoTls.
    """
    with opened(target, found, way) as connection:
        return _over(connection, target, context, way)


def _over(connection: socket.socket, target: Target, context: SSL.Context, way: Way) -> Evidence:
    address = str(connection.getpeername()[0])  # while nobody has hung up yet
    tls, signs = begin(context, connection)
    if not target.is_address:
        tls.set_tlsext_host_name(target.host.encode())
    if way.alpn:
        tls.set_alpn_protos([name.encode() for name in way.alpn])
    try:
        _finish(tls, connection, way.deadline)
        if signs.asked and tls.get_protocol_version() == SSL.TLS1_3_VERSION:
            _await_refusal(tls, connection, way.deadline, signs)
    except NoTls:
        # TLS 1.2 has it within the handshake, after all that we want to know.
        if not signs.refused:
            raise
    evidence = seen(tls, signs)
    with suppress(SSL.Error):
        tls.shutdown()
    return evidence._replace(
        refused=signs.refused,
        address="" if way.tunnel else address,
        tls=tls.get_protocol_version_name(),
        cipher=tls.get_cipher_name() or "",
    )


def begin(context: SSL.Context, connection: socket.socket | None) -> tuple[SSL.Connection, Signs]:
    """A handshake that has not begun, and what OpenSSL will tell of it.

    connection: None for one whose messages are handed over in memory.
    """
    tls, signs = SSL.Connection(context, connection), Signs()

    def note(
        _connection: SSL.Connection, _certificate: crypto.X509, code: int, depth: int, fine: int
    ) -> bool:
        if not fine:
            signs.flaws[Flaw(code, depth)] = None
        return True

    tls.set_app_data(signs)
    tls.set_verify(SSL.VERIFY_PEER, note)
    tls.set_connect_state()
    return tls, signs


def seen(tls: SSL.Connection, signs: Signs) -> Evidence:
    """What the server's message with its certificates showed. Raises NoTls."""
    try:
        presented = tuple(map(from_openssl, tls.get_peer_cert_chain() or []))
        chain = tuple(map(from_openssl, tls.get_verified_chain() or []))
    except (ValueError, crypto.Error) as error:
        raise NoTls(
            "unreadable-certificate",
            f"a certificate that the server sends cannot be read: {error}",
            "Get a new certificate from the ACME server.",
        ) from error
    if not presented:
        raise NoTls("tls", "the server sent no certificate")
    return Evidence(presented, chain or presented[:1], tuple(signs.flaws))


def _finish(tls: SSL.Connection, connection: socket.socket, deadline: float) -> None:
    while True:
        try:
            tls.do_handshake()
            return
        except SSL.WantReadError:
            ready = readable
        except SSL.WantWriteError:
            ready = writable
        except SSL.SysCallError as error:
            raise NoTls(
                "tls",
                "the server closed the connection during the TLS handshake",
                "Check the port, and that the server has a certificate for that name.",
            ) from error
        except SSL.Error as error:
            raise failure(error) from error
        left = seconds_left(deadline, "waiting for the TLS handshake", f"{PORT_HINT} {MORE_TIME}")
        ready(connection, left)


def _await_refusal(
    tls: SSL.Connection, connection: socket.socket, deadline: float, signs: Signs
) -> None:
    """Give a server that asked for our certificate the time to say that it needs one.

    In TLS 1.3 it says so when the handshake is over for us (RFC 8446, 4.4.2.4). One that does not
    mind hangs up, since we say that nothing more will come. TLS has a goodbye too, but a server
    that has turned us away does not read it, and then the network may drop what it has said.
    """
    deadline = min(deadline, time.monotonic() + _REFUSAL)
    with suppress(OSError):  # it is gone already; what it has said can still be read
        connection.shutdown(socket.SHUT_WR)
    while not signs.refused:
        try:
            tls.recv(1)
            return
        except SSL.WantReadError:
            if not readable(connection, max(0.0, deadline - time.monotonic())):
                return
        except SSL.Error:
            return
