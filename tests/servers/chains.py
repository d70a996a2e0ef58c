"""One HTTPS server with a different chain for each name, which remembers who asked for what."""

import socket
import ssl
from pathlib import Path

from tests.servers.certificates import Issued, issue, root
from tests.servers.tls import Listener, tls_context

STAGING = "Test Staging"


class Chains:
    """Shows each name the chain that `serve` gave it; use as a context.

    Attributes:
        tried: the names for which a handshake began.
        served: the names for which a request came, so that the client accepted the chain.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._listener = Listener(self._handle)
        self.port = self._listener.port
        self.tried: set[str] = set()
        self.served: set[str] = set()

    def __enter__(self) -> "Chains":
        self._listener.__enter__()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._listener.__exit__()

    def serve(self, name: str, issued: Issued) -> str:
        """Show `issued` to who asks for `name`; return the URL."""
        self._contexts[name] = tls_context(self._folder / name, issued)
        return self.url(name)

    def url(self, name: str) -> str:
        """The URL of a name."""
        return f"https://{name}:{self.port}/"

    def forget(self) -> None:
        """Nobody has asked for anything."""
        self.tried.clear()
        self.served.clear()

    def _handle(self, connection: socket.socket) -> None:
        asked = ""

        def choose(tls: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> int | None:
            nonlocal asked
            asked = name or ""
            self.tried.add(asked)
            if asked not in self._contexts:
                return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
            tls.context = self._contexts[asked]
            return None

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.sni_callback = choose
        with context.wrap_socket(connection, server_side=True) as tls:
            if not tls.recv(65536):
                return
            self.served.add(asked)
            body = f"<title>{asked}</title><h1>served {asked}</h1>".encode()
            tls.sendall(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n"
                b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
            )


def with_all_kinds(folder: Path, *domains: str) -> tuple[Chains, Issued]:
    """A server for names below the domains with good and bad chains, and the good ones' root.

    good, other: fine; expired, wrong (for another name), self-signed, unknown (its root).
    """
    top = root(f"{STAGING} Root")
    middle = top.intermediate(f"{STAGING} Intermediate", days=(-1, 1000))
    stranger = root("Stranger").intermediate("Stranger Intermediate", days=(-1, 1000))
    chains = Chains(folder)
    for domain in domains:
        for name in (f"good.{domain}", f"other.{domain}"):
            chains.serve(name, middle.leaf(name))
        name = f"expired.{domain}"
        chains.serve(name, middle.leaf(name, days=(-30, -2)))
        chains.serve(f"wrong.{domain}", middle.leaf(f"another.{domain}"))
        name = f"unknown.{domain}"
        chains.serve(name, stranger.leaf(name))
        name = f"self-signed.{domain}"
        chains.serve(name, issue(None, name, names=[name]))
    return chains, top
