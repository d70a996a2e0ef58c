"""A real HTTP proxy that wants a log-in: Tinyproxy."""

import signal
import socket
from pathlib import Path

from tests.servers.process import ServerProcess, find_program, free_port


class Tinyproxy:
    """A Tinyproxy on a free loopback port, from `with` to its end.

    Attributes:
        patience: seconds without a byte after which it drops a connection.

    Raises ServerUnavailable when Tinyproxy is not installed.
    """

    def __init__(self, folder: Path, user: str, password: str) -> None:
        self._program = find_program("tinyproxy")
        self._process = ServerProcess(folder, account="nobody")
        self._login = f"{user} {password}"
        self.host = "127.0.0.1"
        self.port = free_port()
        self.patience = 8

    def __enter__(self) -> "Tinyproxy":
        settings = (
            f"Listen {self.host}",
            f"Port {self.port}",
            f"BasicAuth {self._login}",
            f"Timeout {self.patience}",
            "LogLevel Connect",
        )
        folder = self._process.folder
        configuration = self._process.write(folder / "tinyproxy.conf", "\n".join(settings) + "\n")
        self._process.launch([self._program, "-d", "-c", configuration], self._answers)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate([signal.SIGTERM])

    def tunnels(self) -> int:
        """How many requests for a tunnel came, refused ones too."""
        return self._process.log.read_text().count("CONNECT ")

    def _answers(self) -> None:
        socket.create_connection((self.host, self.port), 1).close()
