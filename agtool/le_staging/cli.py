"""`agtool le-staging`: parse, wire, hand the result on."""

from __future__ import annotations

import typer

from agtool.le_staging import browser_cli

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def le_staging() -> None:
    """Verify and open sites that have certificates of Let's Encrypt's staging."""


browser_cli.register(app)
