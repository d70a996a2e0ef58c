"""`agtool migrate-once`: parse, wire, hand the result on."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agtool.core.duration import parse_duration
from agtool.core.errors import (
    INTERRUPTED,
    WRAPPER_FAILED,
    AgtoolError,
    ConfigurationError,
    UsageError,
    unexpected,
)
from agtool.core.output import Format, document, errors_as_json, print_json, say
from agtool.migrate_once.model import (
    Attempt,
    Outcome,
    TableName,
    new_run_id,
    time_to_die,
)
from agtool.migrate_once.url import Database, find_url, parse

if TYPE_CHECKING:
    from agtool.migrate_once.backend import Backend

_LONGEST_GRACE = 3600.0
"""Seconds; the kernel cannot probe a connection after more than nine hours."""

LOCKS = ("table", "advisory")


def migrate_once(  # noqa: PLR0917  # Typer's way: a parameter is an option
    command: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="-- COMMAND [ARG]...", help="What to run, once.", show_default=False
        ),
    ] = None,
    database_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="A SQLAlchemy URL of postgresql, mysql, mariadb or sqlite. Also: environment "
            "variable AGTOOL_DATABASE_URL, then DATABASE_URL, then SQLALCHEMY_DATABASE_URI.",
        ),
    ] = None,
    database_url_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            readable=False,  # not checked by Typer: our own message names the reason
            help="Read the URL from FILE, such as a mounted Secret.",
        ),
    ] = None,
    lock_table: Annotated[
        str | None,
        typer.Option(
            metavar="[SCHEMA.]TABLE",
            envvar="AGTOOL_LOCK_TABLE",
            help="The table to lock, created if missing.  [default: agtool.install_locks; "
            "MySQL: agtool_install_locks; SQLite: a file beside the database]",
        ),
    ] = None,
    lock: Annotated[
        str,
        typer.Option(
            metavar="table|advisory",
            envvar="AGTOOL_LOCK",
            help="advisory: for upgrades that VACUUM the whole database.",
        ),
    ] = "table",
    name: Annotated[
        str,
        typer.Option(
            envvar="AGTOOL_NAME",
            help="What the command is called in the history and for --key.",
        ),
    ] = "default",
    key: Annotated[
        str | None,
        typer.Option(
            envvar="AGTOOL_KEY",
            help="If NAME has already finished with KEY (an image's digest), end with 0 at once.",
        ),
    ] = None,
    wait_timeout: Annotated[
        str | None,
        typer.Option(
            metavar="DURATION",
            envvar="AGTOOL_WAIT_TIMEOUT",
            help="Give up waiting for the lock (exit 124).  [default: never]",
        ),
    ] = None,
    connect_timeout: Annotated[
        str,
        typer.Option(
            metavar="DURATION",
            envvar="AGTOOL_CONNECT_TIMEOUT",
            help="Give up on a database that does not answer (exit 125).",
        ),
    ] = "2m",
    kill_grace: Annotated[
        str,
        typer.Option(
            metavar="DURATION",
            envvar="AGTOOL_KILL_GRACE",
            help="Time between SIGTERM and SIGKILL when the lock is lost.",
        ),
    ] = "10s",
    result_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            readable=False,  # it is only written
            envvar="AGTOOL_RESULT_FILE",
            help="Write the result there as JSON; stdout belongs to the command.",
        ),
    ] = None,
    status: Annotated[
        bool,
        typer.Option(
            "--status",
            help="Show the holder, the waiters and the history; run nothing.",
        ),
    ] = False,
    output: Annotated[Format, typer.Option(help="How to print the status.")] = Format.table,
    limit: Annotated[
        int,
        typer.Option(min=1, max=10000, help="Runs to show."),
    ] = 20,
) -> int:
    """Run COMMAND once at a time among all replicas.

    Under a lock in the database, one replica runs it; the others wait, then run it
    in turn and find nothing to do. With --key they end at once instead.

    The exit code is COMMAND's. 124: waited too long. 125: agtool failed, or the
    lock was lost. 126: COMMAND cannot be run. 127: it was not found.

    \b
    Examples:
      agtool migrate-once -- alembic upgrade head
      agtool migrate-once --key "$IMAGE_DIGEST" -- python manage.py migrate
      agtool migrate-once --database-url-file /secrets/url -- ./upgrade.sh
      agtool migrate-once --status --output json
    """  # noqa: D301  # the backslash keeps the examples' lines apart

    def backend() -> Backend:
        url = find_url(database_url, database_url_file, os.environ)
        database = parse(url)
        if database_url is not None:
            _hide_from_process_list(database_url, str(database))
        table = TableName.parse(lock_table) if lock_table else None
        return _backend(
            database,
            table,
            lock=lock,
            grace=grace(),
            connect_timeout=parse_duration(connect_timeout),
        )

    def grace() -> float:
        seconds = parse_duration(kill_grace)
        if seconds > _LONGEST_GRACE:
            raise UsageError(f"--kill-grace {kill_grace} is too long", hint="At most 1h.")
        return seconds

    if status:
        with errors_as_json("migrate-once", output is Format.json):
            if command:
                raise UsageError("--status runs no command", hint="Leave out what follows --.")
            return _status(backend(), limit, output)
    with _Result(result_file) as result:
        from agtool.core.signals import die_as_by_ctrl_c
        from agtool.migrate_once.run import Job, run

        job = Job(
            argv=_checked(command),
            backend=backend(),
            attempt=_attempt(name, key),
            wait_timeout=math.inf if wait_timeout is None else parse_duration(wait_timeout),
            connect_timeout=parse_duration(connect_timeout),
            kill_grace=grace(),
        )
        for warning in job.backend.warnings:
            say(f"warning: {warning}")
        result.describe(job.attempt, job.backend)
        outcome = run(job)
        result.set(outcome)
    if outcome.signal == "SIGINT" and outcome.exit_code == INTERRUPTED:
        die_as_by_ctrl_c()
    return outcome.exit_code


def _checked(command: list[str] | None) -> list[str]:
    if not command:
        raise UsageError(
            "no COMMAND to run", hint="Example: agtool migrate-once -- alembic upgrade head"
        )
    return command


def _attempt(name: str, key: str | None) -> Attempt:
    if not 0 < len(name) <= 200 or len(key or "") > 500:
        raise UsageError("--name may have 1 to 200 characters, and --key up to 500")
    try:
        (name + (key or "")).encode()
    except UnicodeEncodeError:
        raise UsageError("--name and --key must be UTF-8 text") from None
    return Attempt(name, key or None, _place(), new_run_id())


def _backend(
    database: Database, table: TableName | None, *, lock: str, grace: float, connect_timeout: float
) -> Backend:
    """The implementation for the URL's engine; imports its driver and no other."""
    if lock not in LOCKS:
        raise UsageError(f"--lock is {lock!r}", hint="Choose table or advisory.")
    try:
        if database.engine == "postgresql":
            from agtool.migrate_once.postgresql import PostgreSQL

            return PostgreSQL(
                database,
                table,
                lock=lock,
                time_to_die=time_to_die(grace),
                connect_timeout=connect_timeout,
            )
        if database.engine == "mysql":
            from agtool.migrate_once.mysql import MySQL

            return MySQL(
                database, table, time_to_die=time_to_die(grace), connect_timeout=connect_timeout
            )
    except ModuleNotFoundError as error:
        extra = "agtool[mysql]" if database.engine == "mysql" else "psycopg2-binary"
        raise ConfigurationError(
            f"no driver for {database.engine}: the Python module {error.name} is missing",
            hint=f"Install it: pip install '{extra}'",
        ) from error
    from agtool.migrate_once.sqlite import SQLite

    try:
        return SQLite(database, table)
    except OSError as error:
        raise ConfigurationError(
            f"cannot use {database}: {error.strerror}", hint="Check the path in the database URL."
        ) from error


def _status(backend: Backend, limit: int, output: Format) -> int:
    from agtool.migrate_once.status import as_data, print_status

    status = backend.status(limit)
    if output is Format.json:
        print_json(document("migrate-once", data=as_data(status, backend.lock_name)))
    else:
        print_status(status, backend.lock_name)
    return 0


class _Result:
    """The result file, and the exit code of a wrapping command for every error inside."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        # /dev/stderr and its like name an open file, whose earlier content is not ours.
        self._mode = "a" if str(path).startswith(("/dev/std", "/dev/fd/", "/proc/")) else "w"
        self._data: dict[str, Any] = {}
        self._exit_code = 0

    def __enter__(self) -> _Result:
        if self._path is not None:
            try:
                # Before any work: a path that cannot be written must not show after it.
                with self._path.open(self._mode, encoding="utf-8"):
                    pass
            except OSError as error:
                failure = ConfigurationError(
                    f"cannot write the result file {self._path}: {error.strerror}"
                )
                failure.exit_code = WRAPPER_FAILED
                raise failure from error
        return self

    def describe(self, attempt: Attempt, backend: Backend) -> None:
        self._data.update(
            name=attempt.name,
            key=attempt.key,
            place=attempt.place,
            run_id=attempt.run_id,
            lock=backend.lock_name,
        )

    def set(self, outcome: Outcome) -> None:
        self._data.update(
            outcome=outcome.what,
            run_id=outcome.run_id,
            waited_seconds=round(outcome.waited, 3),
            ran_seconds=None if outcome.ran is None else round(outcome.ran, 3),
            started_at=outcome.started_at,
            signal=outcome.signal,
            reason=outcome.reason,
            marked_done=outcome.marked,
        )
        self._exit_code = outcome.exit_code

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, Exception):
            failure = error if isinstance(error, AgtoolError) else unexpected(error)
            failure.exit_code = WRAPPER_FAILED
            self._write(WRAPPER_FAILED, [failure])
            if failure is not error:
                raise failure from error
        elif error is None:
            self._write(self._exit_code, [])

    def _write(self, exit_code: int, errors: list[AgtoolError]) -> None:
        if self._path is None:
            return
        import json

        result = document("migrate-once", exit_code=exit_code, data=self._data, errors=errors)
        try:
            with self._path.open(self._mode, encoding="utf-8") as file:
                file.write(json.dumps(result) + "\n")
        except OSError as failure:
            # The command's exit code is worth more than its report.
            say(f"warning: cannot write the result file {self._path}: {failure.strerror}")


def _place() -> str:
    """Where we are, for people: the pod's name, which is its host name; else host and pid."""
    host = os.environ.get("POD_NAME") or os.uname().nodename
    host = host.encode(errors="replace").decode()
    return host[:250] if os.getpid() == 1 else f"{host[:250]} (pid {os.getpid()})"


def _hide_from_process_list(url: str, shown: str) -> None:
    """Take a password that came as an argument out of what ps(1) shows."""
    import sys

    from setproctitle import setproctitle

    arguments = [shown if a == url else a.replace(url, shown) for a in sys.argv[1:]]
    setproctitle(" ".join(["agtool", *arguments]))
