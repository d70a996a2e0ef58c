"""A real SOCKS5 proxy that wants a log-in: microsocks."""

import signal
import socket
from pathlib import Path

from tests.servers.process import ServerProcess, find_program, free_port


class Microsocks:
    """A microsocks on a free loopback port, from `with` to its end.

    Raises ServerUnavailable when microsocks is not installed.
    """

    def __init__(self, folder: Path, user: str, password: str) -> None:
        self._program = find_program("microsocks")
        self._process = ServerProcess(folder, account="nobody")
        self._login = (user, password)
        self.host = "127.0.0.1"
        self.port = free_port()

    def __enter__(self) -> "Microsocks":
        user, password = self._login
        argv: list[str | Path] = [
            self._program,
            "-i",
            self.host,
            "-p",
            str(self.port),
            "-u",
            user,
            "-P",
            password,
        ]
        self._process.launch(argv, self._answers)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate([signal.SIGTERM])

    def asked_for(self) -> list[str]:
        """The names or addresses, each with its port, to which connections were asked for."""
        lines = self._process.log.read_text().splitlines()
        return [line.rpartition("connected to ")[2] for line in lines if "connected to " in line]

    def _answers(self) -> None:
        socket.create_connection((self.host, self.port), 1).close()
