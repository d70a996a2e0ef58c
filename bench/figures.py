"""Figures: measured in turns, compared pair by pair, written as Markdown."""

from __future__ import annotations

import statistics
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

T = TypeVar("T")


class Aim(NamedTuple):
    """What was to be reached, and whether it was; None: it could not be measured."""

    what: str
    measured: str
    reached: bool | None


class Section(NamedTuple):
    """A part of the page, in Markdown, and the aims that it decides."""

    text: str
    aims: Sequence[Aim] = ()


def progress(text: str) -> None:
    """Tell the person who waits."""
    print(text, file=sys.stderr, flush=True)


def in_turns(
    what: str, rounds: int, contestants: Mapping[str, Callable[[], T]], *, warm_up: bool = True
) -> dict[str, list[T]]:
    """Measure A B A B ..., since the machine's other work comes and goes.

    warm_up: one more round first, which does not count (files are read, bytecode is written).
    """
    results: dict[str, list[T]] = {name: [] for name in contestants}
    if warm_up:
        for contestant in contestants.values():
            contestant()
    for number in range(rounds):
        progress(f"{what}: round {number + 1} of {rounds}")
        for name, contestant in contestants.items():
            results[name].append(contestant())
    return results


def median_ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of the ratios pair by pair, each pair measured one right after the other."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


def median_difference(more: Sequence[float], less: Sequence[float]) -> float:
    """The median of the differences pair by pair."""
    return statistics.median(a - b for a, b in zip(more, less, strict=True))


def p90(values: Sequence[float]) -> float:
    """The value that nine of ten do not exceed."""
    if len(values) == 1:
        return values[0]
    return statistics.quantiles(values, n=10, method="inclusive")[-1]


def seconds(value: float) -> str:
    """A time for people: milliseconds below one second."""
    return f"{value * 1000:.0f} ms" if abs(value) < 0.9995 else f"{value:.2f} s"


def median(values: Sequence[float]) -> str:
    """The median time of several, for people."""
    return seconds(statistics.median(values))


def ratio(value: float) -> str:
    """A ratio for people."""
    return f"{value:.2f}" if value < 9.995 else f"{value:.0f}"


def paragraph(text: str) -> str:
    """A paragraph of prose in lines of at most 120 characters."""
    return textwrap.fill(text, 120, break_long_words=False, break_on_hyphens=False)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table: the first column is text, the others are figures."""
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def aims_table(aims: Sequence[Aim]) -> str:
    """What was to be reached, and whether it was."""
    words = {True: "yes", False: "**no**", None: "not measured"}
    rows = [f"| {aim.what} | {aim.measured} | {words[aim.reached]} |" for aim in aims]
    return "\n".join(["| aim | measured | reached |", "| --- | ---: | --- |", *rows])


def against(aim: str, *, reached: bool) -> str:
    """The cell of a table, or words in a text, that say whether an aim was reached."""
    return f"{aim}: {'reached' if reached else '**missed**'}"


def put_into(page: Path, text: str) -> None:
    """Write `text` between the two lines of a page that say `make bench`."""
    start, end = (f"<!-- make bench: {word} here -->" for word in ("from", "to"))
    before, _, rest = page.read_text(encoding="utf-8").partition(start)
    _, _, after = rest.partition(end)
    page.write_text(f"{before}{start}\n\n{text}\n\n{end}{after}", encoding="utf-8")
