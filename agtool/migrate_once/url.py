"""A SQLAlchemy URL -> where the database is, without its password in any output."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote

from agtool.core.errors import ConfigurationError, UsageError

VARIABLES = ("AGTOOL_DATABASE_URL", "DATABASE_URL", "SQLALCHEMY_DATABASE_URI")

_ENGINES = {
    "postgresql": "postgresql",
    "postgres": "postgresql",
    "mysql": "mysql",
    "mariadb": "mysql",
    "sqlite": "sqlite",
}

# Where RFC 3986 and SQLAlchemy cannot disagree. Importing SQLAlchemy costs 200 ms of CPU in every
# replica, ten times the work of the fast path, so it reads only what this does not match.
_PLAIN = re.compile(
    r"([a-z0-9]+(?:\+[a-z0-9_]+)?)://"
    r"(?:([\w.~%-]+)(?::([\w.~%!$*+-]*))?@)?"
    r"(?:([A-Za-z0-9.-]+)(?::([0-9]+))?)?"
    r"/([\w./~%-]*)"
    r"(?:\?([\w.~%=&:,+/-]*))?",
    re.ASCII,
)

# The account as SQLAlchemy reads it, then host and path. An @ in those belongs to a password
# that is not encoded: its tail is taken for the host, and messages would show it.
_ACCOUNT_AND_REST = re.compile(r"[^:]*://(?:[^:/]*(?::[^@]*)?@)?([^?]*)")


class Database(NamedTuple):
    """The parts of a database URL; `engine` is postgresql, mysql or sqlite."""

    engine: str
    driver: str | None
    user: str | None
    password: str | None
    host: str | None
    port: int | None
    database: str | None
    query: Mapping[str, tuple[str, ...]]

    def __repr__(self) -> str:
        return f"Database({self})"

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in (self.host or "") else self.host or ""
        place = host + (f":{self.port}" if self.port else "")
        account = f"{self.user}@" if self.user else ""
        return f"{self.engine}://{account}{place}/{self.database or ''}"

    @property
    def options(self) -> dict[str, str]:
        """The query's options; the last counts of one that is given more than once."""
        return {key: values[-1] for key, values in self.query.items()}

    def redact(self, text: str) -> str:
        """`text` without the password, should a driver's message hold it."""
        return text.replace(self.password, "***") if self.password else text


def find_url(flag: str | None, file: Path | None, environ: Mapping[str, str]) -> str:
    """The URL by precedence: flag or file, then the variables in their order.

    Raises:
        UsageError: both a flag and a file.
        ConfigurationError: nowhere a URL, or the file cannot be read.
    """
    if flag is not None and file is not None:
        raise UsageError("--database-url and --database-url-file cannot be given together")
    if file is not None:
        try:
            flag = file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise ConfigurationError(
                f"cannot read the database URL from {file}: {reason}",
                hint="Check that the Secret is mounted there and that this user may read it.",
            ) from error
        if not flag:
            raise ConfigurationError(f"{file} is empty, and not a database URL")
    url = flag or next((environ[name] for name in VARIABLES if environ.get(name)), None)
    url = url and url.strip()  # `echo URL | base64` in a Secret leaves a line's end
    if not url:
        raise ConfigurationError(
            "no database URL",
            hint="Give --database-url, --database-url-file or one of " + ", ".join(VARIABLES) + ".",
        )
    return url


def parse(url: str) -> Database:
    """Read a URL as SQLAlchemy does (RFC 1738 with driver suffix).

    Raises:
        ConfigurationError: it is not valid, or names an engine that agtool does not know.
    """
    if re.search(r"[\x00-\x1f]", url):  # a line's end in the middle, say
        raise _unreadable()
    if plain := _PLAIN.fullmatch(url):
        name, user, password, host, digits, path, options = plain.groups()
        port = int(digits) if digits else None
        if port and port > 65535:
            raise _unreadable()
        user, password = user and unquote(user), password and unquote(password)
        database = unquote(path)
        query: dict[str, tuple[str, ...]] = {}
        for key, value in parse_qsl(options or ""):
            query[key] = (*query.get(key, ()), value)
    else:
        from sqlalchemy.engine import make_url
        from sqlalchemy.exc import ArgumentError

        try:
            made = make_url(url)
        except (ArgumentError, ValueError):
            # The message may hold the URL and so the password: neither quoted nor chained.
            raise _unreadable() from None
        name, host, port = made.drivername, made.host, made.port
        user, password = made.username, made.password
        database = made.database or ""
        query = {k: (v,) if isinstance(v, str) else tuple(v) for k, v in made.query.items()}
        rest = _ACCOUNT_AND_REST.match(url)
        if not name.startswith("sqlite") and rest is not None and "@" in rest[1]:
            raise _unreadable()
    dialect, _, driver = name.partition("+")
    if dialect not in _ENGINES:
        raise ConfigurationError(
            f"the database URL has the unknown dialect {dialect!r}",
            hint="agtool knows postgresql, mysql, mariadb and sqlite.",
        )
    return Database(
        _ENGINES[dialect], driver or None, user, password, host, port, database or None, query
    )


def _unreadable() -> ConfigurationError:
    return ConfigurationError(
        "the database URL is not valid",
        hint="Write postgresql://user:password@host:5432/database, "
        "with special characters percent-encoded.",
    )
