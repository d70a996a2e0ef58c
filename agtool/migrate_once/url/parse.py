"""A text -> the parts of the database's address."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, unquote

from agtool.core.errors import ConfigurationError
from agtool.migrate_once.url.database import Database, is_port, unreadable

_FREQUENT = {
    "postgresql": "postgresql",
    "postgres": "postgresql",
    "mysql": "mysql",
    "mariadb": "mysql",
    "sqlite": "sqlite",
}
"""The schemes for which `schemes` need not be asked, nor imported."""

# Where RFC 3986 and SQLAlchemy cannot disagree. Importing SQLAlchemy costs 200 ms of CPU in every
# replica, ten times the work of the fast path, so it reads only what this does not match.
_PLAIN = re.compile(
    r"(?P<scheme>[a-z0-9_-]+(\+[a-z0-9_]+)?)://"
    r"((?P<user>[\w.~%-]+)(:(?P<password>[\w.~%!$*+-]*))?@)?"
    r"(?P<hosts>[A-Za-z0-9.-]+(:[0-9]+)?(,[A-Za-z0-9.-]+(:[0-9]+)?)*)?"
    r"/(?P<path>[\w./~%-]*)"
    r"(\?(?P<query>[\w.~%=&:,+/-]*))?",
    re.ASCII,
)


def parse(url: str, engine: str | None = None) -> Database:
    """Read what names a database: a URL as SQLAlchemy reads it, or one of the other `forms`.

    engine: as by --engine, for a form that does not say it.

    Raises:
        ConfigurationError: it is not valid, or names an engine that agtool does not know.
    """
    if min(url, default=" ") < " ":  # a line's end in the middle, say
        raise unreadable()
    if url.startswith(("ecto://", "r2dbc:")):
        from agtool.migrate_once.url import forms

        url = forms.of_an_engine(url, engine)
    plain = None if url.startswith("sqlite3:") else _PLAIN.fullmatch(url)
    if plain is not None:
        database = _read_plain(plain)
    else:
        from agtool.migrate_once.url import forms, semicolons

        database = semicolons.read(url, engine) or forms.read(url)
    if url.endswith("=") or "=&" in url:
        from agtool.migrate_once.url import forms

        forms.refuse_empty_option(url)
    # SQLite's are the file's.
    return database if not database.query or database.engine == "sqlite" else _settled(database)


def _read_plain(parts: re.Match[str]) -> Database:
    scheme, hosts = parts["scheme"], parts["hosts"] or ""
    host, colon, port = hosts.partition(":")
    query: dict[str, tuple[str, ...]] = {}
    for key, value in parse_qsl(parts["query"] or ""):
        query[key] = (*query.get(key, ()), value)
    database = Database(
        engine=_engine(scheme),
        driver=scheme.partition("+")[2] or None,
        user=_unquote(parts["user"]),
        password=_unquote(parts["password"]),
        host=None,
        port=None,
        database=unquote(parts["path"]) or None,
        query=query,
    )
    if "," in hosts:
        from agtool.migrate_once.url import forms

        return forms.with_hosts(database, hosts)
    if colon and not is_port(port):
        raise unreadable()
    return database._replace(host=host or None, port=int(port) if colon else None)


def _engine(scheme: str) -> str:
    dialect, _, driver = scheme.partition("+")
    if dialect in _FREQUENT and driver != "srv":
        return _FREQUENT[dialect]
    from agtool.migrate_once.url.schemes import engine

    return engine(scheme)


def _settled(database: Database) -> Database:
    """With the account, and on MySQL the place, from the options where the URL leaves them open.

    Raises:
        ConfigurationError: it has two.
    """
    query = dict(database.query)
    parts: dict[str, str] = {}
    for names, part in _PARTS[database.engine]:
        for name in names:
            if name not in query:
                continue
            value, given = query.pop(name)[-1], getattr(database, part) or parts.get(part)
            if given is not None and str(given) != value:
                raise ConfigurationError(
                    f"the database URL has two of what is to be one: {part} and the option {name}",
                    hint=f"Leave out the option {name}, or make it the same.",
                )
            parts[part] = value
    if not parts:
        return database
    port = parts.get("port")
    if port is not None and not is_port(port):
        raise unreadable()
    return database._replace(
        query=query,
        user=parts.get("user", database.user),
        password=parts.get("password", database.password),
        host=parts.get("host", database.host),
        port=database.port if port is None else int(port),
        database=parts.get("database", database.database),
    )


_ACCOUNT = ((("user", "username"), "user"), (("password", "passwd"), "password"))
_PARTS = {
    # The rest is libpq's own.
    "postgresql": (*_ACCOUNT, (("database",), "database")),
    "mysql": (
        *_ACCOUNT,
        (("host",), "host"),
        (("port",), "port"),
        (("database", "dbname", "db"), "database"),
    ),
}


def _unquote(text: str | None) -> str | None:
    return None if text is None else unquote(text)
