"""The options that say where and how to connect, each written once."""

import socket
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from agtool.core.options import duration, flag, number, option, path, positive

Resolve = Annotated[
    list[str] | None,
    option(
        "HOST:PORT:ADDRESS",
        "Connect to ADDRESS instead of asking DNS, as curl does. Can be repeated.",
    ),
]

ConnectTo = Annotated[
    list[str] | None,
    option(
        "HOST1:PORT1:HOST2:PORT2",
        "Connect to HOST2:PORT2 instead of HOST1:PORT1, as curl does. Can be repeated.",
    ),
]

Protocol = Literal[
    "smtp", "imap", "pop3", "ftp", "ldap", "postgres", "mysql", "xmpp", "sieve", "lmtp"
]

Port = Annotated[
    int | None,
    number(
        "PORT",
        "Use this port for hosts without one",
        1,
        65535,
        default="443, or that of --starttls",
    ),
]

Starttls = Annotated[
    Protocol | None,
    option(
        "PROTOCOL",
        "Begin in this protocol, and then start TLS: smtp, imap, pop3, ftp, ldap, postgres, "
        "mysql, xmpp, sieve or lmtp.",
    ),
]

Alpn = Annotated[
    list[str] | None,
    option(
        "NAME",
        "Offer this protocol in the handshake. Can be repeated.  "
        "[default: h2 and http/1.1, or nothing with --starttls]",
    ),
]

Ip = Annotated[
    Literal["4", "6"] | None, option("[4|6]", "Use only this version of IP.  [default: both]")
]

AllAddresses = Annotated[
    bool,
    flag(
        "Check each address of a host, and certificates with both kinds of keys.",
        "--all-addresses",
    ),
]

# Empty: no proxy, whatever the environment says.
ProxyUrl = Annotated[
    str | None,
    option(
        "URL",
        "Connect through this HTTP proxy; '' connects directly. Also: environment variables "
        "HTTPS_PROXY, ALL_PROXY and NO_PROXY, as for curl.",
        callback=None,
    ),
]

CaCert = Annotated[
    list[Path] | None,
    path(
        "FILE",
        "Trust the roots in this PEM file too, as those of your own ACME CA. Can be repeated.",
    ),
]

Cert = Annotated[
    Path | None, path("FILE", "Show this certificate (PEM) to hosts that want one of us.")
]

Key = Annotated[Path | None, path("FILE", "The key of --cert.  [default: it is in the same file]")]

Timeout = Annotated[
    float, duration("Give up on a host after this time.  [default: 10s]", callback=positive)
]


class Connecting(NamedTuple):
    """Where and how to connect."""

    port: Port = None
    starttls: Starttls = None
    alpn: Alpn = None
    resolve: Resolve = None
    connect_to: ConnectTo = None
    ip: Ip = None
    all_addresses: AllAddresses = False
    proxy: ProxyUrl = None
    cacert: CaCert = None
    cert: Cert = None
    key: Key = None
    timeout: Timeout = 10.0

    @property
    def default_port(self) -> int:
        """The port of hosts without one."""
        from agtool.le_staging.verify.target import PORTS

        return self.port or PORTS[self.starttls or ""]

    def settings(self) -> dict[str, Any]:
        """What `verify.look.How` has of this. Raises UsageError or ConfigurationError."""
        from agtool.core.errors import UsageError
        from agtool.le_staging.verify.proxy import choose
        from agtool.le_staging.verify.target import parse_overrides
        from agtool.le_staging.verify.way import Own

        if self.key and not self.cert:
            raise UsageError("--key needs --cert", hint="Give the certificate too: --cert FILE.")
        protocols = tuple(self.alpn or ())
        for name in protocols:
            if not (name.isascii() and 0 < len(name) < 256):
                raise UsageError(
                    f"--alpn {name!r} is not the name of a protocol", hint="Example: --alpn h2"
                )
        return {
            "protocol": self.starttls or "",
            "alpn": protocols,
            "timeout": self.timeout,
            "family": {"4": socket.AF_INET, "6": socket.AF_INET6}.get(
                self.ip or "", socket.AF_UNSPEC
            ),
            "overrides": parse_overrides(self.resolve or [], self.connect_to or []),
            "all_addresses": self.all_addresses,
            "own": Own(str(self.cert), str(self.key or self.cert)) if self.cert else None,
            "proxies": choose(self.proxy, https=not self.starttls),
        }
