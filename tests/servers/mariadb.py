"""A real MariaDB."""

import signal
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pymysql

from tests.servers.process import Server, ServerProcess, find_program, free_port

if TYPE_CHECKING:
    from pymysql.connections import Connection


class MariaDB(Server):
    """A MariaDB on a free loopback port, with a superuser `admin`, a user and a database `app`.

    Raises ServerUnavailable when MariaDB is not installed.
    """

    scheme = "mysql+pymysql"
    is_mariadb = True
    # Data that need not survive the machine, as for PostgreSQL.
    fast: Mapping[str, str] = {
        "innodb_flush_log_at_trx_commit": "0",
        "innodb_log_file_size": "8M",
        "sync_binlog": "0",
    }

    def __init__(self, folder: Path, *, settings: Mapping[str, str] | None = None) -> None:
        self.process = ServerProcess(folder, account="mysql")
        self._program = self._find()
        self.data = folder / "data"
        self.port = free_port()
        self.passwords = {"admin": "super @ secret"}
        self.settings = {**self.fast, **(settings or {})}

    def start(self) -> None:
        """Start it and return when it answers; the first start makes the data.

        Raises ServerFailed.
        """
        new = not self.data.exists()
        if new:
            self._initialize()
        # A fresh server lets nobody in over TCP; it runs this file before it listens.
        admin = self.process.write(
            self.process.folder / "admin.sql",
            "CREATE USER IF NOT EXISTS 'admin'@'%' "
            f"IDENTIFIED BY '{self.passwords['admin']}';\n"
            "GRANT ALL ON *.* TO 'admin'@'%' WITH GRANT OPTION;\n",
        )
        settings = {
            **self.settings,
            "datadir": str(self.data),
            # Of its own: a MariaDB that starts removes what others have in theirs.
            "tmpdir": str(self.process.folder),
            "bind_address": self.host,
            "port": str(self.port),
            "socket": str(self.process.folder / "socket"),
            "pid_file": str(self.process.folder / "pid"),
            "init_file": str(admin),
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        self.process.launch([*self._program, "--skip-name-resolve", *options], self._ping)
        if new:
            self.create_role("app", "app @ secret")
            self.create_database("app", owner="app")

    def stop(self) -> None:
        """Stop it in order."""
        self.process.terminate([signal.SIGTERM])

    def connect(self, database: str = "mysql", *, autocommit: bool = True) -> "Connection[Any]":
        """Return a new connection as superuser."""
        return pymysql.connect(
            host=self.host,
            port=self.port,
            user="admin",
            password=self.passwords["admin"],
            database=database,
            autocommit=autocommit,
            connect_timeout=5,
        )

    def execute(self, statement: str, *values: str) -> None:
        """Run one statement as superuser."""
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute(statement, values)

    def create_database(self, name: str, *, owner: str = "admin") -> None:
        """Create a database, with all rights on it for a user."""
        self.execute(f"CREATE DATABASE `{name}`")
        self.execute(f"GRANT ALL ON `{name}`.* TO %s@'%%'", owner)

    def create_role(self, name: str, password: str, attributes: str = "") -> None:
        """Create a user that can log in; attributes are SQL, as `WITH MAX_USER_CONNECTIONS 3`."""
        self.execute(f"CREATE USER %s@'%%' IDENTIFIED BY %s {attributes}", name, password)
        self.passwords[name] = password

    def dump(self) -> Path:
        """The program that dumps it. Raises ServerUnavailable."""
        return find_program("mariadb-dump")

    def _find(self) -> list[str | Path]:
        """The server, and the options that it always has. Raises ServerUnavailable."""
        return [find_program("mariadbd"), "--no-defaults"]

    def _initialize(self) -> None:
        self.process.run(
            find_program("mariadb-install-db"),
            *("--no-defaults", f"--datadir={self.data}", "--skip-test-db"),
            *("--auth-root-authentication-method=normal", "--skip-name-resolve"),
            f"--tmpdir={self.process.folder}",
        )

    def _ping(self) -> None:
        self.connect().close()
