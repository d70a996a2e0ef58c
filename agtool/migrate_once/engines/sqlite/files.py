"""agtool's two files beside an SQLite database: one is locked, the other records the runs."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote, urlsplit

from agtool.core.errors import AgtoolError, ConfigurationError, DeniedError
from agtool.migrate_once.backend import AlreadyDone, Exhausted, NotYet
from agtool.migrate_once.engines.runs import Dialect, RunTable
from agtool.migrate_once.model import REPLY, Attempt, Situation, TableName
from agtool.migrate_once.url import Database

T = TypeVar("T")

DEFAULT_TABLE = "install_locks"

_NOW = "strftime('%Y-%m-%d %H:%M:%f', 'now'{})"

_DIALECT = Dialect(
    quote='"',
    placeholder="?",
    time_type="text",
    now=_NOW.format(""),
    ago=lambda seconds: _NOW.format(f", '-{seconds} seconds'"),
    read_time=lambda value: datetime.fromisoformat(value).replace(tzinfo=timezone.utc),
)


class Files:
    """Where they are, and what an error means.

    Raises:
        ConfigurationError: the URL names no file that other processes can see.
        DeniedError: the system does not let us look whether agtool's are there.
    """

    def __init__(self, database: Database) -> None:
        # Without its symbolic links, so that all who use the file find the same lock.
        name = _file(database)
        self.database = Path(os.path.realpath(name))
        # os.path: a folder that cannot be looked at is told when a file in it is opened.
        if name.endswith("/") or os.path.isdir(self.database):  # noqa: PTH112
            raise ConfigurationError(
                f"{self.database} names a folder, and not the file of a database",
                hint="Name a file in it: sqlite:////absolute/path or sqlite:///relative/path.",
            )
        self.lock = self.database.with_name(f"{self.database.name}.agtool-lock")
        self.runs = self.database.with_name(f"{self.database.name}.agtool-runs")
        try:
            self.runs.stat()
        except (FileNotFoundError, NotADirectoryError):
            pass  # that of the folder is told by whoever needs it
        except OSError as error:  # too long a name, a folder that may not be entered
            raise self.cannot(f"use {self.runs}", error) from error
        self.table = RunTable(TableName(None, DEFAULT_TABLE).runs, _DIALECT, "has_tables()")

    def has_runs(self) -> bool:
        """Whether there is a record of runs.

        Raises:
            ConfigurationError: the folder of the database is not there.
        """
        if self.runs.exists():
            return True
        if not self.database.parent.is_dir():
            raise self.cannot(f"read {self.runs}", FileNotFoundError())
        return False

    def is_done(self, attempt: Attempt) -> bool:
        """Whether the attempt's key is done under its name."""
        if attempt.key is None or not self.has_runs():
            return False
        with self._translated(), closing(self._connect()) as connection:
            return self._is_done(connection.cursor(), attempt)

    def look(self, attempt: Attempt) -> AlreadyDone | Exhausted | Situation:
        """As the port's."""
        if not self.has_runs():
            return Situation(None, 0)
        with self._translated("read"), closing(self._connect("ro")) as connection:
            cursor = connection.cursor()
            if self._is_done(cursor, attempt):
                return AlreadyDone()
            exhausted = _if_there(lambda: self.table.exhausted(cursor, attempt))
            situation = _if_there(lambda: self.table.situation(cursor, attempt))
            return exhausted or situation or Situation(None, 0)

    def _is_done(self, cursor: sqlite3.Cursor, attempt: Attempt) -> bool:
        done = _if_there(lambda: self.table.is_done(cursor, attempt))
        if done is None:
            done = _if_there(lambda: self.table.is_done(cursor, attempt, before_columns=True))
        return bool(done)

    def _connect(self, mode: str = "rwc") -> sqlite3.Connection:
        """The file of the runs, created if missing; transactions are begun by hand."""
        url = f"{self.runs.as_uri()}?mode={mode}"
        connection = sqlite3.connect(url, uri=True, timeout=REPLY, isolation_level=None)
        connection.create_function("has_tables", 0, self._has_tables)
        return connection

    def _has_tables(self) -> bool:
        """Whether the database has tables; True if it cannot be read: then marks count."""
        try:
            if not self.database.stat().st_size:
                return False
            url = f"{self.database.as_uri()}?mode=ro"
            with closing(sqlite3.connect(url, uri=True, timeout=1.0)) as connection:
                query = (
                    "SELECT 1 FROM sqlite_master WHERE type = 'table' "
                    "AND name NOT LIKE 'sqlite^_%' ESCAPE '^' LIMIT 1"
                )
                return connection.execute(query).fetchone() is not None
        except FileNotFoundError:
            return False
        except (OSError, sqlite3.Error):
            return True

    def _create(self, cursor: sqlite3.Cursor) -> None:
        """Create the table, or columns of it that an older agtool did not know."""
        cursor.execute(self.table.ddl)
        cursor.execute(f"SELECT * FROM {self.table.table} LIMIT 0")
        for statement in self.table.add_columns({column[0] for column in cursor.description}):
            cursor.execute(statement)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Cursor]:
        """One short transaction on the runs.

        Raises:
            NotYet, AgtoolError: as the port says.
        """
        with self._translated(), closing(self._connect()) as connection:
            cursor = connection.cursor()
            cursor.execute("BEGIN IMMEDIATE")
            self._create(cursor)
            yield cursor
            cursor.execute("COMMIT")  # after an error, closing rolls back

    @contextmanager
    def _translated(self, what: str = "write") -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            reason = str(error)
            if "locked" in reason:
                raise NotYet(f"{self.runs} is busy: {reason}") from error
            if not self.database.parent.is_dir():
                raise self.cannot(f"create {self.runs}", FileNotFoundError()) from error
            if "not a database" in reason or "malformed" in reason:
                raise ConfigurationError(
                    f"{self.runs} is not a file that agtool has made: {reason}",
                    hint="Move it away. agtool makes a new one.",
                ) from error
            raise DeniedError(f"cannot {what} {self.runs}: {reason}", hint=self._hint()) from error

    def cannot(self, what: str, error: OSError) -> AgtoolError:
        """What an error of the operating system means; what: such as `lock FILE`."""
        if isinstance(error, (FileNotFoundError, NotADirectoryError)):
            return ConfigurationError(
                f"the directory {self.database.parent} of the database does not exist",
                hint="Create or mount it, or correct the database URL.",
            )
        return DeniedError(f"cannot {what}: {error.strerror}", hint=self._hint())

    def _hint(self) -> str:
        return (
            f"agtool keeps two files beside the database. Let this user write in "
            f"{self.database.parent}, and check that its disk has room."
        )


def _if_there(call: Callable[[], T]) -> T | None:
    """The result; None: there is no table yet, or it is an older agtool's."""
    try:
        return call()
    except sqlite3.OperationalError as error:
        if not str(error).startswith(("no such table", "no such column")):
            raise
        return None


def _file(database: Database) -> str:
    """The database's file, as SQLAlchemy's pysqlite dialect finds it.

    Raises:
        ConfigurationError: it is in memory, or no name of a file.
    """
    name = database.database or ""
    query = database.options
    if query.get("uri", "").lower() in ("true", "1", "yes", "on") and name.startswith("file:"):
        # https://www.sqlite.org/uri.html; SQLAlchemy adds the URL's query to it.
        parts = urlsplit(name)
        name = unquote(parts.path)
        if query.get("mode") == "memory" or "mode=memory" in parts.query.split("&"):
            name = ""
    if "\0" in name:
        raise ConfigurationError(
            "the name of the database's file holds a NUL character",
            hint="Correct it: in a URL it is written %00.",
        )
    if name in ("", ":memory:", "file::memory:") or query.get("mode") == "memory":
        raise ConfigurationError(
            "the database is in memory, where no other process can see it",
            hint="Name a file: sqlite:////absolute/path or sqlite:///relative/path.",
        )
    return name
