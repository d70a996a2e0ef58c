"""Writes the tables of URLs' options into the reference, from the rows that agtool reads.

python -m tests.url_options
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from agtool.migrate_once.url.table import TABLE
from agtool.migrate_once.url.table.connectors import CONNECTORS
from agtool.migrate_once.url.table.row import Option

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "migrate-once.md"

BEGIN = "<!-- The tables below are made by `python -m tests.url_options`. -->\n"
END = "<!-- The tables end here. -->\n"

_TITLES = {
    "postgresql": "PostgreSQL",
    "mysql": "MySQL and MariaDB",
    "any": "Any engine but SQLite",
}


def tables() -> str:
    """The tables, and where each connector documents its options."""
    lines: list[str] = []
    for engine, title in _TITLES.items():
        lines += [
            "",
            f"**{title}**",
            "",
            "| options | of | what becomes of them |",
            "|---|---|---|",
        ]
        lines += [_row(option) for option in TABLE if option.engine == engine]
    lines += ["", "Each connector's options are those of its own documentation:", ""]
    lines += [f"- [{name}]({address})" for name, address in CONNECTORS.items()]
    return "\n".join([*lines[1:], ""])


def _row(option: Option) -> str:
    names = ", ".join(f"`{name}`" for name in option.names.split(", "))
    only = {"pgjdbc": " (`jdbc:postgresql:`)", "mariadb-connector-j": " (`jdbc:mariadb:`)"}
    cells = (names + only.get(option.driver, ""), option.connectors, ": ".join(_fate(option)))
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _fate(option: Option) -> Iterator[str]:
    if option.how in ("refused", "ignored"):
        yield option.how
    elif option.how == "unused":
        yield "no effect"
    if option.becomes:
        yield option.becomes


def split(page: str) -> tuple[str, str, str]:
    """The page before the tables, the tables, and the page after them."""
    before, _, rest = page.partition(BEGIN)
    inside, _, after = rest.partition(END)
    return before, inside, after


if __name__ == "__main__":
    before, _, after = split(PAGE.read_text())
    PAGE.write_text(before + BEGIN + "\n" + tables() + "\n" + END + after)
