"""Draw what is kept in bench/results beside its peers, and write the page of the plots.

python -m bench.plots     (`make plots`; needs no server: it reads files)
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from bench import floor, results
from bench.figures import paragraph, progress, seconds, table
from bench.pictures import PLOTS, Bar, Plot

ROOT = Path(__file__).parents[1]
PYTHON = ROOT / ".venv-docs" / "bin" / "python"
PAGE = ROOT / "docs" / "reference" / "performance.md"
FOLDER = PAGE.parent / "plots"

OURS, THEIRS, TEXT = "#1f6feb", "#8c959f", "#1f2328"
# Pixels. Drawn so narrow, text of 13 is one of more than 6 points on a phone.
BARS, NAMES = 290, 215


def main() -> int:
    """Draw all of them and write the page; the exit code is 0."""
    FOLDER.mkdir(exist_ok=True)
    for plot in PLOTS:
        _draw(plot)
    PAGE.write_text(page(), encoding="utf-8")
    progress(f"see {PAGE.relative_to(ROOT)}")
    return 0


def shown(value: float, unit: str) -> str:
    """A figure for people."""
    if unit == "KiB":
        return f"{value:,.0f} KiB"
    return f"{value * 1e6:.0f} µs" if value < 0.001 else seconds(value)


def figure(run: results.Run, bar: Bar, column: str = "") -> float | None:
    """A bar's figure in a run, or None: it was not measured then."""
    row = run["tables"].get(bar.heading, {}).get(bar.row, {})
    return row.get(column or bar.column)


def said(plot: Plot) -> str:
    """All figures of a plot in one sentence, for who cannot see it."""
    (*_, run) = results.runs(plot.bench)
    parts: dict[str, list[str]] = {}
    for bar in plot.bars:
        if (value := figure(run, bar)) is not None:
            parts.setdefault(bar.group, []).append(f"{bar.label} {shown(value, plot.unit)}")
    groups = (
        f"{group}: {', '.join(bars)}" if group else ", ".join(bars) for group, bars in parts.items()
    )
    return f"{plot.title}. {'; '.join(groups)}."


def measured(run: results.Run) -> str:
    """On what, when and under which load a run measured."""
    load = run["load"]
    idle = "load not written down" if load is None else f"load average {load:.1f} before"
    about = [re.sub(r",? ?load average before the run:? [\d.]+", "", line) for line in run["about"]]
    return "; ".join([run["date"], idle, *filter(None, about)])


def _draw(plot: Plot) -> None:
    (*_, run) = results.runs(plot.bench)
    rows = []
    for bar in plot.bars:
        if (value := figure(run, bar)) is None:
            continue
        longest = figure(run, bar, bar.whisker) if bar.whisker else None
        rows.append(
            {
                "name": bar.label,
                "group": bar.group,
                "value": value,
                "longest": longest or value,
                "shown": shown(value, plot.unit),
                "ours": bar.label.startswith(("agtool", "pause")),
            }
        )
    svg = FOLDER / f"{plot.name}.svg"
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
        json.dump(_specification(plot, rows, measured(run)), file)
        file.flush()
        subprocess.run([PYTHON, ROOT / "bench" / "draw.py", file.name, svg], check=True)
    drawn = svg.read_text(encoding="utf-8")
    start, end, rest = drawn.partition(">")
    described = f"<title>{escape(plot.title)}</title><desc>{escape(said(plot))}</desc>"
    svg.write_text(f"{start}{end}{described}{rest}\n", encoding="utf-8")


def _specification(plot: Plot, rows: list[dict[str, Any]], about: str) -> Mapping[str, Any]:
    """Bars from the left, each with its figure, agtool's in another colour."""
    most = max(row["longest"] for row in rows)
    x = {"type": "quantitative", "axis": None, "scale": {"domain": [0, most * 1.3]}}
    y = {
        "field": "name",
        "type": "nominal",
        "sort": [row["name"] for row in rows],
        "title": None,
        "axis": {"labelLimit": NAMES, "minExtent": NAMES, "domain": False, "ticks": False},
    }
    colour = {
        "condition": {"test": "datum.ours", "value": OURS},
        "value": THEIRS,
    }
    layers = [
        {
            "mark": {"type": "bar", "height": 14, "cornerRadiusEnd": 2},
            "encoding": {"x": {**x, "field": "value"}, "y": y, "color": colour},
        },
        {
            "transform": [{"filter": "datum.longest > datum.value"}],
            "mark": {"type": "rule", "color": TEXT},
            "encoding": {"x": {**x, "field": "value"}, "x2": {"field": "longest"}, "y": y},
        },
        {
            "mark": {"type": "text", "align": "left", "dx": 5},
            "encoding": {"x": {**x, "field": "longest"}, "y": y, "text": {"field": "shown"}},
        },
    ]
    view: dict[str, Any] = {"layer": layers, "width": BARS, "height": {"step": 22}}
    if any(row["group"] for row in rows):
        groups = list(dict.fromkeys(row["group"] for row in rows))
        header = {"title": None, "labelAngle": 0, "labelOrient": "top", "labelAnchor": "start"}
        view = {
            "facet": {"row": {"field": "group", "sort": groups, "header": header}},
            "spec": view,
            "resolve": {"scale": {"y": "independent"}},
            "spacing": 8,
        }
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "data": {"values": rows},
        "background": "white",
        "padding": 12,
        "title": {
            "text": textwrap.wrap(plot.title, 56),
            "subtitle": textwrap.wrap(about, 78),
            "anchor": "start",
            "frame": "bounds",
            "offset": 12,
        },
        "config": {
            "font": "sans-serif",
            "text": {"fontSize": 13, "color": TEXT},
            "axis": {"labelFontSize": 13, "labelColor": TEXT},
            "header": {"labelFontSize": 13, "labelFontWeight": "bold", "labelColor": TEXT},
            "title": {
                "fontSize": 16,
                "subtitleFontSize": 12,
                "color": TEXT,
                "subtitleColor": "#59636e",
            },
            "view": {"stroke": None},
        },
        **view,
    }


def page() -> str:
    """The page of all plots, and of what has changed since the runs before."""
    parts = [
        "# Performance",
        paragraph(
            "Each figure beside its peers, from the last run of `make bench`. The machine, the "
            "versions, the date and the load are in each picture. Shorter is better. Below each is "
            "a link to how it was measured, with all its figures: tables of "
            "[start-up and migrate-once](benchmarks.md) and of [le-staging]"
            "(le-staging-benchmarks.md) on pages of their own, the others beside what they are "
            "about. Whatever was measured is in `bench/results`; `make plots` draws it anew."
        ),
    ]
    for plot in PLOTS:
        parts += [
            f"## {plot.title}",
            f"![{said(plot)}](plots/{plot.name}.svg)",
            paragraph(f"{plot.below} [How it was measured]({plot.page}).".strip()),
            *changes(plot),
        ]
    return "\n\n".join([*parts, floor.section()]) + "\n"


def changes(plot: Plot) -> Iterator[str]:
    """A table of what an earlier run has measured too, if there was one."""
    *past, now = results.runs(plot.bench)
    rows = []
    for bar in plot.bars:
        before = [value for run in past if (value := figure(run, bar)) is not None]
        value = figure(now, bar)
        if before and value is not None:
            name = f"{bar.group}: {bar.label}" if bar.group else bar.label
            spread = f"{shown(min(before), plot.unit)} to {shown(max(before), plot.unit)}"
            change = f"{value / before[-1] - 1:+.0%}" if before[-1] else ""
            figures = (shown(before[-1], plot.unit), shown(value, plot.unit))
            rows.append([name, *figures, change, f"{spread} in {len(before)}"])
    if rows:
        heads = ["", f"{past[-1]['date']}", now["date"], "change", "all runs before"]
        yield table(heads, rows)


if __name__ == "__main__":
    sys.exit(main())
