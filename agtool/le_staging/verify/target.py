"""What to check: HOST[:PORT] as people write it, and where to connect instead of asking DNS."""

import ipaddress
import re
import socket
import unicodedata
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import NamedTuple

from agtool.core.errors import UsageError

PORTS = {"": 443, "smtp": 25, "imap": 143, "pop3": 110, "ftp": 21, "ldap": 389, "postgres": 5432}
PORTS |= {"mysql": 3306, "xmpp": 5222, "sieve": 4190, "lmtp": 24}
"""The port of each protocol that starts without TLS; "": that of HTTPS."""


class Target(NamedTuple):
    """A host to check.

    Attributes:
        host: its name in ASCII (IDNs as A-labels), without a final dot, or an IP address; this
            is what the certificate must be for.
        port: the TCP port.
        shown: as the user wrote it, without a password.
    """

    host: str
    port: int
    shown: str

    @property
    def is_address(self) -> bool:
        """Whether the host is an IP address."""
        return is_address(self.host)

    @property
    def looked_up(self) -> str:
        """What DNS is asked for: with the final dot, if it was written, no search domain counts."""
        host, _ = _parts(self.shown)
        return f"{self.host}." if host.endswith(".") and not self.is_address else self.host

    @property
    def is_wildcard(self) -> bool:
        """Whether a wildcard was written, for which `host` is a name of our making."""
        return self.host.startswith(f"{WILDCARD_LABEL}.") and _parts(self.shown)[0][:2] == "*."

    def __str__(self) -> str:
        return join(self.host, self.port)


class Override(NamedTuple):
    """Connect elsewhere: one `--resolve` (addresses) or one `--connect-to` (host, port).

    An empty `for_host` or a `for_port` of 0 stands for any; an empty host or a port of 0 of the
    destination for the same.
    """

    for_host: str
    for_port: int
    host: str
    port: int
    addresses: tuple[str, ...] = ()


def is_address(host: str) -> bool:
    """Whether this is an IPv4 or IPv6 address (without brackets)."""
    with suppress(ValueError):
        _address(host)
        return True
    return False


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Raises ValueError for all others, and for a zone (%eth0) that no interface has."""
    _, percent, zone = text.partition("%")
    if percent and not re.fullmatch(r"[\w.~:@+-]+", zone, re.ASCII):
        raise ValueError("no name of an interface")
    return ipaddress.ip_address(text)


def join(host: str, port: int) -> str:
    """HOST:PORT, with the brackets that IPv6 needs."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


WILDCARD_LABEL = "agtool-wildcard-check"
"""Stands for the label of a wildcard: `*.apps.example.com` is checked as a name below it."""


def parse(text: str, default_port: int) -> Target:
    """Read HOST, HOST:PORT, [IPv6]:PORT, a bare IPv6 address, or a URL of these.

    Of a wildcard below two labels or more a name of our making is checked. Raises UsageError.
    """
    shown = re.sub(r"^((?:[^/?#]*://)?)[^/?#]*@", r"\1", text.strip())
    host, port = _parts(shown)
    return Target(_named(host, shown), default_port if port is None else port, shown)


def _parts(shown: str) -> tuple[str, int | None]:
    scheme, is_url, below = shown.partition("://")
    rest = below if is_url else scheme
    for end in "/?#":
        rest = rest.partition(end)[0]
    return _split(rest, shown)


def _named(host: str, shown: str) -> str:
    if host.startswith("*.") and "." in host[2:].removesuffix("."):
        host = f"{WILDCARD_LABEL}{host[1:]}"
    return _ascii(host, shown)


def _split(text: str, shown: str) -> tuple[str, int | None]:
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if ":" in host and is_address(host) and bracket and (not rest or rest.startswith(":")):
            return host, _port(rest[1:], shown) if rest else None
        raise _not_ipv6(shown)
    if text.count(":") > 1:
        if is_address(text):
            return text, None
        raise _not_ipv6(shown)
    host, colon, number = text.partition(":")
    return host, _port(number, shown) if colon else None


def _not_ipv6(shown: str) -> UsageError:
    return UsageError(
        f"{shown!r} is not a valid IPv6 address", hint="With a port, write [ADDRESS]:PORT."
    )


def _port(text: str, shown: str) -> int:
    if text.isascii() and text.isdigit() and 0 < int(text) < 65536:
        return int(text)
    raise UsageError(
        f"{shown!r} does not have a valid port", hint="Write a number from 1 to 65535."
    )


def _ascii(host: str, shown: str) -> str:
    if is_address(host):
        # ::1 and 0:0:0:0:0:0:0:1 are one address; a zone (%eth0) stays.
        return str(_address(host))
    host = host.removesuffix(".")
    if not host.isascii():
        host = _a_labels(host, shown)
    if re.fullmatch(r"\d[\da-fx.]*", host.lower(), re.ASCII):
        with suppress(OSError):
            # 127.1, 0x7f.1 and 1 are addresses too: curl takes them so, and so does the resolver.
            return socket.inet_ntoa(socket.inet_aton(host))
    host = host.lower()
    labels = host.split(".")
    fits = len(host) <= 253 and all(0 < len(label) <= 63 for label in labels)
    if not fits or not all(c.isalnum() or c in "-_" for label in labels for c in label):
        raise _not_a_name(shown)
    return host


def _a_labels(host: str, shown: str) -> str:
    """An IDN in ASCII by IDNA 2008, else, as curl has it, by UTS 46, which knows `i❤.test` too."""
    import idna

    try:
        return idna.encode(host, uts46=True).decode()
    except idna.IDNAError:
        pass
    try:
        mapped = idna.uts46_remap(host, std3_rules=False, transitional=False)
    except idna.IDNAError as error:
        raise _not_a_name(shown) from error
    labels = mapped.split(".")
    for label in labels:
        # Marks that begin a label, and what is not seen, stand for nothing that can be told apart.
        kinds = [unicodedata.category(character) for character in label]
        if label[:1] == "-" or label[-1:] == "-" or {kind[0] for kind in kinds} & {"C", "Z"}:
            raise _not_a_name(shown)
        if kinds and kinds[0][0] == "M":
            raise _not_a_name(shown)
    return ".".join(
        label if label.isascii() else f"xn--{label.encode('punycode').decode()}" for label in labels
    )


def _not_a_name(shown: str) -> UsageError:
    return UsageError(
        f"{shown!r} is not a valid host name",
        hint="Write a name or an address, such as example.com.",
    )


def parse_resolve(text: str) -> Override:
    """Read [+]HOST:PORT:ADDRESS[,ADDRESS]... as curl's --resolve. Raises UsageError.

    curl forgets an entry with `+` after a while, and has long ended then.
    """
    host, _, rest = text.removeprefix("+").partition(":")
    port, _, listed = rest.partition(":")
    addresses = tuple(address.strip("[]") for address in listed.split(","))
    if not all(map(is_address, addresses)):
        raise UsageError(
            f"--resolve {text!r} does not end in a valid address",
            hint="Write HOST:PORT:ADDRESS, such as example.com:443:192.0.2.7.",
        )
    return Override("" if host == "*" else _named(host, host), _port(port, text), "", 0, addresses)


def parse_connect_to(text: str) -> Override:
    """Read HOST1:PORT1:HOST2:PORT2 as curl's --connect-to. Raises UsageError."""
    fields: list[str] = []
    rest = text
    while rest:
        if rest.startswith("["):
            field, _, rest = rest[1:].partition("]")
            rest = rest.removeprefix(":")
        else:
            field, _, rest = rest.partition(":")
        fields.append(field)
    fields += [""] * (text.endswith(":") and len(fields) < 4)
    if len(fields) != 4:
        raise UsageError(
            f"--connect-to {text!r} does not have four parts",
            hint="Write HOST1:PORT1:HOST2:PORT2, such as example.com:443:localhost:8443.",
        )
    host, port, other_host, other_port = fields
    dot = "." if other_host.endswith(".") else ""
    return Override(
        _named(host, text) if host else "",
        _port(port, text) if port else 0,
        _ascii(other_host, text) + dot if other_host else "",
        _port(other_port, text) if other_port else 0,
    )


def parse_overrides(resolve: Iterable[str], connect_to: Iterable[str]) -> tuple[Override, ...]:
    """Read all of both kinds. Raises UsageError."""
    return (*map(parse_resolve, resolve), *map(parse_connect_to, connect_to))


def plan_destination(target: Target, overrides: Sequence[Override]) -> tuple[tuple[str, ...], int]:
    """Where to connect for a target: a name or addresses, and the port.

    As in curl --connect-to counts first, then --resolve.
    """
    looked_up, port = target.looked_up, target.port
    if moved := _first(overrides, target.host, port, resolve=False):
        looked_up, port = moved.host or looked_up, moved.port or port
    if fixed := _first(overrides, looked_up.removesuffix("."), port, resolve=True):
        return fixed.addresses, port
    return (looked_up,), port


def _first(
    overrides: Iterable[Override], host: str, port: int, *, resolve: bool
) -> Override | None:
    for override in overrides:
        meant = override.for_host in {"", host} and override.for_port in {0, port}
        if meant and bool(override.addresses) is resolve:
            return override
    return None
