"""The status, for people and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from agtool.ci_nodepool.affected import FATES
from agtool.ci_nodepool.model import Jobs, Node, Taint, lasting_taints
from agtool.ci_nodepool.record import Record
from agtool.ci_nodepool.show import count
from agtool.ci_nodepool.status import PoolStatus, Problem, Status
from agtool.core.output import print_table, print_text

if TYPE_CHECKING:
    from rich.table import Table

_ROWS = 20
"""How many nodes or pods a table holds; JSON has all."""


def status_data(status: Status, problems: Sequence[Problem]) -> dict[str, Any]:
    """For programs."""
    return {
        "pools": [
            {
                "selector": each.pool.selector,
                "preset": each.pool.preset.name if each.pool.preset else None,
                "taints": {str(taint): having for taint, having in each.taints.items()},
                "nodes": [_node_data(node) for node in each.nodes],
                "affected": [affected._asdict() for affected in each.affected],
            }
            for each in status.pools
        ],
        "runners": [
            {
                "runner": jobs.runner,
                "selector": dict(jobs.selector),
                "tolerations": [toleration._asdict() for toleration in jobs.tolerations],
                "on_pool_nodes": status.managers.get(jobs.runner, []),
            }
            for jobs in status.jobs
        ],
        "unseen": status.unseen,
        "problems": [problem._asdict() for problem in problems],
    }


def _node_data(node: Node) -> dict[str, Any]:
    return {
        "name": node.name,
        "created": node.created,
        "ready": node.ready,
        "cordoned": node.cordoned,
        "taints": [str(taint) for taint in lasting_taints(node)],
        "by_agtool": [str(what) for what in Record.read(node.record).owned()],
    }


def print_status(status: Status, problems: Sequence[Problem]) -> None:
    """For people."""
    for each in status.pools:
        _print_pool(each)
    if not status.pools:
        print_text(
            "No node carries a provider's label of preemptible nodes, and no runner selects."
        )
    if status.jobs:
        print_table(_runners(status.jobs))
    for unseen in status.unseen:
        print_text(f"not looked at: {unseen}")
    for problem in problems:
        print_text(f"! {problem.what}" + (f"\n    {problem.hint}" if problem.hint else ""))
    if status.pools and not problems:
        print_text(f"Everything {'that was looked at ' * bool(status.unseen)}fits together.")


def _print_pool(status: PoolStatus) -> None:
    nodes = status.nodes
    ready = sum(node.ready and not node.cordoned for node in nodes)
    print_text(f"{status.pool}: {count(len(nodes), 'node')}, {ready:,} ready")
    if nodes:
        table = _table("node", "state", "age", "taints", "by agtool")
        # Those that differ from most come first.
        taints = status.taints
        common = {taint for taint, having in taints.items() if having == max(taints.values())}
        for node in sorted(nodes, key=lambda n: (_is_usual(n, common), n.name))[:_ROWS]:
            has = ", ".join(map(str, lasting_taints(node)))
            owned = ", ".join(map(str, Record.read(node.record).owned()))
            _add(table, node.name, _state(node), _age(node), has or "-", owned or "-")
        print_table(table)
    if len(nodes) > _ROWS:
        print_text(f"  and {len(nodes) - _ROWS:,} more: --output json has all")
    if status.affected:
        table = _table("does not tolerate", "node", "")
        for affected in status.affected[:_ROWS]:
            name = f"{affected.kind} {affected.namespace}/{affected.name}"
            _add(table, name, affected.node or "-", FATES[affected.fate])
        print_table(table)
        if len(status.affected) > _ROWS:
            print_text(f"  and {len(status.affected) - _ROWS:,} more: --output json has all")


def _is_usual(node: Node, common: set[Taint]) -> bool:
    return node.ready and not node.cordoned and common <= set(lasting_taints(node))


def _runners(of: Sequence[Jobs]) -> Table:
    table = _table("runner", "jobs are sent to", "and tolerate")
    for jobs in of:
        selector = ", ".join(f"{key}={value}" for key, value in jobs.selector.items())
        tolerations = ", ".join(
            f"{t.key or '(any)'}{'' if t.value is None else f'={t.value}'}:{t.effect or '(any)'}"
            for t in jobs.tolerations
        )
        _add(table, jobs.runner, selector or "any node", tolerations or "-")
    return table


def _table(*columns: str) -> Table:
    from rich.table import Table

    table = Table(box=None)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _add(table: Table, *cells: str) -> None:
    """A row with what somebody wrote, as it is: no markup, no control characters."""
    from rich.text import Text

    plain = (
        "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in t) for t in cells
    )
    table.add_row(*map(Text, plain))


def _state(node: Node) -> str:
    return ("ready" if node.ready else "not ready") + (", cordoned" if node.cordoned else "")


def _age(node: Node) -> str:
    if not node.created:
        return "-"
    created = datetime.strptime(node.created, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
    minutes = int((datetime.now(timezone.utc) - created).total_seconds() / 60)
    if minutes < 120:
        return f"{minutes}m"
    return f"{minutes // 60}h" if minutes < 48 * 60 else f"{minutes // 1440}d"
