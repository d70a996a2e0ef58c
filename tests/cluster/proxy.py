"""A proxy before an API server that is slow, cuts, refuses, or answers itself."""

import asyncio
import json
import re
import socket
import ssl
from collections import deque
from collections.abc import Coroutine, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from tests.cluster import pki
from tests.cluster.api import Login
from tests.servers.proxy import TcpProxy

HEAD_LIMIT = 1 << 20

_PAGE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 43\r\n\r\n"
    b"<!DOCTYPE html><html><p>Log in</p></html>\r\n"
)
_UNAUTHORIZED = (
    b"HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\nContent-Length: 58\r\n\r\n"
    b'{"kind":"Status","code":401,"message":"Unauthorized"     }\n'
)


class Request(NamedTuple):
    """A request that came; the path is with its query."""

    method: str
    path: str


class ApiProxy(TcpProxy):
    """Passes requests on, as the user of a kubeconfig; its own `kubeconfig` leads to the proxy.

    TLS ends here, with a certificate of an authority of its own. What the server answers passes
    unread, so that watches and WebSockets are as without it.

    Attributes:
        latency: seconds for which each request waits before it is passed on.
        requests: what came, in this order, whoever answered it.
        unauthorized: a pattern; requests whose method and path it matches are answered with 401.
        dropped: headers that are not passed on, in small letters, as with a gateway that knows no
            WebSockets.
    """

    def __init__(self, kubeconfig: Path, folder: Path) -> None:
        self._login = Login(kubeconfig)
        self._login.context.set_alpn_protocols(["http/1.1"])
        target = urlsplit(self._login.url)
        super().__init__(target.hostname or "", target.port or 443)
        self.kubeconfig = folder / "proxy.kubeconfig"
        self.requests: list[Request] = []
        self.dropped = {"authorization"}  # the proxy has its own
        self.unauthorized: re.Pattern[str] | None = None
        self._answers: deque[bytes] = deque()
        self._open: list[tuple[str, asyncio.StreamWriter, asyncio.StreamWriter]] = []
        self._with_a_page: set[str] = set()
        self._to_lose: list[str] = []
        self._authority = pki.Authority(folder / "pki")
        self._authority.server("proxy", [self.host]).write(folder / "pki", "proxy")
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.load_cert_chain(folder / "pki" / "proxy.crt", folder / "pki" / "proxy.key")

    def __enter__(self) -> "ApiProxy":
        super().__enter__()
        url = f"https://{self.host}:{self.port}"
        token = "none is needed: the proxy is the user"
        pki.write_kubeconfig(self.kubeconfig, url, self._authority.certificate, token)
        return self

    def answer_next(
        self, count: int, status: int, headers: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """Answer the next requests here, with a status and headers (Retry-After, say)."""
        body = json.dumps(
            {
                "kind": "Status",
                "apiVersion": "v1",
                "status": "Failure",
                "reason": "TooManyRequests" if status == 429 else "InternalError",
                "message": "answered by the proxy of the tests",
                "code": status,
            }
        ).encode()
        lines = [f"HTTP/1.1 {status} Told so by a test", "Content-Type: application/json"]
        lines += [f"Content-Length: {len(body)}", *(f"{k}: {v}" for k, v in headers.items())]
        answer = "\r\n".join([*lines, "", ""]).encode() + body
        self._answers.extend([answer] * count)

    def cut_those_of(self, path: str) -> None:
        """Cut the connections of the WebSockets whose path has this in it."""

        def cut() -> None:
            for found, *ends in self._open:
                if path in found:
                    for end in ends:
                        end.transport.abort()

        self._call(cut)

    def answer_with_a_page(self, *protocols: str) -> None:
        """Answer the requests for these protocols with a log-in page, as gateways do."""
        self._with_a_page.update(protocols)

    def lose_answers(self, count: int, method: str) -> None:
        """Pass on the next requests of a method, and cut the connection instead of an answer."""
        self._to_lose.extend([method] * count)

    async def _serve(self, client: socket.socket, server: socket.socket) -> None:
        ends: list[asyncio.StreamWriter] = []
        try:
            await self._flowing[0].wait()
            from_client, to_client = await _accept(client, self._context)
            ends.append(to_client)
            await self._loop.sock_connect(server, self.target)
            from_server, to_server = await asyncio.open_connection(
                sock=server, ssl=self._login.context, server_hostname=self.target[0]
            )
            ends.append(to_server)
            lost = asyncio.Event()
            await _first_of(
                self._pass(from_server, to_client, lost=lost),
                self._pass_requests(from_client, to_client, to_server, lost),
            )
            # What was written last is on its way still.
            to_client.close()
            await asyncio.wait_for(to_client.wait_closed(), 2)
        except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError):
            pass  # one of the ends is gone, and so goes the other
        finally:
            for end in ends:
                end.transport.abort()
            # A handshake that was cut off would keep the number of its socket for half a minute.
            transports = getattr(self._loop, "_transports", {})
            for number in (client.fileno(), server.fileno()):
                if transport := transports.get(number):
                    transport.abort()

    async def _pass_requests(
        self,
        client: asyncio.StreamReader,
        to_client: asyncio.StreamWriter,
        to_server: asyncio.StreamWriter,
        lost: asyncio.Event,
    ) -> None:
        """Read requests one after the other: no client sends one before the last is answered."""
        while True:
            head = await client.readuntil(b"\r\n\r\n")
            first, *lines = head.decode("latin-1").split("\r\n")[:-2]
            method, path, _ = first.split(" ")
            self.requests.append(Request(method, path))
            fields = [(name.lower(), line) for line in lines for name in [line.partition(":")[0]]]
            headers = {name: line.partition(":")[2].strip() for name, line in fields}
            if "transfer-encoding" in headers:
                raise NotImplementedError("this proxy reads bodies of a known length only")
            length = int(headers.get("content-length", 0))
            await asyncio.sleep(self.latency)
            if self.unauthorized and self.unauthorized.search(f"{method} {path}"):
                await client.readexactly(length)
                to_client.write(_UNAUTHORIZED)
                continue
            if headers.get("upgrade", "").lower() in self._with_a_page:
                to_client.write(_PAGE)
                continue
            if self._answers:
                await client.readexactly(length)
                to_client.write(self._answers.popleft())
                continue
            if method in self._to_lose:
                self._to_lose.remove(method)
                lost.set()
            kept = [line for name, line in fields if name not in self.dropped]
            own = [f"{name}: {value}" for name, value in self._login.headers.items()]
            to_server.write("\r\n".join([first, *kept, *own, "", ""]).encode("latin-1"))
            if "upgrade" in headers:
                self._open.append((path, to_client, to_server))
                await self._pass(client, to_server)
                return
            await self._pass(client, to_server, length)

    async def _pass(
        self,
        source: asyncio.StreamReader,
        sink: asyncio.StreamWriter,
        count: int | None = None,
        lost: asyncio.Event | None = None,
    ) -> None:
        """Pass on so many bytes, or all until the end, or until what comes is `lost`."""
        while count is None or count > 0:
            chunk = await source.read(65536 if count is None else min(count, 65536))
            await self._flowing[0].wait()
            if not chunk:
                return
            if lost and lost.is_set():
                raise ConnectionResetError
            sink.write(chunk)
            await sink.drain()
            count = None if count is None else count - len(chunk)


async def _accept(
    client: socket.socket, context: ssl.SSLContext
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(HEAD_LIMIT)
    protocol = asyncio.StreamReaderProtocol(reader)
    transport, _ = await loop.connect_accepted_socket(lambda: protocol, client, ssl=context)
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


async def _first_of(*work: Coroutine[Any, Any, None]) -> None:
    """Return when one has ended, or raise what ended it; the others are cancelled."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in ended:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
