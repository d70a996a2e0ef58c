"""The database that a tool works on, as its administrator sees it, and the gate in it.

The last release of every tool has a statement that waits at the gate, however long the test keeps
it closed: the long statement in the middle of which a replica is killed. What is killed and what
comes after it meet on the server, where a statement that was left behind would do its work too.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, ClassVar

import psycopg2

from tests.servers.mariadb import MariaDB
from tests.servers.postgresql import PostgreSQL, find_postgresql
from tests.servers.process import Server, find_program

_GATE = 4711


class Target(ABC):
    """A database of one test. Its role owns it and has its name.

    Attributes:
        engine: postgresql or mysql.
        statements: SQL that stands for @NAME@ in the files of a project: `index` and `late`.
        server: where it is.
        name: of the database and of its role.
        password: the role's.
    """

    engine: ClassVar[str]
    statements: ClassVar[Mapping[str, str]]

    def __init__(self, server: Server, name: str, role: str) -> None:
        self.server = server
        self.name = name
        self.role = role
        self.password = server.passwords[role]

    @property
    def url(self) -> str:
        """Its URL, as its owner, in SQLAlchemy's form."""
        return self.server.url(self.name, user=self.role)

    @abstractmethod
    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return what a query gives, asked as superuser in this database."""

    @abstractmethod
    def execute(self, statement: str) -> None:
        """Run a statement as superuser in this database."""

    @abstractmethod
    def tables(self) -> set[str]:
        """Its tables, without agtool's and the server's own."""

    @abstractmethod
    def indexes(self) -> set[str]:
        """The indexes of its tables that can be used."""

    @abstractmethod
    def agtools_tables(self) -> set[str]:
        """The tables that agtool has in it."""

    @abstractmethod
    def noted_sessions(self) -> set[str]:
        """The sessions of commands that agtool has noted, of runs that have not ended."""

    @abstractmethod
    def drop_tables(self) -> None:
        """Drop all its tables but agtool's."""

    @abstractmethod
    def closed(self) -> AbstractContextManager[Callable[[], None]]:
        """Close the gate, until the function that this gives is called, or the context's end."""

    @abstractmethod
    def at_the_gate(self) -> set[int]:
        """The sessions whose statement waits at the gate."""

    @abstractmethod
    def clients(self) -> dict[str, str]:
        """What the environment of `dump` and `load` has to have."""

    @abstractmethod
    def dump(self) -> list[str]:
        """The command that dumps it to stdout, all that is in it."""

    @abstractmethod
    def load(self) -> list[str]:
        """The command that loads such a dump from stdin, and stops at the first error."""


class PostgreSQLTarget(Target):
    """A database of a PostgreSQL."""

    engine = "postgresql"
    statements: ClassVar[Mapping[str, str]] = {
        "index": "CREATE INDEX CONCURRENTLY customers_name ON customers (name)",
        "late": "CREATE TABLE late AS SELECT 1 AS one "
        f"WHERE pg_advisory_xact_lock({_GATE})::text = ''",
    }
    server: PostgreSQL

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with self._connection() as connection, connection.cursor() as cursor:
            cursor.execute(query)
            return list(cursor.fetchall())

    def execute(self, statement: str) -> None:
        with self._connection() as connection, connection.cursor() as cursor:
            cursor.execute(statement)

    def tables(self) -> set[str]:
        schemas = "('agtool', 'pg_catalog', 'information_schema')"
        found = self.rows(f"SELECT tablename FROM pg_tables WHERE schemaname NOT IN {schemas}")
        return {name for (name,) in found}

    def agtools_tables(self) -> set[str]:
        found = self.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'agtool'")
        return {name for (name,) in found}

    def noted_sessions(self) -> set[str]:
        found = self.rows("SELECT sessions FROM agtool.install_locks_runs WHERE state = 'running'")
        return {sessions for (sessions,) in found if sessions}

    def drop_tables(self) -> None:
        self.execute(
            "DROP SCHEMA public CASCADE; CREATE SCHEMA public; "
            f"GRANT ALL ON SCHEMA public TO {self.role}"
        )

    def indexes(self) -> set[str]:
        found = self.rows(
            "SELECT relname FROM pg_index JOIN pg_class ON indexrelid = oid "
            "WHERE indisvalid AND relnamespace = 'public'::regnamespace"
        )
        return {name for (name,) in found}

    @contextmanager
    def closed(self) -> Iterator[Callable[[], None]]:
        with self._connection() as connection, connection.cursor() as cursor:
            cursor.execute(f"SELECT pg_advisory_lock({_GATE})")
            yield lambda: cursor.execute("SELECT pg_advisory_unlock_all()")

    def at_the_gate(self) -> set[int]:
        found = self.rows(
            "SELECT pid FROM pg_locks JOIN pg_database d ON d.oid = database "
            f"WHERE locktype = 'advisory' AND objid = {_GATE} AND NOT granted "
            "AND d.datname = current_database()"
        )
        return {pid for (pid,) in found}

    def clients(self) -> dict[str, str]:
        return {
            "PGHOST": self.server.host,
            "PGPORT": str(self.server.port),
            "PGUSER": self.role,
            "PGPASSWORD": self.password,
            "PGDATABASE": self.name,
        }

    def dump(self) -> list[str]:
        return [str(find_postgresql("pg_dump")), "--no-owner"]

    def load(self) -> list[str]:
        return [str(find_postgresql("psql")), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"]

    @contextmanager
    def _connection(self) -> Iterator[psycopg2.extensions.connection]:
        connection = self.server.connect(self.name)
        try:
            yield connection
        finally:
            connection.close()


class MySQLTarget(Target):
    """A database of a MariaDB, or of the MySQL that takes its place.

    The gate is a table of another database. To wait for it is no function that would look by itself
    whether its client is still there.
    """

    engine = "mysql"
    statements: ClassVar[Mapping[str, str]] = {
        "index": "CREATE INDEX customers_name ON customers (name)",
        "late": "CREATE TABLE late AS SELECT one FROM gate.gate",
    }
    server: MariaDB

    def __init__(self, server: MariaDB, name: str, role: str, folder: Path) -> None:
        super().__init__(server, name, role)
        self._folder = folder
        server.execute("CREATE DATABASE IF NOT EXISTS gate")
        server.execute("CREATE TABLE IF NOT EXISTS gate.gate (one int)")
        server.execute(
            "INSERT INTO gate.gate SELECT 1 FROM dual WHERE NOT EXISTS (SELECT 1 FROM gate.gate)"
        )
        server.execute("GRANT SELECT ON gate.gate TO %s@'%%'", role)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with self.server.connect(self.name) as connection, connection.cursor() as cursor:
            cursor.execute(query)
            return list(cursor.fetchall())

    def execute(self, statement: str) -> None:
        with self.server.connect(self.name) as connection, connection.cursor() as cursor:
            cursor.execute(statement)

    def tables(self) -> set[str]:
        return self._all_tables() - self.agtools_tables()

    def agtools_tables(self) -> set[str]:
        return {name for name in self._all_tables() if name.startswith("agtool_")}

    def noted_sessions(self) -> set[str]:
        found = self.rows("SELECT sessions FROM agtool_install_locks_runs WHERE state = 'running'")
        return {sessions for (sessions,) in found if sessions}

    def drop_tables(self) -> None:
        for table in self.tables():
            self.execute(f"DROP TABLE `{table}`")

    def indexes(self) -> set[str]:
        found = self.rows(
            "SELECT index_name FROM information_schema.statistics WHERE table_schema = database()"
        )
        return {name for (name,) in found}

    @contextmanager
    def closed(self) -> Iterator[Callable[[], None]]:
        with self.server.connect("gate") as connection, connection.cursor() as cursor:
            cursor.execute("LOCK TABLES gate.gate WRITE")

            def open_it() -> None:
                cursor.execute("UNLOCK TABLES")

            yield open_it

    def at_the_gate(self) -> set[int]:
        found = self.rows(
            "SELECT id FROM information_schema.processlist "
            f"WHERE db = '{self.name}' AND state LIKE '%metadata lock%' AND info LIKE '%gate.gate%'"
        )
        return {number for (number,) in found}

    def clients(self) -> dict[str, str]:
        return {}

    def dump(self) -> list[str]:
        return [str(self.server.dump()), f"--defaults-file={self._options()}", self.name]

    def load(self) -> list[str]:
        return [str(find_program("mariadb")), f"--defaults-file={self._options()}", self.name]

    def _all_tables(self) -> set[str]:
        found = self.rows(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = database()"
        )
        return {name for (name,) in found}

    def _options(self) -> Path:
        """A file, since a password among the arguments would be read by everybody."""
        path = self._folder / f"{self.name}.cnf"
        path.touch(mode=0o600)
        path.write_text(
            f"[client]\nhost={self.server.host}\nport={self.server.port}\nprotocol=tcp\n"
            f'user={self.role}\npassword="{self.password}"\n'
        )
        return path
