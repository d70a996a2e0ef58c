"""The forms of .NET (ADO.NET) and of PHP's PDO: keywords between semicolons."""

from __future__ import annotations

import re
from collections.abc import Mapping

from agtool.core.errors import ConfigurationError
from agtool.migrate_once.url.database import Database, is_port, unreadable
from agtool.migrate_once.url.parts import with_parts
from agtool.migrate_once.url.values import normal

# https://learn.microsoft.com/dotnet/framework/data/adonet/connection-string-syntax
_PAIR = re.compile(
    r"\s*(?P<name>[^=;]+?)\s*=\s*"
    r"(?:\"(?P<double>(?:[^\"]|\"\")*)\"|'(?P<single>(?:[^']|'')*)'|(?P<plain>(?![\"'])[^;]*?))\s*(?:;|$)",
    re.DOTALL,
)

_FIRST = re.compile(r"\s*(?P<name>[^=;:/@]+?)\s*=(?P<value>[^;]*);")

# Not Go's form of an account called mysql.
_PDO = re.compile(
    r"(?P<kind>mysql|pgsql):\s*"
    r"(?P<rest>(?:host|port|dbname|unix_socket|charset|user|password|sslmode)=.*)",
    re.DOTALL,
)

_PLACES = ("host", "server", "datasource", "address", "addr", "networkaddress")

_NAMES = {
    **dict.fromkeys(_PLACES, "host"),
    "port": "port",
    **dict.fromkeys(("username", "userid", "user", "uid"), "user"),
    **dict.fromkeys(("password", "pwd", "psw"), "password"),
    **dict.fromkeys(("database", "initialcatalog", "db", "dbname"), "database"),
}
"""The keywords of Npgsql, MySqlConnector and PDO, without spaces and in lower case.

https://www.npgsql.org/doc/connection-string-parameters.html
https://mysqlconnector.net/connection-options/
https://www.php.net/manual/en/ref.pdo-pgsql.connection.php
"""

_PORTS = {"5432": "postgresql", "3306": "mysql"}

_DRIVERS = {"postgresql": "npgsql", "mysql": "mysqlconnector"}


def read(text: str, engine: str | None) -> Database | None:
    """What a text of these forms says; None: it is none of them.

    engine: as by --engine, for .NET's form, which does not always say it.

    Raises:
        ConfigurationError: it cannot be read, or does not say of which kind the database is.
    """
    if (pdo := _PDO.fullmatch(text)) is not None:
        made = "postgresql" if pdo["kind"] == "pgsql" else "mysql"
        return _database(made, "pdo", _pairs(pdo["rest"]) or {})
    if text.startswith("sqlite:") and not text.startswith("sqlite://"):
        return _file(text.removeprefix("sqlite:"))
    given = _pairs(text) if "=" in text else None
    if given is None and _is_torn(text):
        raise unreadable()
    places = [name for name in given or () if normal(name) in (*_PLACES, "filename")]
    names = {normal(name) for name in given or ()}
    if (
        not given
        or not places
        or (";" not in text and names.isdisjoint({"datasource", "filename"}))
    ):
        return None
    if any(re.search(r"\s\w+\s*=", given[name]) for name in places):  # libpq's, with a ; in a value
        return None
    if engine in (None, "sqlite") and names <= {"datasource", "filename", "mode", "cache"}:
        return _file(given[places[0]])
    engine = {"mariadb": "mysql"}.get(engine or "", engine) or _engine(given, names)
    if engine not in _DRIVERS:
        raise unreadable()
    return _database(engine, _DRIVERS[engine], given)


def _is_torn(text: str) -> bool:
    """Whether it begins as .NET's, but holds what is no pair: others would show all of it."""
    first = _FIRST.match(text)
    return (
        first is not None
        and normal(first["name"]) in _NAMES
        and re.search(r"\s\w+\s*=", first["value"]) is None  # that is libpq's
    )


def _pairs(text: str) -> dict[str, str] | None:
    given: dict[str, str] = {}
    at = 0
    while at < len(text.rstrip("; ")):
        found = _PAIR.match(text, at)
        if found is None or found.end() == at:
            return None
        at = found.end()
        double, single = found["double"], found["single"]
        if double is not None:
            value = double.replace('""', '"')
        else:
            value = found["plain"] if single is None else single.replace("''", "'")
        given[found["name"].strip()] = value
    return given


def _engine(given: Mapping[str, str], names: set[str]) -> str:
    port = next((value for name, value in given.items() if normal(name) == "port"), "")
    if port in _PORTS:
        return _PORTS[port]
    if {"host", "username"} <= names:  # as Npgsql's documentation has it, and nobody else's
        return "postgresql"
    raise ConfigurationError(
        "the database URL in the form of .NET does not say of which kind the database is",
        hint="Add --engine postgresql or --engine mysql (or AGTOOL_ENGINE).",
    )


def _database(engine: str, driver: str, given: Mapping[str, str]) -> Database:
    parts: dict[str, str] = {}
    query: dict[str, tuple[str, ...]] = {}
    before = None
    for name, value in given.items():
        part = _NAMES.get(normal(name))
        if part is None:
            if before == "password":
                _refuse_torn_password(name)
            query[name] = (value,)
        elif value and parts.setdefault(part, value) != value:
            raise ConfigurationError(
                f"the database URL has two of what is to be one: {part}",
                hint=f"Leave out {name}, or make it the same.",
            )
        before = part
    if "port" in parts and not is_port(parts["port"]):
        raise unreadable()  # it may be the end of a password
    return with_parts(Database(engine, driver, None, None, None, None, None, query), parts)


def _refuse_torn_password(name: str) -> None:
    """Refuse what follows a password and is no option: it may be the password's end.

    Raises:
        ConfigurationError: it does not show it.
    """
    from agtool.migrate_once.url.table import TABLE

    if normal(name) not in {normal(known) for row in TABLE for known in row.names.split(", ")}:
        raise ConfigurationError(
            "the database URL has an option that agtool does not know after the password",
            hint="If it is the end of the password, write that in quotation marks. Else write it "
            "before the password, or leave it out.",
        )


def _file(path: str) -> Database:
    return Database("sqlite", None, None, None, None, None, path or None, {})
