"""TLS servers on loopback, each in a thread: good ones, and such that misbehave."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from cryptography import x509

from tests.servers.certificates import Issued, to_pem

Handler = Callable[[socket.socket], None]


class Listener:
    """Accepts connections and hands each to a function in a thread of its own; use as a context."""

    def __init__(self, handle: Handler, host: str = "127.0.0.1", port: int = 0) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._handle = handle
        self._listening = socket.create_server((host, port), family=family, backlog=512)
        self.host = host
        self.port: int = self._listening.getsockname()[1]
        self.connections = 0

    def __enter__(self) -> "Listener":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        # Wakes accept(), which close() alone does not.
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(60)
        with connection, suppress(OSError):
            self._handle(connection)


def tls_context(
    folder: Path, issued: Issued, chain: Sequence[x509.Certificate] | None = None
) -> ssl.SSLContext:
    """Make a server's context; chain: what it sends, if not what it should."""
    folder.mkdir(parents=True, exist_ok=True)
    sent, key = folder / "chain.pem", folder / "key.pem"
    sent.write_text(to_pem(*(issued.chain if chain is None else chain)))
    key.write_text(issued.key_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ALL:@SECLEVEL=0")  # some certificates are weak on purpose
    context.load_cert_chain(sent, key)
    return context


def https(
    context: ssl.SSLContext,
    body: bytes = b"hello\n",
    *,
    before: Handler | None = None,
    round_trip: float = 0,
) -> Handler:
    """Answer every request over TLS with 200 and `body`.

    before: what to do before TLS. round_trip: seconds by which the answers to the first message
    of TLS and to the request come late, as from a host that is far away.
    """

    def handle(connection: socket.socket) -> None:
        if before:
            before(connection)
        if round_trip:
            connection.recv(1, socket.MSG_PEEK)
            time.sleep(round_trip)
        with context.wrap_socket(connection, server_side=True) as tls:
            request = b""
            while b"\r\n\r\n" not in request:
                data = tls.recv(65536)
                if not data:
                    return
                request += data
            time.sleep(round_trip)
            head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            tls.sendall(head.encode() + body)
            with suppress(OSError):
                tls.unwrap()

    return handle


def plain_http(connection: socket.socket) -> None:
    """Answer TLS with a line of HTTP, as a server does whose TLS is not switched on."""
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


def ssh(connection: socket.socket) -> None:
    """Speak first, and not TLS."""
    connection.sendall(b"SSH-2.0-OpenSSH_9.2p1\r\n")
    connection.recv(65536)


def hang_up(connection: socket.socket) -> None:
    """Read the beginning, then close."""
    connection.recv(65536)


def silent(connection: socket.socket) -> None:
    """Say nothing until the other side gives up."""
    while connection.recv(65536):
        pass


def files(context: ssl.SSLContext, served: Mapping[str, bytes]) -> Handler:
    """Serve files over TLS by their path, whatever is asked of them; 404 for others."""

    def handle(connection: socket.socket) -> None:
        with (
            context.wrap_socket(connection, server_side=True) as tls,
            tls.makefile("rwb") as stream,
        ):
            request = stream.readline().split()
            if not request:
                return
            path, length = request[1].decode(), 0
            while line := stream.readline().strip().lower():
                if line.startswith(b"content-length:"):
                    length = int(line.partition(b":")[2])
            stream.read(length)
            body = served.get(path)
            status = b"404 Not Found" if body is None else b"200 OK"
            stream.write(b"HTTP/1.1 " + status + b"\r\nConnection: close\r\n")
            stream.write(b"Content-Length: %d\r\n\r\n" % len(body or b"") + (body or b""))
            stream.flush()

    return handle


def connect_proxy(port: int, asked: list[bytes] | None = None) -> Handler:
    """Be an HTTP proxy that takes every CONNECT to `port` on loopback, whatever host it names.

    asked: where to put the requests.
    """

    def handle(connection: socket.socket) -> None:
        request = b""
        while not request.endswith(b"\r\n\r\n"):
            request += connection.recv(1)
        if asked is not None:
            asked.append(request)
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with socket.create_connection(("127.0.0.1", port)) as server:
            back = threading.Thread(target=_pump, args=(server, connection), daemon=True)
            back.start()
            _pump(connection, server)
            back.join(60)

    return handle


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def plain_file(content: bytes) -> Handler:
    """Serve one file over HTTP without TLS, whatever the path is."""

    def handle(connection: socket.socket) -> None:
        connection.recv(65536)
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(content)}\r\nConnection: close\r\n\r\n"
        connection.sendall(head.encode() + content)

    return handle
