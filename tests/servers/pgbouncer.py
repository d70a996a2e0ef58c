"""A real PgBouncer in front of a PostgreSQL."""

import signal
from collections.abc import Mapping
from pathlib import Path

import psycopg2

from tests.servers.postgresql import PostgreSQL
from tests.servers.process import Server, ServerProcess, find_program, free_port


class PgBouncer(Server):
    """A PgBouncer on a free loopback port for every database and known role of a server.

    It has PgBouncer's own defaults otherwise: what it refuses in production it refuses here.
    Raises ServerUnavailable when PgBouncer is not installed.
    """

    def __init__(
        self,
        folder: Path,
        server: PostgreSQL,
        *,
        pool_mode: str = "transaction",
        default_pool_size: int = 20,
        max_client_conn: int = 1000,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self._program = find_program("pgbouncer")
        # Debian's package of PgBouncer makes no user of its own and runs as this one.
        self.process = ServerProcess(folder, account="postgres")
        self.server = server
        self.port = free_port()
        self.passwords = server.passwords
        self.settings = {
            "listen_addr": self.host,
            "listen_port": str(self.port),
            "unix_socket_dir": "",
            # The passwords in the file are plain, so PgBouncer can give them to the server as well.
            "auth_type": "scram-sha-256",
            "auth_file": str(folder / "userlist.txt"),
            "pool_mode": pool_mode,
            "default_pool_size": str(default_pool_size),
            "max_client_conn": str(max_client_conn),
            "admin_users": "postgres",
            **(settings or {}),
        }

    def start(self) -> None:
        """Start it with the roles the server has now, and return when it answers."""
        users = [f'"{name}" "{password}"\n' for name, password in self.server.passwords.items()]
        self.process.write(self.process.folder / "userlist.txt", "".join(users))
        lines = [f"{name} = {value}\n" for name, value in self.settings.items()]
        configuration = self.process.write(
            self.process.folder / "pgbouncer.ini",
            f"[databases]\n* = host={self.server.host} port={self.server.port}\n"
            f"[pgbouncer]\n{''.join(lines)}",
        )
        self.process.launch([self._program, configuration], self._ping)

    def stop(self) -> None:
        """Stop it at once, with its clients' connections."""
        # SIGTERM means `at once` before version 1.23 and `when the clients have gone` since, where
        # SIGQUIT is the word for `at once`; an older PgBouncer just dies of it.
        self.process.terminate([signal.SIGQUIT])

    def _ping(self) -> None:
        # The console: a login that takes no connection of the server's.
        psycopg2.connect(self.url("pgbouncer", user="postgres"), connect_timeout=5).close()
