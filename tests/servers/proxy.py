"""A TCP proxy on loopback that can stall, reset and refuse connections."""

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")

# l_onoff, l_linger: closing such a socket sends RST and no FIN.
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class TcpProxy:
    """Forwards a free loopback port to a server; one thread, from `with` to its end.

    Frozen connections stay open and their TCP still acknowledges: what stalls is the peer, not the
    network. For packets that vanish see `network.py`.
    """

    def __init__(self, target_host: str, target_port: int) -> None:
        self.target = (target_host, target_port)
        self.host = "127.0.0.1"
        self.port = 0
        # Seconds, for every chunk in each direction.
        self.latency = 0.0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._listening: socket.socket | None = None
        self._connections: dict[asyncio.Task[None], tuple[socket.socket, ...]] = {}
        # By direction: to the server, from it.
        self._flowing = (asyncio.Event(), asyncio.Event())
        self._halves: list[socket.socket] = []
        self._held = 0

    def __enter__(self) -> "TcpProxy":
        self._thread.start()
        self.thaw()
        self.accept()
        return self

    def __exit__(self, *_: object) -> None:
        self.refuse()
        self.cut()
        self.forget()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def connections(self) -> int:
        """Return how many connections are open."""
        return len(self._connections)

    def held(self) -> int:
        """Return how many chunks have come and are not forwarded yet."""
        return self._held

    def freeze(self, *directions: int) -> None:
        """Forward nothing from now on, not even the end of a connection.

        directions: 0, what clients send; 1, what the server answers; none: both.
        """
        for direction in directions or (0, 1):
            self._call(self._flowing[direction].clear)

    def thaw(self) -> None:
        """Forward again, first what was held back."""
        for flowing in self._flowing:
            self._call(flowing.set)

    def halve(self, gone: int) -> None:
        """Reset present connections on one side; the other side hears nothing, until `forget`.

        gone: 0, the clients' side; 1, the server's.
        """
        self._run(self._halve(gone))

    def forget(self) -> None:
        """Reset what `halve` has left, as the end of a keep-alive would."""
        self._call(self._close_halves)

    def cut(self, newest: int | None = None) -> None:
        """Reset every present connection on both sides, at once; or so many, the newest first."""
        self._run(self._cut(newest))

    def refuse(self) -> None:
        """Refuse new connections; present ones go on."""
        self._run(self._stop_listening())

    def accept(self) -> None:
        """Accept new connections again, on the same port."""
        self._run(self._start_listening())

    def _call(self, function: Callable[[], None]) -> None:
        async def call() -> None:
            function()

        self._run(call())

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _start_listening(self) -> None:
        if self._listening is None:
            self._listening = socket.create_server((self.host, self.port), backlog=128)
            self.port = self._listening.getsockname()[1]
            self._loop.add_reader(self._listening, self._welcome, self._listening)

    async def _stop_listening(self) -> None:
        if self._listening is not None:
            self._loop.remove_reader(self._listening)
            self._listening.close()
            self._listening = None

    def _welcome(self, listening: socket.socket) -> None:
        client, server = listening.accept()[0], socket.socket()
        for end in (client, server):
            end.setblocking(False)
            # A small answer must not wait for the acknowledgement of the last.
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        task = self._loop.create_task(self._serve(client, server))
        self._connections[task] = (client, server)
        task.add_done_callback(self._forget)

    def _forget(self, task: "asyncio.Task[None]") -> None:
        for end in self._connections.pop(task, ()):
            end.close()

    async def _serve(self, client: socket.socket, server: socket.socket) -> None:
        try:
            await self._flowing[0].wait()
            await self._loop.sock_connect(server, self.target)
            pumps = [self._pump(client, server, 0), self._pump(server, client, 1)]
            await _until_one_fails(pumps)
        except OSError:
            # One side broke the connection, so the other is to see it broken too.
            for end in (client, server):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)

    async def _pump(self, source: socket.socket, sink: socket.socket, direction: int) -> None:
        while True:
            chunk = await self._loop.sock_recv(source, 65536)
            self._held += 1
            try:
                await asyncio.sleep(self.latency)
                await self._flowing[direction].wait()
            finally:
                self._held -= 1
            if not chunk:
                sink.shutdown(socket.SHUT_WR)
                return
            await self._loop.sock_sendall(sink, chunk)

    async def _cut(self, newest: int | None) -> None:
        tasks = list(self._connections)
        tasks = tasks if newest is None else tasks[-newest:]
        for task in tasks:
            for end in self._connections[task]:
                with suppress(OSError):  # it is closed already
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _halve(self, gone: int) -> None:
        tasks, lost = list(self._connections), list[socket.socket]()
        for task in tasks:
            ends = self._connections.pop(task)
            for end in ends:
                with suppress(OSError):  # it is closed already
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            task.cancel()
            self._halves.append(ends[1 - gone])
            lost.append(ends[gone])
        await asyncio.gather(*tasks, return_exceptions=True)
        for end in lost:
            end.close()

    def _close_halves(self) -> None:
        while self._halves:
            self._halves.pop().close()


async def _until_one_fails(work: list[Coroutine[Any, Any, None]]) -> None:
    """Return when all have ended, or raise what ended one of them, when none waits any more.

    One that waited for a socket that is closed would get what comes on the next of its number.
    """
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
