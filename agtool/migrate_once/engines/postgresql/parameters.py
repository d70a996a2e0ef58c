"""From the URL to libpq's keywords, and the files that these name."""

from __future__ import annotations

import os
import re
from contextlib import ExitStack
from typing import Any

import psycopg2
from psycopg2.extensions import make_dsn

from agtool.migrate_once.engines import client_files
from agtool.migrate_once.url import Database
from agtool.migrate_once.url.options import translate

CONNECT_TIMEOUT = 10
"""Seconds after which a try to connect gives up, per address; the caller tries again."""

_TLS_FILES = {
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "sslcrl": "PGSSLCRL",
    "sslcrldir": "PGSSLCRLDIR",
}
"""Options with a path, and libpq's variables for them."""


def parameters(database: Database, timeout: float) -> dict[str, Any]:
    """libpq's keywords, translated as SQLAlchemy's psycopg2 dialect does."""
    query = translate(database, _is_libpq).values
    wanted = int(query.pop("connect_timeout", CONNECT_TIMEOUT))
    parameters: dict[str, Any] = {
        "host": database.host,
        "port": database.port,
        "user": database.user,
        "password": database.password,
        "dbname": database.database,
        "connect_timeout": max(2, min(wanted, round(timeout))),
        # Our packets unanswered for so long mean that the connection is gone.
        "tcp_user_timeout": 5000,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
    }
    if len(database.query.get("host", ())) > 1:  # SQLAlchemy's: ?host=a:5432&host=b:5432
        hosts = [host.rpartition(":") for host in database.query["host"]]
        query["host"] = ",".join(h if p.isdigit() and h else h + c + p for h, c, p in hosts)
        if any(p.isdigit() and h for h, _, p in hosts):
            query["port"] = ",".join(p if p.isdigit() and h else "" for h, _, p in hosts)
    elif re.fullmatch(r"[^:,/]+:[0-9]+", query.get("host", "")):
        query["host"], _, query["port"] = query["host"].partition(":")
    _name_authority(database, query)
    parameters.update(query)
    if "," in str(parameters["host"]):
        parameters.setdefault("target_session_attrs", "read-write")
    return {key: value for key, value in parameters.items() if value is not None}


def prepared(parameters: dict[str, Any], until: ExitStack) -> dict[str, Any]:
    """The keywords, with the files that they and libpq's variables name looked at.

    until: keeps what only has to be there while libpq connects.

    Raises:
        ConfigurationError: a file is not there, or cannot be read.
    """
    ready = dict(parameters)
    if _may_use_tls(ready):
        _prepare_tls(ready, until)
    password_is_given = ready.get("password") or os.environ.get("PGPASSWORD")
    if not password_is_given:
        named = ready.get("passfile") or os.environ.get("PGPASSFILE")
        if named:
            client_files.check("passfile", named)
        file = named or _at_home(".pgpass")
        if (copy := client_files.for_owner_alone(file, until)) != file:
            ready["passfile"] = copy
    return ready


def _may_use_tls(parameters: dict[str, Any]) -> bool:
    mode = parameters.get("sslmode") or os.environ.get("PGSSLMODE")
    host = parameters.get("host") or os.environ.get("PGHOST") or ""
    return mode != "disable" and not host.startswith(("/", "@"))


def _prepare_tls(ready: dict[str, Any], until: ExitStack) -> None:
    for option in ("sslidentity", "sslkey", "sslcert"):  # Prisma's, pgjdbc's, Npgsql's
        path = ready.get(option) or ""
        if path and (option == "sslidentity" or client_files.is_pkcs12(path)):
            password = ready.pop("sslpassword", None)
            pem = client_files.identity(option, path, password, until)
            ready.pop("sslidentity", None)
            ready.update(sslcert=pem, sslkey=pem)
            break
    for option, variable in _TLS_FILES.items():
        path = ready.get(option) or os.environ.get(variable)
        # system: no file. name:key: a key in an engine of OpenSSL.
        if path and path != "system" and not (option == "sslkey" and ":" in path):
            client_files.check(option, path, folder=option == "sslcrldir")
    named = ready.get("sslkey") or os.environ.get("PGSSLKEY")
    key = named or _at_home(".postgresql/postgresql.key")
    if ":" not in key and (copy := client_files.for_owner_alone(key, until)) != key:
        ready["sslkey"] = copy


def _at_home(name: str) -> str:
    return os.path.expanduser(f"~/{name}")  # noqa: PTH111  # fails without HOME


def warnings(database: Database) -> tuple[str, ...]:
    """What is to be said of the URL's options.

    Raises:
        ConfigurationError: one cannot be used.
    """
    return translate(database, _is_libpq).warnings


def _is_libpq(name: str) -> bool:
    """Whether this libpq has such an option."""
    try:
        make_dsn(**{name: "1"})
    except psycopg2.ProgrammingError:
        return False
    return name.isidentifier()


def _name_authority(database: Database, query: dict[str, str]) -> None:
    """Name the file of the system's certificates where these are meant.

    They are where they are asked for, or where an option of Node's or Java's has become
    verify-full; and with verify-full alone, as Go and Node read it, where libpq has no file.
    """
    if query.get("sslrootcert", "system") != "system":
        return
    if "sslrootcert" not in query and (
        query.get("sslmode") != "verify-full" or database.driver not in (None, "pgjdbc")
    ):
        return
    own = os.environ.get("PGSSLROOTCERT") or os.path.exists(  # noqa: PTH110  # fails without HOME
        os.path.expanduser("~/.postgresql/root.crt")  # noqa: PTH111
    )
    if own and "sslrootcert" not in database.options:
        query.pop("sslrootcert", None)
    else:
        query["sslrootcert"] = _system_certificates()


def _system_certificates() -> str:
    """The system's certificates. The libpq in psycopg2's wheels looks for those of its makers."""
    from agtool.core import authorities  # it imports ssl

    return authorities.file() or "system"
