"""Where it stands which database it is: options, a file, variables."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import NoReturn

from agtool.core.errors import ConfigurationError, UsageError
from agtool.core.text import is_utf_8
from agtool.migrate_once.url.database import Database, Parts, read_file
from agtool.migrate_once.url.parse import parse

VARIABLES = ("AGTOOL_DATABASE_URL", "DATABASE_URL", "SQLALCHEMY_DATABASE_URI")


def find_database(
    flag: str | None, file: Path | None, parts: Parts, environ: Mapping[str, str]
) -> Database:
    """The database by precedence: the URL of flag or file, of the variables, then the parts.

    A part that is given as an option completes a URL, and may not contradict it. Variables with
    parts are read if there is no URL at all. What a file or a command gives has a `renewal`.

    Raises:
        UsageError: two options that cannot be given together.
        ConfigurationError: it is nowhere, contradicts itself, or cannot be read or sent.
    """
    read = partial(_read, flag, file, parts, environ)
    database = read()
    files = [given for given in (file, parts.password_file) if given is not None]
    if not files and parts.password_command is None:
        if flag is not None or _variable(environ):
            return database
        from agtool.migrate_once.url.parts import names_files

        if not names_files(environ):
            return database
    if not all(given.is_file() for given in files):  # a pipe's content is gone
        if parts.password_command is None:
            return database
        read = partial(_still, database)
    from agtool.migrate_once.url.renewal import renewed

    return renewed(database, read, parts.password_command)


def _still(database: Database) -> Database:
    return database


def _read(
    flag: str | None, file: Path | None, parts: Parts, environ: Mapping[str, str]
) -> Database:
    url = _find(flag, file, environ)
    if url is not None and not any(part is not None for part in parts):
        return _sendable(parse(url))
    from agtool.migrate_once.url import parts as by_parts

    if url is not None:
        return _sendable(by_parts.completed(parse(url, parts.engine), parts))
    return _sendable(by_parts.assembled(parts, environ) or _nowhere())


def _sendable(database: Database) -> Database:
    """The database, if a driver can hand over all of it.

    Raises:
        ConfigurationError: a part holds a NUL or is not UTF-8. It is named and not quoted: it may
            be the password, or the tail of one.
    """
    texts = [(part, getattr(database, part)) for part in ("user", "password", "host")]
    texts += [("name", database.database)]
    for name, values in database.query.items():
        # What is no name is not fit to be shown either.
        what = f"option {name}" if name.isidentifier() else "list of options"
        texts += [(what, text) for text in (name, *values)]
    for what, text in texts:
        if not text:
            continue
        if "\0" in text:
            raise ConfigurationError(
                f"the database's {what} holds a NUL character",
                hint="Correct it: in a URL it is written %00.",
            )
        if database.engine != "sqlite" and not is_utf_8(text):  # a file's name may be any bytes
            raise ConfigurationError(
                f"the database's {what} is not UTF-8 text",
                hint="Write it in UTF-8, where the URL or the variable is set.",
            )
    return database


def find_url(flag: str | None, file: Path | None, environ: Mapping[str, str]) -> str:
    """The URL by precedence: flag or file, then the variables in their order.

    Raises:
        UsageError: both a flag and a file.
        ConfigurationError: nowhere a URL, or the file cannot be read.
    """
    return _find(flag, file, environ) or _nowhere()


def _find(flag: str | None, file: Path | None, environ: Mapping[str, str]) -> str | None:
    if flag is not None and file is not None:
        raise UsageError("--database-url and --database-url-file cannot be given together")
    if file is not None:
        flag = read_file(file, "database URL").strip()
        if not flag:
            raise ConfigurationError(f"{file} is empty, and not a database URL")
    url = flag or _variable(environ)
    url = url and url.strip()  # `echo URL | base64` in a Secret leaves a line's end
    return url or None


def _variable(environ: Mapping[str, str]) -> str | None:
    return next((environ[name] for name in VARIABLES if environ.get(name)), None)


def _nowhere() -> NoReturn:
    raise ConfigurationError(
        "no database URL",
        hint="Give --database-url, --database-url-file or one of "
        + ", ".join(VARIABLES)
        + "; or its parts: --engine, --host, --port, --user, --password-file, --database, or the "
        "variables PGHOST, POSTGRES_HOST, MYSQL_HOST or MARIADB_HOST and their siblings. For "
        "variables of other names: --host-env DB_HOST and its siblings, or --database-url-env.",
    )
