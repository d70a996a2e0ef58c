"""The figures of all runs, kept in bench/results: what a page says, as numbers, run after run.

One file for each bench: `{"bench": NAME, "runs": [RUN...]}`, the oldest first, and a RUN is

    date    when it ended, as 2026-11-23
    load    the machine's load average before it, in processes; null: it was not written down
    about   lines on the machine and the versions of what was measured
    tables  heading -> first cell of a row -> head of a column -> number

Times are seconds and sizes KiB. A cell with two numbers (`131 / 274`) is two columns, the second
with ` 2` at its end. A cell without a number is left out.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

FOLDER = Path(__file__).parent / "results"

Tables = dict[str, dict[str, dict[str, float]]]

_UNITS = {"µs": 1e-6, "ms": 1e-3, "s": 1.0, "KiB": 1.0, "MiB": 1024.0}
_NUMBER = re.compile(r"^[+-]?\d[\d,]*(?:\.\d+)?")


class Run(TypedDict):
    """One run of a bench, as the file has it."""

    date: str
    load: float | None
    about: list[str]
    tables: Tables


def numbers(cell: str, head: str) -> list[float]:
    """The numbers of a table's cell. The head of its column has the unit, if the cell has none."""
    found = []
    for part in cell.replace("*", "").split(" / "):
        if number := _NUMBER.match(part.strip()):
            unit = part.strip()[number.end() :].strip().partition(" ")[0]
            factor = _UNITS.get(unit) or next(
                (_UNITS[word] for word in head.split() if word in _UNITS), 1.0
            )
            found.append(round(float(number[0].replace(",", "")) * factor, 9))
    return found


def tables(text: str) -> Tables:
    """The figures in the tables of a text in Markdown, by the heading above them."""
    found: Tables = {}
    heading, heads = "", list[str]()
    for line in text.splitlines():
        if line.startswith("#"):
            heading = line.lstrip("#").strip()
        if not line.startswith("|"):
            heads = []
            continue
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not heads:
            heads = cells
        elif not set(line) <= set("|-: "):
            row = {}
            for head, cell in zip(heads[1:], cells[1:], strict=False):
                for number, value in enumerate(numbers(cell, head)):
                    row[f"{head} {number + 1}" if number else head] = value
            # Rows of one name (a contestant with 10 replicas, and with 50) are told apart.
            name = cells[0]
            if name in found.get(heading, {}):
                name = f"{name}, {cells[1]}"
            if row:
                found.setdefault(heading, {})[name] = row
    return found


def runs(bench: str) -> list[Run]:
    """The runs of a bench that are kept, the oldest first."""
    path = FOLDER / f"{bench}.json"
    if not path.exists():
        return []
    kept: list[Run] = json.loads(path.read_text(encoding="utf-8"))["runs"]
    return kept


def keep(bench: str, text: str, load: float | None, about: Sequence[str]) -> None:
    """Add a run to those that are kept: what its text in Markdown says."""
    today = time.strftime("%Y-%m-%d", time.gmtime())
    run: Run = {"date": today, "load": load, "about": list(about), "tables": tables(text)}
    document = {"bench": bench, "runs": [*runs(bench), run]}
    written = json.dumps(document, indent=1, ensure_ascii=False)
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{bench}.json").write_text(f"{written}\n", encoding="utf-8")


def last_paragraph(text: str) -> str:
    """What some texts say of the machine and the versions, on one line."""
    return " ".join(text.strip().rpartition("\n\n")[2].split())
