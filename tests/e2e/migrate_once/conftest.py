"""Fixtures for tests that hold on every server."""

from pathlib import Path

import pytest

from tests.conftest import Database, MariaDBDatabase
from tests.e2e.migrate_once.shop import Shop


@pytest.fixture(params=["database", "mariadb_database"], ids=["postgresql", "mysql"])
def shop(request: pytest.FixtureRequest) -> Shop:
    """Give a new database on PostgreSQL, and on MariaDB or MySQL."""
    return Shop(request.getfixturevalue(request.param))


@pytest.fixture(params=["postgresql", "mysql", "sqlite"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the URL of a new database of each engine."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/app.db"
    if request.param == "mysql":
        mariadb: MariaDBDatabase = request.getfixturevalue("mariadb_database")
        return mariadb.url
    database: Database = request.getfixturevalue("database")
    return database.url
