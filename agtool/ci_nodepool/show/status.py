"""The status for people. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from agtool.ci_nodepool import documents
from agtool.ci_nodepool.model import Toleration
from agtool.ci_nodepool.pool.fates import FATES, Affected
from agtool.ci_nodepool.runner.survival import RETRY
from agtool.core.duration import in_words
from agtool.core.finding import Finding
from agtool.core.table import table
from agtool.core.text import count, some

if TYPE_CHECKING:
    from rich.console import RenderableType

_ROWS = 20
"""How many nodes or pods a table holds; JSON has all."""


def view(status: documents.Status) -> Iterator[str | RenderableType]:
    """The pools, the runners, and what does not fit together."""
    for pool in status.pools:
        yield from _pool(pool)
    if not status.pools:
        yield (
            "No node has the label of a provider's preemptible nodes, and no runner selects nodes "
            "by a label."
        )
    if status.runners:
        rows = [
            (
                runner.runner + (f" ({runner.section})" if runner.section else ""),
                _where(runner),
                ", ".join(map(_toleration, runner.tolerations)) or "-",
            )
            for runner in status.runners
        ]
        yield table(("runner", "jobs go to", "jobs tolerate"), rows, identifiers=["runner"])
    elif not status.warnings:
        yield "No GitLab runner was found."
    for warning in status.warnings:
        yield f"not looked at: {warning.message}"
    for problem in status.problems:
        yield f"! {problem.message}"
        yield from (f"    {line}" for line in problem.hint.splitlines())
    if status.pools and not status.problems:
        yield f"Everything {'that was looked at ' * bool(status.warnings)}fits together."
    yield from advice_lines(status.advice)


def advice_lines(advice: Sequence[Finding]) -> Iterator[str]:
    """What helps, by the places where it belongs, once for all that lack it.

    The last place is what the teams have to do.
    """
    if not advice:
        return
    yield "So that jobs survive the loss of a node:"
    groups: dict[tuple[str, str], list[Finding]] = {}
    for code in dict.fromkeys(each.code for each in advice):
        same = [each for each in advice if each.code == code]
        names = list(dict.fromkeys(each.subject.removeprefix("runner ") for each in same))
        groups.setdefault((_place(same[0])[0], some(names)), []).append(same[0])
    groups[_place(RETRY)[0], ""] = [RETRY]
    for (place, runners), findings in groups.items():
        yield f"{place}, of {runners}:" if runners else f"{place}:"
        yield from (f"- {each.message}" for each in findings)
        tables: dict[str, list[str]] = {}
        for finding in findings:
            first, *rest = _place(finding)[1]
            if first.startswith("["):
                tables.setdefault(first, []).extend(rest)
            else:
                tables.setdefault("", []).extend([first, *rest])
        for title, lines in tables.items():
            yield from (f"    {line}" for line in ([title] if title else []) + lines)


def _place(advice: Finding) -> tuple[str, list[str]]:
    """Where a hint belongs, and what belongs there."""
    first, *rest = advice.hint.splitlines()
    if first.endswith(":"):
        return first.removesuffix(":"), rest
    return "In the runner's configuration", [first, *rest]


def _where(runner: documents.RunnerStatus) -> str:
    where = runner.where.removeprefix("nodes with ")
    return f"{where}, rather with {runner.prefers}" if runner.prefers else where


def _pool(pool: documents.PoolStatus) -> Iterator[str | RenderableType]:
    ready = sum(node.ready and not node.cordoned for node in pool.nodes)
    yield f"nodes with {pool.selector}: {count(len(pool.nodes), 'node')}, {ready:,} ready"
    if pool.nodes:
        # Those that differ from most come first.
        most = max(pool.taints.values(), default=0)
        common = {taint for taint, number in pool.taints.items() if number == most}
        nodes = sorted(
            pool.nodes, key=lambda n: (n.ready and not n.cordoned and common <= {*n.taints}, n.name)
        )
        # What all have is told once: a taint is longer than what a terminal has left for it.
        shared = [taint for taint, number in pool.taints.items() if number == len(nodes)]
        ours = [each for each in nodes[0].by_agtool if all(each in n.by_agtool for n in nodes)]
        for what in dict.fromkeys([*shared, *ours]):
            yield f"  all have {what}" + ", set by agtool" * (what in ours)
        columns = {
            "node": [node.name for node in nodes],
            "state": [
                ("ready" if node.ready else "not ready") + ", cordoned" * node.cordoned
                for node in nodes
            ],
            "age": [_age(node.created) for node in nodes],
            "other taints" if shared else "taints": [
                ", ".join(taint for taint in node.taints if taint not in shared) or "-"
                for node in nodes
            ],
            "by agtool": [
                ", ".join(each for each in node.by_agtool if each not in ours) or "-"
                for node in nodes
            ],
        }
        for title in ("other taints", "by agtool"):
            if {*columns.get(title, ())} == {"-"}:
                del columns[title]
        rows = [*zip(*columns.values(), strict=True)]
        yield table([*columns], rows[:_ROWS], identifiers=["node"])
        yield from _rest(nodes)
    if pool.jobs:
        lost = ", ".join(f"{number:,} to {why}" for why, number in pool.jobs.lost.items())
        yield (
            f"  {count(pool.jobs.running, 'job')} on these nodes, {pool.jobs.waiting:,} waiting; "
            f"lost in the last hour: {lost or 'none that an event tells of'}"
        )
    for each in pool.passing:
        yield f"  {each.taint} on {count(each.nodes, 'node')} comes and goes: {each.why}"
    if pool.affected:
        found = [(f"{a.kind} {a}", a.node or "-", _fate(a)) for a in pool.affected[:_ROWS]]
        titles = ("does not tolerate", "node", "what becomes of it")
        yield table(titles, found, identifiers=titles[:2])
        yield from _rest(pool.affected)


def _rest(rows: Sequence[object]) -> Iterator[str]:
    if len(rows) > _ROWS:
        yield f"  and {len(rows) - _ROWS:,} more: --output json shows all"


def _fate(affected: Affected) -> str:
    time = f" ({affected.seconds} s)" if affected.seconds else ""
    return FATES[affected.fate] + time


def _toleration(toleration: Toleration) -> str:
    value = "" if toleration.value is None else f"={toleration.value}"
    return f"{toleration.key or '(any)'}{value}:{toleration.effect or '(any)'}"


def _age(created: str) -> str:
    if not created:
        return "-"
    since = datetime.strptime(created, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
    # Another machine's clock may be ahead of ours.
    return in_words(max(0.0, (datetime.now(timezone.utc) - since).total_seconds()))
