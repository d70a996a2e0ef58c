"""One TLS handshake that tells everything: what the server sent and what OpenSSL says of it.

OpenSSL does the verification, as in curl, with the flags that curl sets: PARTIAL_CHAIN, so that
any certificate in the bundle is an anchor, and not X509_STRICT. It is the OpenSSL that comes with
the package `cryptography`: the same for every version of Python. Where it finds a flaw it is told
to go on, so that it finds all of them, and the chain is known in any case. Nothing but the
handshake is ever sent over such a connection.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress

from OpenSSL import SSL, crypto

from agtool.le_staging.certificate import from_openssl
from agtool.le_staging.verify import starttls
from agtool.le_staging.verify.connect import MORE_TIME, Address, NoTls, connect, seconds_left
from agtool.le_staging.verify.evidence import Evidence, Flaw
from agtool.le_staging.verify.target import Target

_REFUSAL = 3.0
"""Seconds in which a server that asked for our certificate should have said that it needs one."""

_ASKED = b"SSLv3/TLS read server certificate request"
"""A state of OpenSSL's handshake; all versions of TLS have it."""

_NO_CERTIFICATE = {40, 42, 43, 44, 45, 46, 48, 49, 116}
"""Alerts (RFC 8446, 6.2) that may stand for "without a certificate you do not come in here"."""


_PORT = "Check the port. Mail servers and databases may need --starttls."


class _Signs:
    """What OpenSSL tells of a connection while it is busy with it."""

    asked = False
    """The server asked for our certificate."""

    refused = False
    """An alert says that the server does not want us without one."""


def _listen(connection: SSL.Connection, event: int, value: int) -> None:
    signs = connection.get_app_data()
    if event == SSL.SSL_CB_READ_ALERT:
        signs.refused |= signs.asked and value & 0xFF in _NO_CERTIFICATE
    elif connection.get_state_string() == _ASKED:
        signs.asked = True


def context(anchors: Iterable[bytes]) -> SSL.Context:
    """What all handshakes share: these certificates (DER) are the only anchors."""
    made = SSL.Context(SSL.TLS_CLIENT_METHOD)
    made.set_min_proto_version(SSL.TLS1_2_VERSION)
    store = made.get_cert_store()
    assert store is not None  # noqa: S101  # a context always has one
    for der in anchors:
        store.add_cert(crypto.load_certificate(crypto.FILETYPE_ASN1, der))
    store.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN)
    made.set_info_callback(_listen)
    return made


def shake_hands(
    target: Target,
    found: Sequence[Address],
    context: SSL.Context,
    *,
    protocol: str,
    deadline: float,
) -> Evidence:
    """Connect, do the handshake, hang up; who vouches for the chain is not asked yet.

    protocol: what to speak first ("" for nothing), a word of `starttls`. deadline: as of
    time.monotonic(). Raises NoTls.
    """
    try:
        with connect(found, deadline) as connection:
            if protocol:
                starttls.start(protocol, connection, deadline)
            return _over(connection, target, context, protocol, deadline)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise NoTls("unreachable", f"the connection broke: {reason}", "Try again.") from error


def _over(
    connection: socket.socket,
    target: Target,
    context: SSL.Context,
    protocol: str,
    deadline: float,
) -> Evidence:
    flaws: dict[Flaw, None] = {}

    def note(
        _connection: SSL.Connection, _certificate: crypto.X509, code: int, depth: int, fine: int
    ) -> bool:
        if not fine:
            flaws[Flaw(code, depth)] = None
        return True

    address = str(connection.getpeername()[0])  # while nobody has hung up yet
    tls = SSL.Connection(context, connection)
    signs = _Signs()
    tls.set_app_data(signs)
    tls.set_verify(SSL.VERIFY_PEER, note)
    tls.set_connect_state()
    if not target.is_address:
        tls.set_tlsext_host_name(target.host.encode())
    if not protocol:
        tls.set_alpn_protos([b"h2", b"http/1.1"])  # as curl does
    try:
        _finish(tls, connection, deadline)
        if signs.asked and tls.get_protocol_version() == SSL.TLS1_3_VERSION:
            _await_refusal(tls, connection, deadline, signs)
    except NoTls:
        # TLS 1.2 has it within the handshake, after all that we want to know.
        if not signs.refused:
            raise
    try:
        presented = tuple(map(from_openssl, tls.get_peer_cert_chain() or []))
        chain = tuple(map(from_openssl, tls.get_verified_chain() or []))
    except ValueError as error:
        raise NoTls("tls", f"the server's certificate cannot be read: {error}") from error
    if not presented:
        raise NoTls("tls", "the server sent no certificate")
    with suppress(SSL.Error):
        tls.shutdown()
    return Evidence(
        presented,
        chain,
        tuple(flaws),
        refused=signs.refused,
        address=address,
        tls=tls.get_protocol_version_name(),
        cipher=tls.get_cipher_name() or "",
    )


def _finish(tls: SSL.Connection, connection: socket.socket, deadline: float) -> None:
    poll = select.poll()
    while True:
        try:
            tls.do_handshake()
            return
        except SSL.WantReadError:
            poll.register(connection, select.POLLIN)
        except SSL.WantWriteError:
            poll.register(connection, select.POLLOUT)
        except SSL.SysCallError as error:
            raise NoTls(
                "tls",
                "the server closed the connection during the TLS handshake",
                "Check the port, and that the server has a certificate for that name.",
            ) from error
        except SSL.Error as error:
            raise _failure(error) from error
        left = seconds_left(deadline, "waiting for the TLS handshake", f"{_PORT} {MORE_TIME}")
        poll.poll(1000 * left)


def _await_refusal(
    tls: SSL.Connection, connection: socket.socket, deadline: float, signs: _Signs
) -> None:
    """Give a server that asked for our certificate the time to say that it needs one.

    In TLS 1.3 it says so when the handshake is over for us (RFC 8446, 4.4.2.4). One that does not
    mind hangs up, since we say that nothing more will come. TLS has a goodbye too, but a server
    that has turned us away does not read it, and then the network may drop what it has said.
    """
    deadline = min(deadline, time.monotonic() + _REFUSAL)
    with suppress(OSError):  # it is gone already; what it has said can still be read
        connection.shutdown(socket.SHUT_WR)
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    while not signs.refused:
        try:
            tls.recv(1)
            return
        except SSL.WantReadError:
            if not poll.poll(1000 * max(0.0, deadline - time.monotonic())):
                return
        except SSL.Error:
            return


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


def _failure(error: SSL.Error) -> NoTls:
    reasons = [entry[-1] for entry in (error.args[0] if error.args else []) if entry[-1]]
    if _NOT_TLS & set(reasons):
        return NoTls("not-tls", "the server does not speak TLS on that port", _PORT)
    reason = reasons[-1] if reasons else "it closed the connection"
    return NoTls(
        "tls", f"the TLS handshake failed: {reason}", "Check the TLS settings of the server."
    )
