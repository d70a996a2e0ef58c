"""The speed of what people wait for, beside what cannot be had for less, as one table.

Each figure is of the last run of its bench.
"""

from __future__ import annotations

from typing import NamedTuple

from bench import results
from bench.figures import paragraph, ratio, table


class Target(NamedTuple):
    """A figure of a bench: the heading of its table, its row and its column there, and its aim.

    Attributes:
        unit: KiB; empty: it is a ratio.
        more: more is better.
    """

    what: str
    bench: str
    heading: str
    row: str
    column: str
    aim: float
    unit: str = ""
    more: bool = False


_KUBECTL = "agtool / kubectl, time"
_THIS = "agtool / this, CPU"

TARGETS = (
    Target(
        "`agtool --help` / `kubectl --help`",
        "start",
        "Start",
        "`kubectl --help`",
        "agtool / this, wall",
        1.0,
    ),
    Target(
        "`migrate-once`, key done before / a bare psycopg2",
        "migrate-once",
        "The fast path",
        "Python: import psycopg2, connect, SELECT 1",
        _THIS,
        1.5,
    ),
    Target(
        "`le-staging verify`, loopback / a bare Python with `ssl`",
        "le-staging",
        "One host on loopback",
        "a bare Python with `ssl`",
        _THIS,
        1.5,
    ),
    Target(
        "`debug --list` / `kubectl get pods -l`", "debug", "", "list of debug pods", _KUBECTL, 2.0
    ),
    Target(
        "`debug -- true` / `kubectl` run, wait, exec, delete",
        "debug",
        "",
        "Enter to pod gone",
        _KUBECTL,
        0.9,
    ),
    Target("`debug`, Enter to prompt / the same", "debug", "", "Enter to prompt", _KUBECTL, 0.9),
    Target(
        "`ci-nodepool status` / `kubectl get nodes,deployments,configmaps -A`",
        "ci-nodepool",
        "",
        "`status` of three nodes",
        "agtool / kubectl",
        2.0,
    ),
    *(
        Target(
            f"`kubectl taint` / `ci-nodepool taint`, 5,000 nodes, {latency}",
            "ci-nodepool",
            "",
            f"{latency} latency",
            "kubectl / agtool",
            aim,
            more=True,
        )
        for latency, aim in (("0 ms", 3.0), ("20 ms", 12.0))
    ),
    Target(
        "`ci-nodepool watch`, 5,000 nodes, peak",
        "ci-nodepool",
        "",
        "`watch` of 5,000 nodes",
        "peak memory",
        64 * 1024,
        "KiB",
    ),
)


def section() -> str:
    """The section of the page."""
    rows = []
    for target in TARGETS:
        (*_, run) = results.runs(target.bench)
        value = run["tables"].get(target.heading, {}).get(target.row, {}).get(target.column)
        if value is None:
            continue
        reached = value >= target.aim if target.more else value <= target.aim
        cells = [_shown(value, target.unit), _shown(target.aim, target.unit)]
        rows.append([target.what, *cells, "yes" if reached else "**no**", run["date"]])
    return "\n\n".join(
        (
            "## Beside the floor",
            paragraph(
                "What people wait for, as a multiple of what cannot be had for less, or of what "
                "they would use instead: of its time, or where a bare Python stands beside it of "
                "its CPU time. Of the taints, how many times faster agtool is. Python and the "
                "command line (Typer) alone take more than a whole `kubectl --help`, so where "
                "little is done an aim may be out of reach."
            ),
            table(["", "measured", "aim", "reached", "date"], rows),
        )
    )


def _shown(value: float, unit: str) -> str:
    return f"{value / 1024:.0f} MiB" if unit == "KiB" else ratio(value)
