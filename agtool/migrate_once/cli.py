"""`agtool migrate-once`: parse, wire, hand the result on."""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from agtool.core import options
from agtool.core.command import Format, Result, make_app
from agtool.core.errors import INTERRUPTED, UsageError, without_effect
from agtool.core.options import Output, duration, grouped, number, option, path, wrapped_command
from agtool.core.output import say
from agtool.migrate_once.engines import open_backend
from agtool.migrate_once.model import Attempt, TableName, new_run_id
from agtool.migrate_once.result_file import ResultFile
from agtool.migrate_once.url import Parts, find_database

if TYPE_CHECKING:
    from agtool.migrate_once import documents
    from agtool.migrate_once.backend import Backend

_LONGEST_GRACE = 3600.0
"""Seconds; the kernel cannot probe a connection after more than nine hours."""

_OF_STATUS = {"--limit", "--output"}
"""Options that have an effect with --status only."""

_OF_COMMAND = {"--key", "--kill-grace", "--name", "--result-file", "--wait-timeout"}
"""Options that have none with --status."""

app = make_app()


def _kill_grace(value: float) -> float:
    if value > _LONGEST_GRACE:
        raise typer.BadParameter("it is too long. It may be 1h at most.")
    return value


@app.command("migrate-once")
@grouped
def migrate_once(  # noqa: PLR0917  # Typer's way: a parameter is an option
    context: typer.Context,
    command: Annotated[
        list[str] | None,
        wrapped_command("The command to run."),
    ] = None,
    database_url: Annotated[
        str | None,
        option(
            "URL",
            "The URL of a postgresql, mysql, mariadb or sqlite database, as SQLAlchemy, JDBC, Go "
            "and others write it. Also: environment variable AGTOOL_DATABASE_URL, then "
            "DATABASE_URL, then SQLALCHEMY_DATABASE_URI.",
        ),
    ] = None,
    database_url_file: Annotated[
        Path | None,
        path("FILE", "Read the URL from this file, such as a mounted Secret."),
    ] = None,
    engine: Annotated[
        Literal["postgresql", "mysql", "mariadb", "sqlite"] | None,
        typer.Option(
            metavar="[postgresql|mysql|mariadb|sqlite]",
            help="Name the kind of database, if it is given in parts instead of a URL.",
        ),
    ] = None,
    host: Annotated[
        str | None,
        option(
            "HOST",
            "Name the server, or the folder or file of its socket. Also: PGHOST, POSTGRES_HOST, "
            "MYSQL_HOST, MARIADB_HOST, if there is no URL.",
        ),
    ] = None,
    port: Annotated[
        int | None,
        number(
            "PORT",
            "Name its port (also: PGPORT, POSTGRES_PORT, MYSQL_TCP_PORT, MARIADB_TCP_PORT)",
            1,
            65535,
        ),
    ] = None,
    user: Annotated[
        str | None,
        option("NAME", "Name the account. Also: PGUSER, POSTGRES_USER, MYSQL_USER, MARIADB_USER."),
    ] = None,
    password_file: Annotated[
        Path | None,
        path(
            "FILE",
            "Read its password from this file. Also: PGPASSWORD, POSTGRES_PASSWORD, "
            "MYSQL_PASSWORD, MARIADB_PASSWORD, and those of images with _FILE.",
        ),
    ] = None,
    database: Annotated[
        str | None,
        option(
            "NAME",
            "Name the database, or the file of SQLite. Also: PGDATABASE, POSTGRES_DB, "
            "MYSQL_DATABASE, MARIADB_DATABASE.",
        ),
    ] = None,
    lock_table: Annotated[
        str | None,
        option(
            "[SCHEMA.]TABLE",
            "Lock this table; it is created if it is missing.  [default: agtool.install_locks; "
            "MySQL: agtool_install_locks; SQLite: a file beside the database]",
            envvar="AGTOOL_LOCK_TABLE",
        ),
    ] = None,
    lock: Annotated[
        Literal["table", "advisory"] | None,
        option(
            "[table|advisory]",
            "Take an advisory lock, or lock the table itself, as others may do who do not use "
            "agtool (PostgreSQL).  [default: advisory]",
            envvar="AGTOOL_LOCK",
        ),
    ] = None,
    name: Annotated[
        str,
        option(
            "NAME",
            "The name of COMMAND in the history; each name has keys of its own.",
            envvar="AGTOOL_NAME",
        ),
    ] = "default",
    key: Annotated[
        str | None,
        option(
            "KEY",
            "Run COMMAND only if it has not succeeded with this key yet, such as the digest of the "
            "image.",
            envvar="AGTOOL_KEY",
        ),
    ] = None,
    wait_timeout: Annotated[
        float,
        duration(
            "Stop waiting for the lock after this time (exit code 124).  [default: never]",
            envvar="AGTOOL_WAIT_TIMEOUT",
        ),
    ] = math.inf,
    connect_timeout: Annotated[
        float,
        duration(
            "Stop trying to reach the database after this time (exit code 125).  [default: 2m]",
            envvar="AGTOOL_CONNECT_TIMEOUT",
        ),
    ] = 120.0,
    kill_grace: Annotated[
        float,
        duration(
            "Wait this time between SIGTERM and SIGKILL when the lock is lost.  [default: 10s]",
            envvar="AGTOOL_KILL_GRACE",
            callback=_kill_grace,
        ),
    ] = 10.0,
    result_file: Annotated[
        Path | None,
        path("FILE", "Write the result to this file as JSON.", envvar="AGTOOL_RESULT_FILE"),
    ] = None,
    status: Annotated[
        bool,
        typer.Option(
            "--status",
            callback=options.runs_nothing,
            help="Show who holds the lock, who waits for it and what has run; run nothing.",
        ),
    ] = False,
    output: Output = Format.table,  # noqa: ARG001  # the frame has read it
    limit: Annotated[
        int,
        number("NUMBER", "With --status: show at most so many runs that have ended", 1, 10000),
    ] = 20,
) -> Result[documents.Status | documents.Outcome | None]:
    """Run COMMAND once at a time among all replicas.

    A lock in the database lets one replica run COMMAND while the others wait. Then
    they run it in turn and find nothing to do; with --key they do not run it.

    The exit code is that of COMMAND, or 124: it waited too long for the lock.
    125: agtool failed, or the lock was lost. 126: COMMAND cannot be run.
    127: COMMAND was not found.

    \b
    Examples:
      agtool migrate-once -- alembic upgrade head
      agtool migrate-once --key "$IMAGE_DIGEST" -- python manage.py migrate
      agtool migrate-once --database-url-file /secrets/url -- ./upgrade.sh
      agtool migrate-once --status --output json
    """  # noqa: D301  # the backslash keeps the examples' lines apart
    given = options.given_options(context)

    def backend() -> Backend:
        parts = Parts(engine, host, port, user, password_file, database)
        found = find_database(database_url, database_url_file, parts, os.environ)
        if database_url is not None:
            _hide_from_process_list(database_url, str(found))
        return open_backend(
            found,
            TableName.parse(lock_table) if lock_table else None,
            lock=lock,
            kill_grace=kill_grace,
            connect_timeout=connect_timeout,
        )

    if status:
        _refuse(given & _OF_COMMAND, "with --status")
        if command:
            raise UsageError("--status runs no command", hint="Leave out what follows --.")
        from agtool.migrate_once.status import view

        found = backend().status(limit)
        return Result(found, view(found))
    with ResultFile(result_file, context.obj.exit_code) as result:
        from agtool.core.process.environment import given_environment
        from agtool.core.signals import die_as_by_ctrl_c
        from agtool.migrate_once.acquire import Job
        from agtool.migrate_once.run import run

        if not command:
            raise UsageError(
                "there is no COMMAND to run",
                hint="Example: agtool migrate-once -- alembic upgrade head\n"
                "To see what has run: agtool migrate-once --status",
            )
        _refuse(given & _OF_STATUS, "without --status")
        job = Job(
            argv=command,
            env=given_environment(),  # before backend() changes the title in the process list
            backend=backend(),
            attempt=_attempt(name, key),
            wait_timeout=wait_timeout,
            connect_timeout=connect_timeout,
            kill_grace=kill_grace,
        )
        for warning in job.backend.warnings:
            say(f"warning: {warning}")
        outcome = run(job)
        result.record(job.attempt, job.backend.lock_name, outcome)
    if outcome.signal == "SIGINT" and outcome.exit_code == INTERRUPTED:
        die_as_by_ctrl_c()
    return Result(None, exit_code=outcome.exit_code)


def _refuse(useless: set[str], why: str) -> None:
    if useless:
        raise without_effect(min(useless), why)


def _attempt(name: str, key: str | None) -> Attempt:
    for option_name, text, most in (("--name", name, 200), ("--key", key or "", 500)):
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
    return Attempt(name, key, _place(), new_run_id())


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
