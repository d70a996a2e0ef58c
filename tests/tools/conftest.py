"""Fixtures for tests of tools: a database of each engine, and the stage of a scenario in it."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.conftest import needed
from tests.e2e.conftest import Agtool, agtool
from tests.servers.mariadb import MariaDB
from tests.servers.postgresql import PostgreSQL
from tests.tools.scenario import Tool
from tests.tools.stage import PATIENCE, Stage
from tests.tools.target import MySQLTarget, PostgreSQLTarget, Target

__all__ = ["agtool"]

_numbers = itertools.count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each of these tests the time that a start, a killed run and another start may take."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(3 * PATIENCE))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what needs a database on every engine of the tool."""
    if "engine" in metafunc.fixturenames:
        engines = metafunc.cls.engines
        metafunc.parametrize("engine", engines)


@pytest.fixture
def new_target(
    engine: str, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Callable[[], Target]]:
    """Give a function that makes a database, whose role owns it; all go after the test."""
    server: PostgreSQL | MariaDB = request.getfixturevalue(
        "postgresql" if engine == "postgresql" else "mariadb"
    )
    with ExitStack() as made:
        yield lambda: made.enter_context(_target(server, tmp_path))


@contextmanager
def _target(server: PostgreSQL | MariaDB, folder: Path) -> Iterator[Target]:
    name = f"shop_{next(_numbers)}"
    server.create_role(name, f"{name} @ secret")
    server.create_database(name, owner=name)
    try:
        if isinstance(server, PostgreSQL):
            yield PostgreSQLTarget(server, name, name)
        else:
            yield MySQLTarget(server, name, name, folder)
    finally:
        if isinstance(server, PostgreSQL):
            server.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            server.execute(f"DROP ROLE {name}")
        else:
            server.execute(f"DROP DATABASE IF EXISTS {name}")
            server.execute(f"DROP USER {name}@'%%'")


@pytest.fixture
def target(new_target: Callable[[], Target]) -> Target:
    """Give a new database."""
    return new_target()


@pytest.fixture
def stage(request: pytest.FixtureRequest, target: Target, agtool: Agtool, tmp_path: Path) -> Stage:
    """Give the stage of the tool whose test this is."""
    tool: Tool = request.instance
    with needed():
        made = Stage(tool.tool, target, agtool, tmp_path, tool.secret(target))
    tool.prepare(made)
    return made
