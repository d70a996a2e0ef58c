"""Variables of other names, from which the database's address is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from agtool.core.errors import AgtoolError, UsageError
from agtool.migrate_once.cli.options import DatabaseOptions, _find
from agtool.migrate_once.url import Database


def found(
    monkeypatch: pytest.MonkeyPatch,
    options: DatabaseOptions,
    given: set[str] | None = None,
    **env: str,
) -> Database:
    for name in ("DATABASE_URL", "SQLALCHEMY_DATABASE_URI", "AGTOOL_DATABASE_URL", "PGHOST"):
        monkeypatch.delenv(name, raising=False)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    return _find(options, given or set())


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
    database = found(monkeypatch, options, set(), **env)
    assert (str(database), database.password) == ("mysql://u@db:3307/shop", " p@:/")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (DatabaseOptions(database_url_env="NOSUCH"), "NOSUCH, which --database-url-env names"),
        (DatabaseOptions(engine="mysql", host_env="EMPTY"), "EMPTY, which --host-env names"),
        (DatabaseOptions(engine="mysql", host="a", port_env="DB"), "holds 'secret', not a port"),
    ],
)
def test_what_cannot_be_used(
    monkeypatch: pytest.MonkeyPatch, options: DatabaseOptions, told: str
) -> None:
    with pytest.raises(AgtoolError) as raised:
        found(monkeypatch, options, EMPTY=" ", DB="secret")
    assert told in raised.value.message


def test_agtools_own_variables_do_not_count_beside_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands in the options but not on the command line came from AGTOOL_..."""
    nowhere = Path("/nowhere")
    options = DatabaseOptions(database_url_file=nowhere, database_url_env="FOO")
    env = {"FOO": "mysql://u:p@db/shop", "AGTOOL_DATABASE_URL": "mysql://other/shop"}
    database = found(monkeypatch, options, {"--database-url-env"}, **env)
    assert (str(database), database.renewal) == ("mysql://u@db/shop", None)

    options = DatabaseOptions(
        engine="mysql",
        host="other",
        host_env="FOO",
        password_file=nowhere,
        password_command="nosuch",
        password_env="BAR",
    )
    database = found(monkeypatch, options, {"--host-env"}, FOO="db", BAR="p")
    assert (database.host, database.password, database.renewal) == ("db", "p", None)


@pytest.mark.parametrize(
    ("options", "other"),
    [
        (DatabaseOptions(database_url_env="FOO"), "--database-url"),
        (DatabaseOptions(database_url_env="FOO"), "--database-url-file"),
        (DatabaseOptions(host_env="FOO"), "--host"),
        (DatabaseOptions(password_env="FOO"), "--password-file"),
        (DatabaseOptions(password_env="FOO"), "--password-command"),
    ],
)
def test_another_option_on_the_command_line(
    options: DatabaseOptions, other: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match=f"-env and {other} cannot be given together"):
        found(monkeypatch, options, {other}, FOO="secret")
