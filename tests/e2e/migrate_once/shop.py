"""A database of one test on either kind of server, and commands that work in it."""

import json
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conftest import Database, MariaDBDatabase
from tests.e2e.conftest import Done

# Connects by the URL of a driver and runs statements. Arguments: kind, parameters as JSON, SQL ...
_CLIENT = """
import importlib, json, sys
kind, parameters, *statements = sys.argv[1:]
connection = importlib.import_module(kind).connect(**json.loads(parameters))
connection.autocommit = True if kind == "psycopg2" else connection.autocommit(True)
cursor = connection.cursor()
for statement in statements:
    cursor.execute(statement)
    if cursor.description:
        for row in cursor.fetchall():
            print(*row, sep="|", flush=True)
"""


@dataclass(frozen=True)
class Shop:
    """A database, whose owner has its name; and what differs between the servers."""

    database: Database | MariaDBDatabase

    @property
    def on_postgresql(self) -> bool:
        """Whether the server is PostgreSQL, not MariaDB or MySQL."""
        return isinstance(self.database, Database)

    @property
    def name(self) -> str:
        """Its name, and its owner's."""
        return self.database.name

    @property
    def url(self) -> str:
        """For agtool."""
        return self.database.url

    @property
    def port(self) -> int:
        """The server's, on loopback."""
        return self.database.server.port

    @property
    def runs(self) -> str:
        """The table in which the runs are recorded."""
        return "agtool.install_locks_runs" if self.on_postgresql else "agtool_install_locks_runs"

    @property
    def has_sign(self) -> bool:
        """Whether the server has a place for a sign of a run, while it is empty; MySQL has none."""
        return not isinstance(self.database, MariaDBDatabase) or self.database.server.is_mariadb

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What a query gives, asked as superuser in this database."""
        if isinstance(self.database, MariaDBDatabase):
            return self.database.rows(query)
        with closing(self.database.server.connect(self.name)) as connection:
            cursor = connection.cursor()
            cursor.execute(query)
            return cursor.fetchall() if cursor.description else []

    def command(self, *statements: str, port: int | None = None) -> list[str]:
        """A command that runs these statements as the owner, and prints the rows of queries."""
        parameters = {
            "host": "127.0.0.1",
            "port": port or self.port,
            "user": self.name,
            "password": self.database.server.passwords[self.name],
            "dbname" if self.on_postgresql else "database": self.name,
        }
        kind = "psycopg2" if self.on_postgresql else "pymysql"
        return [sys.executable, "-c", _CLIENT, kind, json.dumps(parameters), *statements]

    def inhabit(self) -> None:
        """Give it a table, since agtool keeps its own out of an empty database."""
        self.database.inhabit()

    def empty(self) -> None:
        """Drop its tables, but agtool's."""
        if self.on_postgresql:
            self.rows(
                "DROP SCHEMA public CASCADE; CREATE SCHEMA public; "
                f"GRANT ALL ON SCHEMA public TO {self.name}"
            )
            return
        query = "SELECT table_name FROM information_schema.tables WHERE table_schema = database()"
        for (table,) in self.rows(query):
            if not table.endswith("_runs"):
                self.rows(f"DROP TABLE `{table}`")


def result(path: Path) -> dict[str, Any]:
    """The data of a result file."""
    data: dict[str, Any] = json.loads(path.read_text())["data"]
    return data


def once(*command: str, key: str = "k", options: Sequence[str | Path] = ()) -> list[str | Path]:
    """The arguments that run a command for a key."""
    return ["migrate-once", "--key", key, *options, "--", *command]


def ran(done: Done) -> bool:
    """Whether `echo ran` was run, by a run that ended with 0."""
    assert done.exit_code == 0, done.stderr
    return done.stdout == "ran\n"
