"""What of a database's address can change while agtool runs: files are read again, a command run.

Credentials of fifteen minutes (IAM tokens, Vault) end during a longer migration, and a mounted
Secret is replaced under a waiter's feet.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from agtool.core.errors import ConfigurationError, UnreachableError
from agtool.migrate_once.url.database import Database
from agtool.migrate_once.url.password_command import PasswordCommand

_REUSE = 300.0
"""Seconds for which a command's password is used again while the server takes it.

A waiter connects several times a second. A command takes a second of CPU for its answer, and with
Vault each of its runs makes an account. Tokens live for ten minutes or more.
"""


def renewed(
    database: Database, read: Callable[[], Database], command: str | None = None
) -> Database:
    """The database with its `renewal`.

    read: reads its files again. command: prints the password.

    Raises:
        UsageError: the command is none.
    """
    if database.engine == "sqlite":
        return database
    runner = None if command is None else PasswordCommand.parse(command)
    return database._replace(renewal=_Sources(database, read, runner))


class _Password(NamedTuple):
    text: str
    got_at: float


class _Sources:
    """The files and the command of a database."""

    def __init__(
        self, first: Database, read: Callable[[], Database], command: PasswordCommand | None
    ) -> None:
        self._first = first
        self._read = read
        self._command = command
        self._password: _Password | None = None

    def current(self, timeout: float) -> Database:
        """As Renewal has it."""
        try:
            found = self._read()
        except ConfigurationError as error:  # it could be read at the start
            raise UnreachableError(error.message, hint=error.hint) from error
        if (found.engine, found.database) != (self._first.engine, self._first.database):
            raise ConfigurationError(
                f"the database URL has changed from {self._first} to {found} during the run",
                hint="The lock is in the first one. Start agtool again.",
            )
        if self._command is not None:
            if self._password is None or time.monotonic() - self._password.got_at > _REUSE:
                self._password = _Password(self._command.run(timeout), time.monotonic())
            found = found._replace(password=self._password.text)
        return found._replace(renewal=self)

    def refused(self) -> None:
        """As Renewal has it."""
        self._password = None
