"""The database engines: each implements the port of `backend`, in a folder of the same shape.

backend.py is the port, lock.py takes the lock and releases it, tables.py or files.py is what
agtool keeps there, and session.py connects and says what an error means. `runs` is the SQL that
they share.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agtool.core.errors import ConfigurationError, UsageError, without_effect
from agtool.migrate_once.model import TableName, time_to_die
from agtool.migrate_once.url import Database

if TYPE_CHECKING:
    from agtool.migrate_once.backend import Backend


def open_backend(
    database: Database,
    table: TableName | None,
    *,
    lock: str | None,
    kill_grace: float,
    connect_timeout: float,
) -> Backend:
    """The port to this database; imports its driver and no other. Does not connect.

    Args:
        lock: 'table' to lock PostgreSQL's table too; 'advisory', or None, not to.
        kill_grace: seconds between SIGTERM and SIGKILL.
        connect_timeout: seconds for which to try to connect.

    Raises:
        ConfigurationError: the driver is missing, or the path of the database cannot be used.
        UsageError: a kind of lock, and not in PostgreSQL; a table, and in SQLite.
    """
    check_lock(database.engine, lock, str(database), has_table=table is not None)
    times = {"time_to_die": time_to_die(kill_grace), "connect_timeout": connect_timeout}
    try:
        if database.engine == "postgresql":
            from agtool.migrate_once.engines.postgresql.backend import PostgreSQL

            return PostgreSQL(database, table, lock=lock or "advisory", **times)
        if database.engine == "mysql":
            from agtool.migrate_once.engines.mysql.backend import MySQL

            return MySQL(database, table, **times)
    except ModuleNotFoundError as error:
        package = "agtool-cli[mysql]" if database.engine == "mysql" else "psycopg2-binary"
        raise ConfigurationError(
            f"no driver for {database.engine}: the Python module {error.name} is missing",
            hint=f"Install it: pip install '{package}'",
        ) from error
    from agtool.migrate_once.engines.sqlite.backend import SQLite

    try:
        return SQLite(database)
    except OSError as error:
        raise ConfigurationError(
            f"cannot use {database}: {error.strerror}", hint="Check the path in the database URL."
        ) from error


def check_lock(engine: str, lock: str | None, shown: str, *, has_table: bool) -> None:
    """Look whether an engine has what was asked for.

    Args:
        lock: 'table', 'advisory' or None.
        shown: the database, for people.
        has_table: whether a table is named.

    Raises:
        UsageError: a kind of lock, and not in PostgreSQL; a table, and in SQLite.
    """
    if has_table and engine == "sqlite":
        raise without_effect(
            "--lock-table", "with SQLite", "Leave out --lock-table, or AGTOOL_LOCK_TABLE."
        )
    if lock and engine != "postgresql":
        raise UsageError(
            f"--lock {lock} is for PostgreSQL only, and the database is {shown}",
            hint=f"Leave out --lock {lock}, or AGTOOL_LOCK={lock}.",
        )
