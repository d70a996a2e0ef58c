"""TLS before a server that has none: stunnel."""

import signal
import socket
from pathlib import Path

from tests.servers.process import ServerProcess, find_program, free_port


class Stunnel:
    """A stunnel on a free loopback port, from `with` to its end.

    Raises ServerUnavailable when stunnel is not installed.
    """

    def __init__(self, folder: Path, certificate: Path, key: Path, port: int) -> None:
        self._program = find_program("stunnel4", [Path("/usr/bin")])
        self._process = ServerProcess(folder, account="nobody")
        self._certificate = certificate
        self._key = key
        self._target = port
        self.host = "127.0.0.1"
        self.port = free_port()

    def __enter__(self) -> "Stunnel":
        folder = self._process.folder
        for path in (self._certificate, self._key):
            self._process.give(path)
        settings = (
            "foreground = yes",
            "pid =",
            "[proxy]",
            f"accept = {self.host}:{self.port}",
            f"connect = 127.0.0.1:{self._target}",
            f"cert = {self._certificate}",
            f"key = {self._key}",
        )
        configuration = self._process.write(folder / "stunnel.conf", "\n".join(settings) + "\n")
        self._process.launch([self._program, configuration], self._answers)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate([signal.SIGTERM])

    def _answers(self) -> None:
        socket.create_connection((self.host, self.port), 1).close()
