"""The command itself: which form it has, and what that is wired to.

Not with postponed annotations, as in options.
"""

import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from agtool.core.command import Format, Result, make_app
from agtool.core.errors import INTERRUPTED
from agtool.core.options import (
    Output,
    given_options,
    grouped,
    number,
    runs_nothing,
    wrapped_command,
)
from agtool.core.output import say
from agtool.core.system import require_unix
from agtool.migrate_once import TECHNIQUE
from agtool.migrate_once.cli.modes import (
    choose_form,
    for_status_of,
    obeys,
    refuse_useless,
    refuse_without_key,
)
from agtool.migrate_once.cli.options import (
    DatabaseOptions,
    KeyOptions,
    LockOptions,
    ReportOptions,
    TimeOptions,
    backend,
)
from agtool.migrate_once.result_file import ResultFile

if TYPE_CHECKING:
    from agtool.core.errors import AgtoolError
    from agtool.migrate_once import documents
    from agtool.migrate_once.metrics import MetricsFile
    from agtool.migrate_once.model import Attempt

app = make_app()


@app.command("migrate-once")
@grouped
def migrate_once(  # noqa: PLR0917  # Typer's way: a parameter is an option
    context: typer.Context,
    where: DatabaseOptions,
    lock: LockOptions,
    what: KeyOptions,
    times: TimeOptions,
    report: ReportOptions,
    command: Annotated[
        list[str] | None,
        wrapped_command("The command to run.", TECHNIQUE.listed),
    ] = None,
    wait: Annotated[
        bool,
        typer.Option(
            "--wait",
            help="Wait until another pod's COMMAND has succeeded with --key; run nothing. It only "
            "reads.",
        ),
    ] = False,
    status: Annotated[
        bool,
        typer.Option(
            "--status",
            callback=runs_nothing,
            help="Show who holds the lock, who waits for it and what has run; run nothing.",
        ),
    ] = False,
    check_only: Annotated[
        bool,
        typer.Option(
            "--check",
            callback=runs_nothing,
            help="Show whether it would work, and what would happen to COMMAND now; run nothing.",
        ),
    ] = False,
    like_running: Annotated[
        bool,
        typer.Option(
            "--like-running",
            help="With --status: with the options and the environment of the agtool that runs "
            "beside this one, such as in the same container.",
        ),
    ] = False,
    output: Output = Format.table,  # noqa: ARG001  # the frame has read it
    limit: Annotated[
        int,
        number("NUMBER", "With --status: show at most so many runs that have ended", 1, 10000),
    ] = 20,
) -> "Result[documents.Status | documents.Check | documents.Outcome | None]":
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
      agtool migrate-once --key "$IMAGE_DIGEST" --attempts 3 -- ./upgrade.sh
      agtool migrate-once --wait --key "$IMAGE_DIGEST"
      agtool migrate-once --check
      agtool migrate-once --status --output json
    """  # noqa: D301  # the backslash keeps the examples' lines apart
    require_unix("migrate-once")
    TECHNIQUE.refuse_misplaced(sys.argv, command or ())
    given = given_options(context)
    form = choose_form({"--wait": wait, "--check": check_only, "--status": status})
    file = report.result_file if obeys(form, "--result-file") else None
    with ResultFile(file, context.obj.exit_code) as result:
        refuse_useless(form, given, command)
        refuse_without_key(form, given, what.key)
        report.refuse_same_file()
        if form == "--status":
            if like_running:
                _be_like_running(context)
            from agtool.migrate_once.status import view

            # The key of the pod's own setting is not asked for: its status is no verdict.
            asked = what.attempt() if "--key" in given else None
            found = backend(where, lock, times, given).status(limit, asked)
            missing = found.key is not None and not found.key.done
            return Result(found, view(found), exit_code=int(missing))
        if form == "--check":
            from agtool.migrate_once import check

            checked = check.check(lambda: backend(where, lock, times, given), what.attempt())
            shown = check.view(checked, what.key)
            return Result(checked, shown, exit_code=int(bool(checked.problems)))
        from agtool.core.process.environment import given_environment
        from agtool.core.signals import die_as_by_ctrl_c

        environment = given_environment()  # before backend() changes the title in the process list
        attempt = what.attempt()
        with _metrics(report, attempt, context.obj.exit_code) as metrics:
            port = backend(where, lock, times, given)
            for warning in port.warnings:
                say(warning, "database", level="warning")
            from agtool.migrate_once.acquire import Job

            job = Job(
                argv=command or (),
                env=environment,
                backend=port,
                attempt=attempt,
                wait_timeout=times.wait_timeout,
                connect_timeout=times.connect_timeout,
                kill_grace=times.kill_grace,
            )
            if metrics:
                job = job._replace(phase=metrics.phase)
            if trace := os.environ.get("AGTOOL_TRACE"):
                from agtool.migrate_once.trace import traced

                job = traced(job, trace)
            if form == "--wait":
                from agtool.migrate_once.wait import wait as carry_out
            else:
                from agtool.migrate_once.run import run as carry_out
            outcome = carry_out(job)
            if metrics:
                metrics.record(outcome)
        result.record(attempt, port.lock_name, outcome)
    if outcome.signal == "SIGINT" and outcome.exit_code == INTERRUPTED:
        die_as_by_ctrl_c()
    return Result(None, exit_code=outcome.exit_code)


def _be_like_running(context: typer.Context) -> NoReturn:
    """Start anew as the agtool beside us was started."""
    from agtool.migrate_once.running import become, neighbour

    found = neighbour()
    options = for_status_of(found.arguments, context.command.params)
    if "--key" not in options:
        options.pop("--name", None)
    words = [name if value is None else f"{name}={value}" for name, value in options.items()]
    become(words, found.environment, "--like-running")


def _metrics(
    report: ReportOptions, attempt: "Attempt", exit_code: "Callable[[AgtoolError], int]"
) -> "AbstractContextManager[MetricsFile | None]":
    """What keeps the metrics file; None: there is no such file."""
    if report.metrics_file is None:
        return nullcontext()
    from agtool.migrate_once.metrics import MetricsFile

    return MetricsFile(report.metrics_file, attempt, exit_code)
