"""Fixtures for tests that use real servers; the servers themselves are in tests/servers."""

import itertools
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from hypothesis import HealthCheck, settings
from psycopg2.extensions import connection as Connection

from tests.programs import end_in_order
from tests.servers import versions
from tests.servers.mariadb import MariaDB
from tests.servers.mysql import new_mariadb
from tests.servers.network import NetworkNamespace
from tests.servers.pgbouncer import PgBouncer
from tests.servers.postgresql import PostgreSQL
from tests.servers.process import ServerUnavailable, server_folder

pytest_plugins = ["tests.cluster.fixtures"]

# Hypothesis takes a machine that is busy for a test that is slow.
settings.register_profile("agtool", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("agtool")

# agtool leaves alone what was ignored when it started, as after nohup or in a shell's background
# job, which our own run may be.
for _number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
    if signal.getsignal(_number) is signal.SIG_IGN:
        # Python's own for Ctrl-C, so that pytest still ends in order; a child gets the default.
        orderly = signal.default_int_handler if _number == signal.SIGINT else signal.SIG_DFL
        signal.signal(_number, orderly)
end_in_order()

_numbers = itertools.count(1)


@contextmanager
def needed() -> Iterator[None]:
    """Skip a test for want of a server, with the reason; fail where CI is set."""
    try:
        yield
    except ServerUnavailable as error:
        if os.environ.get("CI"):
            pytest.fail(str(error), pytrace=False)
        pytest.skip(str(error))


def announce(config: pytest.Config, what: str) -> None:
    """Say what the person at the terminal now waits for."""
    with config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print(f"[starting {what} ...] ", end="", flush=True)  # noqa: T201 - meant for the terminal


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark what uses a cluster: each process of the tests has its own, and there are two."""
    if {"cluster", "control_plane", "scheduling"} & set(getattr(item, "fixturenames", ())):
        item.add_marker(pytest.mark.kubernetes)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Give a temporary folder in which servers can run."""
    with server_folder() as path:
        yield path


@pytest.fixture(scope="session")
def postgresql(pytestconfig: pytest.Config) -> Iterator[PostgreSQL]:
    """Give the PostgreSQL that all tests share: none may stop it or change its settings."""
    announce(pytestconfig, f"PostgreSQL {os.environ.get(versions.POSTGRESQL, '')}".rstrip())
    with server_folder() as folder, needed(), PostgreSQL(folder) as server:
        yield server


@pytest.fixture(scope="session")
def mariadb(pytestconfig: pytest.Config) -> Iterator[MariaDB]:
    """Give the MariaDB that all tests share: none may stop it or change its settings.

    Where AGTOOL_TEST_MYSQL names a MySQL, that takes its place.
    """
    announce(
        pytestconfig, f"MySQL {named}" if (named := os.environ.get(versions.MYSQL)) else "MariaDB"
    )
    with server_folder() as folder, needed(), new_mariadb(folder) as server:
        yield server


@dataclass(frozen=True)
class Database:
    """A database of one test, and the role that owns it (and has its name)."""

    server: PostgreSQL
    name: str

    @property
    def url(self) -> str:
        """Its URL, as its owner."""
        return self.server.url(self.name, user=self.name)

    def inhabit(self) -> None:
        """Give it a table, since agtool keeps its own out of an empty database."""
        self.server.execute("CREATE TABLE inhabited (n int)", self.name)
        self.server.execute(f"ALTER TABLE inhabited OWNER TO {self.name}", self.name)

    def connect(self, *, autocommit: bool = True) -> Connection:
        """Return a new connection as its owner."""
        connection = psycopg2.connect(self.url, connect_timeout=5)
        connection.autocommit = autocommit
        return connection


@pytest.fixture
def database(postgresql: PostgreSQL) -> Iterator[Database]:
    """Give a new database in the shared PostgreSQL, dropped after the test."""
    name = f"test_{next(_numbers)}"
    postgresql.create_role(name, f"{name} @ secret")
    postgresql.create_database(name, owner=name)
    yield Database(postgresql, name)
    postgresql.execute(f"DROP DATABASE {name} WITH (FORCE)")
    postgresql.execute(f"DROP ROLE {name}")


@dataclass(frozen=True)
class MariaDBDatabase:
    """A database of one test, and the user that has all rights on it (and its name)."""

    server: MariaDB
    name: str

    @property
    def url(self) -> str:
        """Its URL, as its user."""
        return self.server.url(self.name, user=self.name)

    def inhabit(self) -> None:
        """Give it a table, since agtool keeps its own out of an empty database."""
        self.server.execute(f"CREATE TABLE {self.name}.inhabited (n int)")

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return what a query gives, asked as superuser in this database."""
        with self.server.connect(self.name) as connection, connection.cursor() as cursor:
            cursor.execute(query)
            return list(cursor.fetchall())


@pytest.fixture
def mariadb_database(mariadb: MariaDB) -> Iterator[MariaDBDatabase]:
    """Give a new database in the shared MariaDB, dropped after the test."""
    name = f"test_{next(_numbers)}"
    mariadb.create_role(name, f"{name} @ secret")
    mariadb.create_database(name, owner=name)
    yield MariaDBDatabase(mariadb, name)
    mariadb.execute(f"DROP DATABASE {name}")
    mariadb.execute(f"DROP USER {name}@'%%'")


@pytest.fixture
def pgbouncer(postgresql: PostgreSQL) -> Iterator[Callable[..., PgBouncer]]:
    """Give a function that starts a PgBouncer before the shared PostgreSQL, until the test's end.

    It takes the options of `PgBouncer` and knows the roles that exist when it is called.
    """
    with ExitStack() as running:

        def start(**options: Any) -> PgBouncer:
            with needed():
                folder = running.enter_context(server_folder())
                bouncer = PgBouncer(folder, postgresql, **options)
                return running.enter_context(bouncer)

        yield start


@pytest.fixture
def network_namespace() -> Iterator[NetworkNamespace]:
    """Give a second host, which can be cut off."""
    with needed(), NetworkNamespace() as namespace:
        yield namespace
