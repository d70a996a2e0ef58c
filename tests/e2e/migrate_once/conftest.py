"""Fixtures for tests that hold on every server."""

import pytest

from tests.e2e.migrate_once.shop import Shop


@pytest.fixture(params=["database", "mariadb_database"], ids=["postgresql", "mysql"])
def shop(request: pytest.FixtureRequest) -> Shop:
    """Give a new database on PostgreSQL, and on MariaDB or MySQL."""
    return Shop(request.getfixturevalue(request.param))
