"""A command in the place of the one that is wrapped."""

from __future__ import annotations

from typing import Annotated

import typer

from agtool.core.command import Format, Result, make_app
from agtool.core.errors import ConfigurationError
from agtool.core.options import Output
from tests.unit.app.shop import documents

app = make_app()


@app.command("wrap paper")
def paper(
    colour: Annotated[str, typer.Argument(metavar="[COLOUR]", help="Of the paper.")] = "red",
    output: Output = Format.table,
) -> Result[documents.Nothing]:
    """Choose the paper.

    \b
    Examples:
      agtool wrap paper
    """  # noqa: D301
    del output
    if colour == "none":
        raise ConfigurationError("there is no paper")
    return Result(documents.Nothing(colour), [colour])
