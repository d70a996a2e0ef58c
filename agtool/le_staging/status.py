"""`agtool le-staging status`: what is installed and whether it works, section by section."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from agtool.core.errors import ConfigurationError
from agtool.core.output import print_table
from agtool.le_staging.roots import store
from agtool.le_staging.roots.pins import CURRENT


class Section(NamedTuple):
    """What one part of le-staging says of itself.

    Attributes:
        name: its heading, and its key in JSON.
        works: whether all of it is as it should be; None: it is not installed.
        lines: for people: what, and its state.
        data: for programs.
    """

    name: str
    works: bool | None
    lines: list[tuple[str, str]]
    data: dict[str, Any]


def roots() -> Section:
    """What `status` says of the fetched roots."""
    bundle = store.bundle()
    data: dict[str, Any] = {"bundle": str(bundle), "roots": [], "problem": None}
    try:
        found = store.roots()
    except store.NotFetched as error:
        return Section("roots", None, [("state", f"{error.message}. {error.hint}")], data)
    except ConfigurationError as error:
        data["problem"] = error.message
        return Section("roots", False, [("state", f"{error.message}. {error.hint}")], data)
    lines = [("file", str(bundle))]
    for root in found:
        lines.append((root.name, "private CA" if root.private else "current, fingerprint checked"))
        data["roots"].append({"name": root.name, "sha256": root.sha256, "private": root.private})
    missing = [pin for pin in CURRENT if pin.sha256 not in {root.sha256 for root in found}]
    lines += [(pin.name, "not fetched. Run: agtool le-staging fetch") for pin in missing]
    data["missing"] = [pin.name for pin in missing]
    return Section("roots", True, lines, data)


def print_sections(sections: Sequence[Section]) -> None:
    """For people."""
    from rich.table import Table
    from rich.text import Text

    states = {True: "works", False: "does not work", None: "not installed"}
    for section in sections:
        print_table(Text(f"{section.name}: {states[section.works]}", style="bold"))
        table = Table.grid(padding=(0, 2))
        for what, state in section.lines:
            table.add_row(Text(f"  {what}"), Text(state))
        print_table(table)
