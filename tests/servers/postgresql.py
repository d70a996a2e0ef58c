"""A real PostgreSQL, and a hot standby of it."""

import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from tests.servers import versions
from tests.servers.process import Server, ServerProcess, find_program, free_port

StopMode = Literal["smart", "fast", "immediate"]
STOP_SIGNALS: Mapping[str, signal.Signals] = {
    "smart": signal.SIGTERM,
    "fast": signal.SIGINT,
    "immediate": signal.SIGQUIT,
}

# Tests restart servers and throw their data away: nothing of it has to survive the machine.
FAST = {"fsync": "off", "full_page_writes": "off"}

# Passwords always, on loopback too, and never a Unix socket: as a server elsewhere would have it.
HBA = """\
host all all 0.0.0.0/0 scram-sha-256
host replication all 0.0.0.0/0 scram-sha-256
"""


def find_postgresql(name: str) -> Path:
    """Return one of PostgreSQL's programs. Debian keeps them off PATH, one folder per version.

    It can be used with the server that the tests use. Raises ServerUnavailable.
    """
    folders = [folder / "bin" for folder in versions.installed_postgresqls()]
    if clients := versions.postgresql_clients():
        folders.insert(0, clients)
    return find_program(name, folders)


class PostgreSQL(Server):
    """A PostgreSQL on a free port, with a superuser, and a role and database both called `app`.

    `listen` is its listen_addresses; `host`, where clients reach it, is the first of them.
    Raises ServerUnavailable when PostgreSQL is not installed.
    """

    def __init__(
        self,
        folder: Path,
        *,
        max_connections: int = 100,
        settings: Mapping[str, str] | None = None,
        listen: str = "127.0.0.1",
    ) -> None:
        programs = versions.postgresql() or find_postgresql("postgres").parent
        self.process = ServerProcess(folder, account="postgres")
        self._programs = self.process.reach(programs, versions.folder())
        self.data = folder / "data"
        self.listen = listen
        self.host = "127.0.0.1" if listen == "*" else listen.partition(",")[0]
        self.port = free_port()
        # A space and an @ show at once who does not quote.
        self.passwords = {"postgres": "super @ secret"}
        self.settings = {**FAST, "max_connections": str(max_connections), **(settings or {})}
        self.environment: dict[str, str] = {}
        self.hba = HBA
        self._standbys: list[PostgreSQL] = []

    def __exit__(self, *_: object) -> None:
        for standby in self._standbys:
            standby.stop("immediate")
        self.stop("immediate")

    def start(self) -> None:
        """Start it and return when it answers; the first start makes the data.

        Raises ServerFailed.
        """
        new = not self.data.exists()
        if new:
            self._initialize()
        settings = {
            **self.settings,
            "port": str(self.port),
            "listen_addresses": self.listen,
            "unix_socket_directories": "",
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        self.process.launch(
            [self._programs / "postgres", "-D", self.data, *options],
            self._ping,
            env=self.environment,
        )
        if new:
            self.create_role("app", "app @ secret")
            self.create_database("app", owner="app")

    def stop(self, mode: StopMode = "fast") -> None:
        """Stop it: `fast` disconnects clients in order, `immediate` is a crash with recovery."""
        self.process.terminate([STOP_SIGNALS[mode], signal.SIGQUIT])

    def restart(self, mode: StopMode = "fast") -> None:
        """Stop and start it, on the same port."""
        self.stop(mode)
        self.start()

    @property
    def version(self) -> int:
        """Its major version, as it says itself."""
        connection = self.connect()
        try:
            return connection.server_version // 10000
        finally:
            connection.close()

    def connect(self, database: str = "postgres", *, autocommit: bool = True) -> Connection:
        """Return a new connection as superuser."""
        connection = psycopg2.connect(self.url(database, user="postgres"), connect_timeout=5)
        connection.autocommit = autocommit
        return connection

    def execute(self, statement: str | sql.Composable, database: str = "postgres") -> None:
        """Run one statement as superuser, outside a transaction."""
        connection = self.connect(database)
        try:
            connection.cursor().execute(statement)
        finally:
            connection.close()

    def create_database(self, name: str, *, owner: str = "postgres") -> None:
        """Create a database."""
        self.execute(
            sql.SQL("CREATE DATABASE {} OWNER {}").format(
                sql.Identifier(name), sql.Identifier(owner)
            )
        )

    def create_role(self, name: str, password: str, attributes: str = "") -> None:
        """Create a role that can log in; attributes are SQL, as `CREATEDB CONNECTION LIMIT 3`."""
        self.execute(
            sql.SQL("CREATE ROLE {} LOGIN PASSWORD {} {}").format(
                sql.Identifier(name), sql.Literal(password), sql.SQL(attributes)
            )
        )
        self.passwords[name] = password

    def standby(self) -> "PostgreSQL":
        """Return a running hot standby. It ends with this server, or earlier in a `with`."""
        folder = self.process.folder / f"standby-{len(self._standbys) + 1}"
        standby = PostgreSQL(folder, settings=self.settings, listen=self.listen)
        standby.passwords = self.passwords
        standby.process.run(
            standby.process.reach(find_postgresql("pg_basebackup"), versions.folder()),
            *("--pgdata", standby.data, "--write-recovery-conf", "--no-sync"),
            *("--checkpoint", "fast", "--wal-method", "stream"),
            *("--dbname", self.url("postgres", user="postgres")),
        )
        # A newer pg_basebackup writes options that the server's own library may not know.
        standby.settings["primary_conninfo"] = self.url("postgres", user="postgres")
        standby.environment = self.environment
        standby.start()
        self._standbys.append(standby)
        return standby

    def _ping(self) -> None:
        self.connect().close()

    def _initialize(self) -> None:
        password = self.process.write(self.process.folder / "password", self.passwords["postgres"])
        self.process.run(
            self._programs / "initdb",
            *("--pgdata", self.data, "--username", "postgres", "--pwfile", password),
            *("--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C"),
            "--no-sync",
        )
        password.unlink()
        self.process.write(self.data / "pg_hba.conf", self.hba)
