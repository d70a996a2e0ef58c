"""`agtool le-staging env`: programs of every kind that trust the staging roots."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer  # noqa: TC002  # Typer reads the annotations

from agtool.core.command import Format, Invocation, Result
from agtool.core.errors import CANNOT_EXECUTE, NOT_FOUND, ConfigurationError
from agtool.core.options import Output, grouped, wrapped_command
from agtool.le_staging.cli.twins import UntrustedTwins

if TYPE_CHECKING:
    from agtool.le_staging import documents


class _CannotRun(ConfigurationError):
    exit_code = CANNOT_EXECUTE
    code = "cannot-run"


class _NotFound(ConfigurationError):
    exit_code = NOT_FOUND
    code = "not-found"


@grouped
def env(
    context: typer.Context,
    command: Annotated[
        list[str] | None,
        wrapped_command("Run this command with the variables, instead of printing them."),
    ] = None,
    untrusted_twins: UntrustedTwins = False,
    _output: Output = Format.table,
) -> Result[documents.TrustingEnvironment]:
    """Print the environment variables with which programs trust the staging roots.

    They are those of curl, Python, Node.js, Java, Go, Ruby, git and others. What
    replaces a program's trust has the public roots too. With a command the variables
    are set for it alone; its exit code is passed on.

    \b
    Examples:
      agtool le-staging env -- python client.py
      eval "$(agtool le-staging env)"
    """  # noqa: D301  # the backslash keeps the examples' lines apart
    import shlex

    from agtool.le_staging.documents import EnvironmentVariable, TrustingEnvironment
    from agtool.le_staging.environment import variables
    from agtool.le_staging.roots import fetch, trust

    invocation = context.find_object(Invocation)
    if command and invocation:
        invocation.runs_command = True  # our own failures are 125 then, as for env(1)
    roots = fetch.ensure()
    made = variables(roots, untrusted_twins=untrusted_twins)
    if command:
        _become(command, {one.name: one.value for one in made})
    trusted = roots if untrusted_twins else trust.split(roots)[0]
    return Result(
        TrustingEnvironment(
            [EnvironmentVariable(*one) for one in made], [root.name for root in trusted]
        ),
        [f"export {one.name}={shlex.quote(one.value)}" for one in made],
    )


def _become(command: list[str], variables: dict[str, str]) -> NoReturn:
    """Be the command from now on: its signals, its terminal and its exit code are its own."""
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execvpe(command[0], command, {**os.environ, **variables})  # noqa: S606
    except FileNotFoundError as error:
        raise _NotFound(
            f"the command {command[0]!r} was not found", hint="Check its name and PATH."
        ) from error
    except OSError as error:
        raise _CannotRun(
            f"the command {command[0]!r} cannot be run: {error.strerror}",
            hint="Check its permissions and its first line.",
        ) from error
