"""The commands of the small technique."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from agtool.core import completion
from agtool.core.command import Format, Result, make_app
from agtool.core.options import ClusterOptions, Namespace, Output, Yes, grouped
from agtool.core.question import Question

if TYPE_CHECKING:
    from tests.unit.app.shop import documents

app = make_app(help="Sell apples.")


@app.callback()
def shop() -> None:
    """Sell apples."""


@app.command("sell")
@grouped
def sell(
    cluster: ClusterOptions, output: Output = Format.table, yes: Yes = False
) -> Result[documents.Sold | documents.Nothing]:
    """Sell all apples.

    \b
    Examples:
      agtool shop sell
    """  # noqa: D301
    from datetime import datetime, timezone

    from agtool.core.finding import Finding
    from tests.unit.app.shop import documents

    Question(yes=yes, output=output).confirm("Sell them?", declined="No apple was sold.")
    if cluster.as_user:
        return Result(documents.Nothing("nobody came"), ["nothing"], exit_code=1)
    eaten = datetime(2026, 1, 2, tzinfo=timezone.utc)
    apples = (documents.Apple("red", 1.5), documents.Apple("green", 2, eaten))
    problems = [Finding("worm", "there is a worm", subject="apple 2")]
    return Result(documents.Sold(apples, {"red": 3}, problems), ["2 apples"], names=["red"])


@app.command("close")
def close() -> Result[None]:
    """Close the shop.

    \b
    Examples:
      agtool shop close
    """  # noqa: D301
    return Result(None, ["closed"])


@app.command("look")
@grouped
def look(
    cluster: ClusterOptions,
    namespace: Namespace = None,
    node: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="A node.", autocompletion=completion.nodes),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(metavar="KIND/NAME", help="A thing.", autocompletion=completion.workloads),
    ] = None,
) -> Result[None]:
    """Look at the cluster.

    \b
    Examples:
      agtool shop look
    """  # noqa: D301
    return Result(None, [f"{cluster.context} {namespace} {node} {target}"])
