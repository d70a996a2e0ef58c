"""Ask a server that begins in plain text to go on with TLS, in ten protocols.

Only the few lines that come before the handshake; nothing that the server says is kept.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable

from agtool.core.ready import readable
from agtool.core.text import printable
from agtool.le_staging import der
from agtool.le_staging.verify.connect import NoTls, seconds_left

_LONGEST_LINE = 8192
_MOST_LINES = 200
"""Bounds for a server that talks without end."""


class _Conversation:
    """Lines and bytes over a non-blocking socket, within a deadline."""

    def __init__(
        self, connection: socket.socket, deadline: float, protocol: str, host: str
    ) -> None:
        self._connection = connection
        self._deadline = deadline
        self._protocol = protocol
        self.host = host

    def send(self, data: bytes) -> None:
        """Send a few bytes, for which the kernel always has room after a reply."""
        self._connection.sendall(data)

    def read(self, count: int) -> bytes:
        """Exactly so many bytes: not one more, since what follows belongs to TLS."""
        data = b""
        while len(data) < count:
            left = seconds_left(self._deadline, f"waiting for the {self._protocol} server")
            if not readable(self._connection, left):
                continue
            more = self._connection.recv(count - len(data))
            if not more:
                raise self.refusal("it closed the connection")
            data += more
        return data

    def line(self) -> str:
        """One line without its end."""
        data = b""
        while not data.endswith(b"\n"):
            if len(data) >= _LONGEST_LINE:
                raise self.refusal("its line has no end")
            data += self.read(1)
        return data.decode(errors="replace").rstrip("\r\n")

    def reply(self) -> list[str]:
        """A reply of SMTP or FTP with all its lines; "250-" goes on, "250 " is the last one."""
        lines = [self.line()]
        code = lines[0][:3]
        while not (lines[-1][:3] == code and lines[-1][3:4] != "-"):
            if len(lines) >= _MOST_LINES:
                raise self.refusal("its reply has no end")
            lines.append(self.line())
        return lines

    def expect(self, answer: str, *beginnings: str) -> None:
        """Raises NoTls unless the answer has one of these beginnings."""
        if not answer.upper().startswith(beginnings):
            raise self.refusal(f"it says: {printable(answer[:200])}")

    def refusal(self, why: str) -> NoTls:
        return NoTls(
            "starttls",
            f"the server does not start TLS in {self._protocol}: {why}",
            "Check the port, --starttls, and that the server has TLS switched on.",
        )


def _smtp(server: _Conversation, hello: bytes = b"EHLO") -> None:
    """RFC 3207."""
    server.expect(server.reply()[-1], "220")
    server.send(hello + b" agtool.invalid\r\n")
    offered = server.reply()
    server.expect(offered[-1], "250")
    if not any(line[4:].strip().upper() == "STARTTLS" for line in offered):
        raise server.refusal("it does not offer STARTTLS")
    server.send(b"STARTTLS\r\n")
    server.expect(server.reply()[-1], "220")


def _lmtp(server: _Conversation) -> None:
    """RFC 2033: as SMTP, with another greeting."""
    _smtp(server, b"LHLO")


def _imap(server: _Conversation) -> None:
    """RFC 3501, 6.2.1."""
    server.expect(server.line(), "* OK", "* PREAUTH")
    server.send(b"a STARTTLS\r\n")
    answer = server.line()
    for _ in range(_MOST_LINES):
        if not answer.startswith("*"):
            break
        answer = server.line()
    server.expect(answer, "A OK")


def _pop3(server: _Conversation) -> None:
    """RFC 2595."""
    server.expect(server.line(), "+OK")
    server.send(b"STLS\r\n")
    server.expect(server.line(), "+OK")


def _ftp(server: _Conversation) -> None:
    """RFC 4217."""
    server.expect(server.reply()[-1], "220")
    server.send(b"AUTH TLS\r\n")
    server.expect(server.reply()[-1], "234")


# An extended request with message number 1 for the object identifier 1.3.6.1.4.1.1466.20037.
_LDAP_STARTTLS = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037"


def _ldap(server: _Conversation) -> None:
    """RFC 4511, 4.14."""
    server.send(_LDAP_STARTTLS)
    # messageID, then [APPLICATION 24] with an ENUMERATED first: 0 is success.
    try:
        number, operation, *_ = _ldap_message(server).parts()
        result, *_ = operation.parts() if operation.tag == 0x78 else []
    except ValueError as error:
        raise server.refusal("its answer is not LDAP's for STARTTLS") from error
    if number.tag != der.INTEGER or result.tag != 0x0A or not result.content:
        raise server.refusal("its answer is not LDAP's for STARTTLS")
    if code := int.from_bytes(result.content, "big"):
        raise server.refusal(f"its result code is {code}")


def _ldap_message(server: _Conversation) -> der.Element:
    """One message. Active Directory writes each length in four bytes, also short ones."""
    head = server.read(2)
    length, size = head[1], 0
    if length >= 0x80:
        size = length & 0x7F
        head += server.read(size if size <= 4 else 0)
        length = int.from_bytes(head[2:], "big")
    if head[0] != der.SEQUENCE or size > 4 or length > _LONGEST_LINE:
        raise server.refusal("its answer is not LDAP")
    return der.read(head + server.read(length))


_POSTGRES_SSL_REQUEST = struct.pack(">II", 8, 80877103)


def _postgres(server: _Conversation) -> None:
    """The SSLRequest of PostgreSQL's protocol."""
    server.send(_POSTGRES_SSL_REQUEST)
    if (answer := server.read(1)) != b"S":
        says = {b"N": "TLS is switched off there", b"E": "it does not know TLS"}
        raise server.refusal(says.get(answer, "its answer is not PostgreSQL's"))


def _sieve(server: _Conversation) -> None:
    """ManageSieve, RFC 5804, 2.2: capabilities, a line each, then OK."""

    def answer() -> str:
        for _ in range(_MOST_LINES):
            line = server.line()
            if line[:1] != '"':
                return line
        raise server.refusal("its capabilities have no end")

    server.expect(answer(), "OK")
    server.send(b"STARTTLS\r\n")
    server.expect(answer(), "OK")


_XMPP_OPEN = (
    "<?xml version='1.0'?><stream:stream to='{host}' version='1.0' xmlns='jabber:client' "
    "xmlns:stream='http://etherx.jabber.org/streams'>"
)
_XMPP_STARTTLS = b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"


def _xmpp(server: _Conversation) -> None:
    """RFC 6120, 5.4.2."""

    def until(*ends: str) -> str:
        said = ""
        while not any(end in said for end in (*ends, "</stream:stream>")):
            if len(said) >= _LONGEST_LINE:
                raise server.refusal("its answer has no end")
            said += server.read(1).decode("latin-1")
        return said

    server.send(_XMPP_OPEN.format(host=server.host).encode())
    if "urn:ietf:params:xml:ns:xmpp-tls" not in until("</stream:features>", "<stream:features/>"):
        raise server.refusal("it does not offer STARTTLS")
    server.send(_XMPP_STARTTLS)
    said = until("<proceed", "<failure")
    if "<proceed" not in said:
        raise server.refusal(f"it says: {printable(said[-200:])}")
    if not said.endswith(">"):
        until(">")


# Protocol 4.1, TLS, authentication by plugins; of these only the second matters before TLS.
_MYSQL_CAPABILITIES = 0x00000200 | 0x00000800 | 0x00008000 | 0x00080000


def _mysql(server: _Conversation) -> None:
    """The initial handshake and SSLRequest of MySQL's protocol."""
    head = server.read(4)
    greeting = server.read(int.from_bytes(head[:3], "little"))
    if greeting[:1] == b"\xff":
        said = greeting[3:].decode(errors="replace")
        raise server.refusal(f"it says: {printable(said[:200])}")
    version, end, rest = greeting[1:].partition(b"\0")
    if greeting[:1] != b"\x0a" or not end or len(rest) < 15 or len(version) > 200:
        raise server.refusal("its greeting is not MySQL's")
    # A thread's number, 8 bytes of a nonce, a zero, then the lower half of the capabilities.
    if not int.from_bytes(rest[13:15], "little") & 0x0800:
        raise server.refusal("TLS is switched off there")
    request = struct.pack("<IIB23x", _MYSQL_CAPABILITIES, 1 << 24, 45)
    server.send(len(request).to_bytes(3, "little") + b"\x01" + request)


PROTOCOLS: dict[str, Callable[[_Conversation], None]] = {
    "smtp": _smtp,
    "imap": _imap,
    "pop3": _pop3,
    "ftp": _ftp,
    "ldap": _ldap,
    "postgres": _postgres,
    "mysql": _mysql,
    "xmpp": _xmpp,
    "sieve": _sieve,
    "lmtp": _lmtp,
}


def start(protocol: str, connection: socket.socket, deadline: float, host: str) -> None:
    """Bring a new connection (non-blocking) to where the TLS handshake begins.

    host: the name for which the server is asked, if the protocol tells it.

    Raises NoTls when the server does not want that, or not before the deadline
    (time.monotonic()), and OSError when the connection breaks.
    """
    PROTOCOLS[protocol](_Conversation(connection, deadline, protocol, host))
