"""What can be set, in groups.

Not with postponed annotations: to compile them at each start takes 4 ms of CPU.
"""

import math
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import typer

from agtool.core.errors import ConfigurationError, UsageError
from agtool.core.options import (
    LogFormat,
    duration,
    flag,
    given_options,
    not_empty,
    number,
    option,
    path,
)
from agtool.core.text import is_utf_8
from agtool.migrate_once.backend import Backend
from agtool.migrate_once.engines import open_backend
from agtool.migrate_once.model import Attempt, TableName, new_run_id
from agtool.migrate_once.url import Database, Parts, find_database, is_port

_LONGEST_GRACE = 3600.0
"""Seconds; the kernel cannot probe a connection after more than nine hours."""


def _port(context: typer.Context, value: str | None) -> str | None:
    """A port's number. AGTOOL_PORT=tcp://10.0.0.1:80 is Kubernetes', for a service agtool."""
    if value is None or (value.startswith("tcp://") and "--port" not in given_options(context)):
        return None
    not_empty(value)
    if not is_port(value):
        raise typer.BadParameter(f"{value!r} is not a number from 1 to 65535.")
    return value


def not_too_long(value: float) -> float:
    """The value of `--kill-grace`, in seconds."""
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
        path(
            "FILE",
            "Read the URL from this file, such as a mounted Secret, again for each connection.",
            envvar="AGTOOL_DATABASE_URL_FILE",
        ),
    ] = None
    engine: Annotated[
        Literal["postgresql", "mysql", "mariadb", "sqlite"] | None,
        typer.Option(
            metavar="[postgresql|mysql|mariadb|sqlite]",
            help="Name the kind of database, if it is given in parts instead of a URL.",
            envvar="AGTOOL_ENGINE",
        ),
    ] = None
    host: Annotated[
        str | None,
        option(
            "HOST",
            "Name the server, or the folder or file of its socket. Also: PGHOST, POSTGRES_HOST, "
            "MYSQL_HOST, MARIADB_HOST, if there is no URL.",
            envvar="AGTOOL_HOST",
        ),
    ] = None
    port: Annotated[
        str | None,
        option(
            "PORT",
            "Name its port, from 1 to 65535. Also: PGPORT, POSTGRES_PORT, MYSQL_TCP_PORT, "
            "MYSQL_PORT, MARIADB_TCP_PORT, MARIADB_PORT.",
            callback=_port,
            envvar="AGTOOL_PORT",
        ),
    ] = None
    user: Annotated[
        str | None,
        option(
            "NAME",
            "Name the account. Also: PGUSER, POSTGRES_USER, MYSQL_USER, MARIADB_USER.",
            envvar="AGTOOL_USER",
        ),
    ] = None
    password_file: Annotated[
        Path | None,
        path(
            "FILE",
            "Read its password from this file, again for each connection. Also: PGPASSWORD, "
            "POSTGRES_PASSWORD, MYSQL_PASSWORD, MARIADB_PASSWORD, and those of images with _FILE.",
            envvar="AGTOOL_PASSWORD_FILE",
        ),
    ] = None
    password_command: Annotated[
        str | None,
        option(
            "COMMAND",
            "Run this command, without a shell, for the password that it prints; again when the "
            "server refuses that, and every 5 minutes. For tokens, such as those of IAM.",
            envvar="AGTOOL_PASSWORD_COMMAND",
        ),
    ] = None
    database: Annotated[
        str | None,
        option(
            "NAME",
            "Name the database, or the file of SQLite. Also: PGDATABASE, POSTGRES_DB, "
            "MYSQL_DATABASE, MARIADB_DATABASE.",
            envvar="AGTOOL_DATABASE",
        ),
    ] = None
    database_url_env: Annotated[
        str | None, option("NAME", "Read the URL from the environment variable of this name.")
    ] = None
    host_env: Annotated[
        str | None, option("NAME", "Read the server's name from this environment variable.")
    ] = None
    port_env: Annotated[
        str | None, option("NAME", "Read its port from this environment variable.")
    ] = None
    user_env: Annotated[
        str | None, option("NAME", "Read the account's name from this environment variable.")
    ] = None
    password_env: Annotated[
        str | None, option("NAME", "Read its password from this environment variable.")
    ] = None
    database_env: Annotated[
        str | None, option("NAME", "Read the database's name from this environment variable.")
    ] = None

    def from_environment(self, environ: Mapping[str, str], given: set[str]) -> dict[str, str]:
        """What the variables hold whose names were given, by the option that says the same.

        given: the options on the command line. agtool's own variables do not count beside them.

        Raises:
            UsageError: that option is given as well.
            ConfigurationError: there is no such variable, or it is empty.
        """
        found = {}
        for field in ("database_url", "host", "port", "user", "password", "database"):
            name = getattr(self, f"{field}_env")
            if name is None:
                continue
            shown = field.replace("_", "-")
            for other in (f"--{shown}", f"--{shown}-file", f"--{shown}-command"):
                if other in given:
                    raise UsageError(f"--{shown}-env and {other} cannot be given together")
            if not environ.get(name, "").strip():
                raise ConfigurationError(
                    f"the environment variable {name}, which --{shown}-env names, is not set or "
                    "empty",
                    hint="Check the container's env and envFrom, and the Secret's or ConfigMap's "
                    "keys.",
                )
            found[field] = environ[name].strip("\r\n") if field != "password" else environ[name]
        return found


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
            if not is_utf_8(text):
                raise UsageError(
                    f"{option_name} is not UTF-8 text", hint=f"Write {option_name} in UTF-8."
                )
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
            callback=not_too_long,
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


def backend(
    where: DatabaseOptions, lock: LockOptions, times: TimeOptions, given: set[str]
) -> Backend:
    """The port to the database. Does not connect. given: the options on the command line.

    Raises:
        AgtoolError: the options make no sense, or something that they name is missing.
    """
    return open_backend(
        _find(where, given),
        TableName.parse(lock.lock_table) if lock.lock_table else None,
        lock=lock.lock,
        kill_grace=times.kill_grace,
        connect_timeout=times.connect_timeout,
    )


def _find(where: DatabaseOptions, given: set[str]) -> Database:
    """The database; of two options that say the same, what stands on the command line wins."""
    from_variables = where.from_environment(os.environ, given)
    url = from_variables.get("database_url", where.database_url)
    file = where.database_url_file
    if file is not None and "--database-url-file" not in given:
        if url is not None:
            file = None
        elif os.environ.get("AGTOOL_DATABASE_URL"):
            raise ConfigurationError(
                "AGTOOL_DATABASE_URL and AGTOOL_DATABASE_URL_FILE are both set",
                hint="Unset one of them.",
            )
    password_file, password_command = where.password_file, where.password_command
    if "password" in from_variables:
        password_file = password_command = None
    elif password_file is not None and password_command is not None:
        on_line = given & {"--password-file", "--password-command"}
        if len(on_line) != 1:
            raise UsageError("--password-file and --password-command cannot be given together")
        if "--password-file" in on_line:
            password_command = None
        else:
            password_file = None
    port = from_variables.get("port", where.port)
    if port is not None and not is_port(port):
        raise ConfigurationError(f"the variable {where.port_env} holds {port[:20]!r}, not a port")
    parts = Parts(
        where.engine,
        from_variables.get("host", where.host),
        None if port is None else int(port),
        from_variables.get("user", where.user),
        password_file,
        from_variables.get("database", where.database),
        password_command,
        from_variables.get("password"),
    )
    found = find_database(url, file, parts, os.environ)
    if where.database_url is not None:
        _hide_from_process_list(where.database_url, str(found))
    return found


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
