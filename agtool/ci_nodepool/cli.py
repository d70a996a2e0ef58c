"""`agtool ci-nodepool`: the commands; each is parsed and wired in a module of its own."""

from __future__ import annotations

import typer

app = typer.Typer(
    name="ci-nodepool",
    no_args_is_help=True,
    rich_markup_mode=None,  # rich triples the time of --help
    help="CI jobs on preemptible nodes, kept that way.",
)
