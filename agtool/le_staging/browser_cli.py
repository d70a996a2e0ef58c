"""`agtool le-staging chrome`, `desktop` and `remove`: parse, wire, hand the result on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agtool.le_staging.status import Section

if TYPE_CHECKING:
    import typer


def register(app: typer.Typer) -> None:
    """Add the commands of this file to `agtool le-staging`."""


def sections() -> list[Section]:
    """What `status` says of the browsers and the launcher."""
    return []
