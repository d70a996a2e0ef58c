"""A command that wraps another one, and has a form that wraps none."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from agtool.core.command import Format, Result, make_app
from agtool.core.errors import ConfigurationError, DeniedError
from agtool.core.options import Output, duration, runs_nothing
from tests.unit.app.shop import WRAPPER

app = make_app()


@app.command("wrap", context_settings={"allow_interspersed_args": False})
def wrap(
    command: Annotated[list[str], typer.Argument(metavar="COMMAND...", help="To run.")],
    timeout: Annotated[float, duration("Give up after this time.  [default: 10m]")] = 600.0,
    name: Annotated[str, typer.Option(metavar="NAME", help="A name.")] = "",
    listed: Annotated[
        bool, typer.Option("--list", help="Show what runs.", callback=runs_nothing)
    ] = False,
    output: Output = Format.table,
) -> Result[None]:
    """Run a command.

    \b
    Examples:
      agtool wrap -- true
    """  # noqa: D301
    del name, output
    WRAPPER.refuse_misplaced(sys.argv, command)
    if listed:
        raise DeniedError("it may not be listed", hint="Ask somebody.")
    if timeout < 1:
        raise ConfigurationError("no time")
    return Result(None, exit_code=int(command[0]))
