"""Variables of other names, from which the database's address is read."""

from __future__ import annotations

import pytest

from agtool.core.errors import AgtoolError
from agtool.migrate_once.cli.options import DatabaseOptions, _find
from agtool.migrate_once.url import Database


def found(monkeypatch: pytest.MonkeyPatch, options: DatabaseOptions, **env: str) -> Database:
    for name in ("DATABASE_URL", "SQLALCHEMY_DATABASE_URI", "AGTOOL_DATABASE_URL", "PGHOST"):
        monkeypatch.delenv(name, raising=False)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    return _find(options, set())


def test_the_url(monkeypatch: pytest.MonkeyPatch) -> None:
    options = DatabaseOptions(database_url_env="DSN")
    database = found(monkeypatch, options, DSN="mysql://u:p@db/shop\n", DATABASE_URL="sqlite:///x")
    assert (str(database), database.password) == ("mysql://u@db/shop", "p")


def test_the_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    options = DatabaseOptions(
        engine="mysql",
        host_env="DB_HOST",
        port_env="DB_PORT",
        user_env="DB_USERNAME",
        password_env="DB_PASSWORD",
        database="shop",
    )
    env = {"DB_HOST": "db", "DB_PORT": "3307", "DB_USERNAME": "u", "DB_PASSWORD": " p@:/"}
    database = found(monkeypatch, options, **env)
    assert (str(database), database.password) == ("mysql://u@db:3307/shop", " p@:/")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (DatabaseOptions(database_url_env="NOSUCH"), "NOSUCH, which --database-url-env names"),
        (DatabaseOptions(engine="mysql", host_env="EMPTY"), "EMPTY, which --host-env names"),
        (DatabaseOptions(engine="mysql", host="a", host_env="DB"), "--host-env and --host cannot"),
        (DatabaseOptions(database_url="a", database_url_env="DB"), "cannot be given together"),
        (DatabaseOptions(engine="mysql", host="a", port_env="DB"), "holds 'secret', not a port"),
    ],
)
def test_what_cannot_be_used(
    monkeypatch: pytest.MonkeyPatch, options: DatabaseOptions, told: str
) -> None:
    with pytest.raises(AgtoolError) as raised:
        found(monkeypatch, options, EMPTY=" ", DB="secret")
    assert told in raised.value.message
