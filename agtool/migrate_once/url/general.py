"""A URL that is not plain, read as SQLAlchemy reads it: its import takes 200 ms of CPU."""

from __future__ import annotations

import re
from typing import NamedTuple

from agtool.migrate_once.url.database import Database, is_port, unreadable
from agtool.migrate_once.url.schemes import engine

# The account as SQLAlchemy reads it, then host and path. An @ in those belongs to a password
# that is not encoded: its tail is taken for the host, and messages would show it. If it has a ?,
# too, what follows that is taken for options, up to the real host and its slash.
_ACCOUNT_AND_REST = re.compile(r"[^:]*://(?:[^:/]*(?::[^@]*)?@)?(.*)", re.DOTALL)
_TORN_PASSWORD = re.compile(r"[^?]*@|[^?]*\?.*@[^&]*/", re.DOTALL)

_HOSTS = re.compile(
    r"(?P<before>[^:]*://(?:[^:/@]*(?::[^@]*)?@)?)"
    r"(?P<hosts>[^/?@,]+(?:,[^/?@,]+)+)(?P<after>[/?].*|)",
    re.DOTALL,
)


class Found(NamedTuple):
    """The parts of a URL; hosts: as they stand there, if they are several."""

    database: Database
    hosts: str


def read(url: str, scheme: str) -> Found:
    """The parts of the URL, which begins with this scheme.

    Raises:
        ConfigurationError: it is not valid, or a password in it is not encoded.
    """
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    known = engine(scheme)
    hosts = _HOSTS.fullmatch(url) if known != "sqlite" else None
    if hosts is not None:  # several: SQLAlchemy takes them for a port
        url = hosts["before"] + "several" + hosts["after"]
    try:
        # It does not know a - in a name.
        made = make_url(known + url[len(scheme) :])
    except (ArgumentError, ValueError):
        # The message may hold the URL and so the password: neither quoted nor chained.
        raise unreadable() from None
    rest = _ACCOUNT_AND_REST.match(url)
    if known != "sqlite" and rest is not None and _TORN_PASSWORD.match(rest[1]):
        raise unreadable()
    if made.port is not None and not is_port(str(made.port)):
        raise unreadable()
    database = Database(
        engine=known,
        driver=scheme.partition("+")[2] or None,
        user=made.username,
        password=made.password,
        host=made.host,
        port=made.port,
        database=made.database or None,
        query={k: (v,) if isinstance(v, str) else tuple(v) for k, v in made.query.items()},
    )
    return Found(database, hosts["hosts"] if hosts is not None else "")
