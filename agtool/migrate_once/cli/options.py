"""What can be set, in groups.

Not with postponed annotations: to compile them at each start takes 4 ms of CPU.
"""

import math
import os
import sys
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import typer

from agtool.core.errors import UsageError
from agtool.core.options import LogFormat, duration, flag, number, option, path
from agtool.migrate_once.backend import Backend
from agtool.migrate_once.engines import open_backend
from agtool.migrate_once.model import Attempt, TableName, new_run_id
from agtool.migrate_once.url import Parts, find_database

_LONGEST_GRACE = 3600.0
"""Seconds; the kernel cannot probe a connection after more than nine hours."""


def _kill_grace(value: float) -> float:
    if value > _LONGEST_GRACE:
        raise typer.BadParameter("it is too long. It may be 1h at most.")
    return value


class DatabaseOptions(NamedTuple):
    """Which database."""

    database_url: Annotated[
        str | None,
        option(
            "URL",
            "The URL of a postgresql, mysql, mariadb or sqlite database, as SQLAlchemy, JDBC, Go "
            "and others write it. Also: environment variable AGTOOL_DATABASE_URL, then "
            "DATABASE_URL, then SQLALCHEMY_DATABASE_URI.",
        ),
    ] = None
    database_url_file: Annotated[
        Path | None,
        path("FILE", "Read the URL from this file, such as a mounted Secret."),
    ] = None
    engine: Annotated[
        Literal["postgresql", "mysql", "mariadb", "sqlite"] | None,
        typer.Option(
            metavar="[postgresql|mysql|mariadb|sqlite]",
            help="Name the kind of database, if it is given in parts instead of a URL.",
        ),
    ] = None
    host: Annotated[
        str | None,
        option(
            "HOST",
            "Name the server, or the folder or file of its socket. Also: PGHOST, POSTGRES_HOST, "
            "MYSQL_HOST, MARIADB_HOST, if there is no URL.",
        ),
    ] = None
    port: Annotated[
        int | None,
        number(
            "PORT",
            "Name its port (also: PGPORT, POSTGRES_PORT, MYSQL_TCP_PORT, MARIADB_TCP_PORT)",
            1,
            65535,
        ),
    ] = None
    user: Annotated[
        str | None,
        option("NAME", "Name the account. Also: PGUSER, POSTGRES_USER, MYSQL_USER, MARIADB_USER."),
    ] = None
    password_file: Annotated[
        Path | None,
        path(
            "FILE",
            "Read its password from this file. Also: PGPASSWORD, POSTGRES_PASSWORD, "
            "MYSQL_PASSWORD, MARIADB_PASSWORD, and those of images with _FILE.",
        ),
    ] = None
    database: Annotated[
        str | None,
        option(
            "NAME",
            "Name the database, or the file of SQLite. Also: PGDATABASE, POSTGRES_DB, "
            "MYSQL_DATABASE, MARIADB_DATABASE.",
        ),
    ] = None


class LockOptions(NamedTuple):
    """Which lock in it."""

    lock_table: Annotated[
        str | None,
        option(
            "[SCHEMA.]TABLE",
            "Lock this table; it is created if it is missing.  [default: agtool.install_locks; "
            "MySQL: agtool_install_locks; SQLite: a file beside the database]",
            envvar="AGTOOL_LOCK_TABLE",
        ),
    ] = None
    lock: Annotated[
        Literal["table", "advisory"] | None,
        option(
            "[table|advisory]",
            "Take an advisory lock, or lock the table itself, as others may do who do not use "
            "agtool (PostgreSQL).  [default: advisory]",
            envvar="AGTOOL_LOCK",
        ),
    ] = None


class KeyOptions(NamedTuple):
    """What COMMAND is, and when it is not to run."""

    name: Annotated[
        str,
        option(
            "NAME",
            "The name of COMMAND in the history; each name has keys of its own.",
            envvar="AGTOOL_NAME",
        ),
    ] = "default"
    key: Annotated[
        str | None,
        option(
            "KEY",
            "Run COMMAND only if it has not succeeded with this key yet, such as the digest of the "
            "image.",
            envvar="AGTOOL_KEY",
        ),
    ] = None

    attempts: Annotated[
        int | None,
        number(
            "NUMBER",
            "Do not run COMMAND any more once it has failed so often with --key (exit code 125)",
            1,
            1000,
            envvar="AGTOOL_ATTEMPTS",
        ),
    ] = None
    retry: Annotated[
        bool,
        flag("Count the failures for --attempts from zero, beginning with this run.", "--retry"),
    ] = False

    def attempt(self) -> Attempt:
        """This invocation's wish to run it.

        Raises:
            UsageError: a text is too long, or no text.
        """
        for option_name, text, most in (("--name", self.name, 200), ("--key", self.key or "", 500)):
            if len(text) > most:
                raise UsageError(
                    f"{option_name} has {len(text)} characters",
                    hint=f"Shorten it. It may have {most} at most.",
                )
            try:
                text.encode()
            except UnicodeEncodeError:
                raise UsageError(
                    f"{option_name} is not UTF-8 text", hint=f"Write {option_name} in UTF-8."
                ) from None
        return Attempt(
            self.name,
            self.key,
            _place(),
            new_run_id(),
            self.attempts if self.key else None,
            self.retry,
        )


class TimeOptions(NamedTuple):
    """For how long, in seconds."""

    wait_timeout: Annotated[
        float,
        duration(
            "Stop waiting for the lock after this time (exit code 124).  [default: never]",
            envvar="AGTOOL_WAIT_TIMEOUT",
        ),
    ] = math.inf
    connect_timeout: Annotated[
        float,
        duration(
            "Stop trying to reach the database after this time (exit code 125).  [default: 2m]",
            envvar="AGTOOL_CONNECT_TIMEOUT",
        ),
    ] = 120.0
    kill_grace: Annotated[
        float,
        duration(
            "Wait this time between SIGTERM and SIGKILL when the lock is lost.  [default: 10s]",
            envvar="AGTOOL_KILL_GRACE",
            callback=_kill_grace,
        ),
    ] = 10.0


class ReportOptions(NamedTuple):
    """How it is told."""

    result_file: Annotated[
        Path | None,
        path("FILE", "Write the result to this file as JSON.", envvar="AGTOOL_RESULT_FILE"),
    ] = None
    metrics_file: Annotated[
        Path | None,
        path(
            "FILE",
            "Keep this file up to date for Prometheus, as node_exporter's textfile collector "
            "reads it.",
            envvar="AGTOOL_METRICS_FILE",
        ),
    ] = None
    log_format: LogFormat = "text"

    def refuse_same_file(self) -> None:
        """Raises UsageError if one file is to hold both the result and the metrics."""
        if self.result_file is not None and self.result_file == self.metrics_file:
            raise UsageError(
                f"--result-file and --metrics-file name the same file {self.result_file}",
                hint="Give each a file of its own.",
            )


def backend(where: DatabaseOptions, lock: LockOptions, times: TimeOptions) -> Backend:
    """The port to the database. Does not connect.

    Raises:
        AgtoolError: the options make no sense, or something that they name is missing.
    """
    parts = Parts(
        where.engine, where.host, where.port, where.user, where.password_file, where.database
    )
    found = find_database(where.database_url, where.database_url_file, parts, os.environ)
    if where.database_url is not None:
        _hide_from_process_list(where.database_url, str(found))
    return open_backend(
        found,
        TableName.parse(lock.lock_table) if lock.lock_table else None,
        lock=lock.lock,
        kill_grace=times.kill_grace,
        connect_timeout=times.connect_timeout,
    )


def _place() -> str:
    """Where we are, for people: the pod's name, which is its host name; else host and pid."""
    host = os.environ.get("POD_NAME") or os.uname().nodename
    host = host.encode(errors="replace").decode()
    return host[:250] if os.getpid() == 1 else f"{host[:250]} (pid {os.getpid()})"


def _hide_from_process_list(url: str, shown: str) -> None:
    """Take a password that came as an argument out of what ps(1) shows, in whatever form."""
    from setproctitle import setproctitle

    arguments = [shown if a == url else a.replace(url, shown) for a in sys.argv[1:]]
    title = os.fsencode(" ".join(["agtool", *arguments]))  # arguments may be any bytes
    setproctitle(title.decode(errors="replace"))
