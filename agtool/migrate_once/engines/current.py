"""A database as its file or its command has it at the moment, for one more connection."""

from __future__ import annotations

from agtool.core.errors import UnreachableError
from agtool.migrate_once.backend import NotYet
from agtool.migrate_once.url import Database


def current(database: Database, timeout: float) -> Database:
    """The database to connect to now.

    timeout: seconds for which the caller is willing to try.

    Raises:
        NotYet: its file or its command does not give it at the moment.
        ConfigurationError: it has become another one.
    """
    if database.renewal is None:
        return database
    try:
        return database.renewal.current(timeout)
    except UnreachableError as error:
        raise NotYet(error.message, hint=error.hint) from error
