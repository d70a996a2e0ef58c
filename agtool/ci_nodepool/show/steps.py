"""What came of `apply` and `undo`, as a document and for people. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from agtool.ci_nodepool import documents
from agtool.ci_nodepool.apply import Applied
from agtool.ci_nodepool.show import nodes, runner
from agtool.ci_nodepool.undo import Undone


def applied_document(applied: Applied, *, dry_run: bool) -> documents.Applied:
    """For programs."""
    changed = nodes.document([applied.nodes], dry_run=dry_run)
    return documents.Applied(
        **vars(changed), runner=runner.document_sent(applied.runner, dry_run=dry_run)
    )


def undone_document(undone: Undone, *, dry_run: bool) -> documents.Undone:
    """For programs."""
    changed = nodes.document(undone.nodes, dry_run=dry_run)
    changed.warnings[:0] = undone.warnings
    restored = [runner.document(each, dry_run=dry_run) for each in undone.runners]
    return documents.Undone(**vars(changed), runners=restored)


def applied_view(applied: Applied, *, dry_run: bool) -> Iterator[str]:
    """The runner, then the nodes."""
    yield from runner.view_sent(applied.runner, dry_run=dry_run)
    if not applied.stopped:
        yield from nodes.view(applied.nodes, "apply")


def undone_view(undone: Undone, *, dry_run: bool) -> Iterator[str]:
    """The nodes, then the runners."""
    yield from nodes.warning_lines(undone.warnings)
    for step in undone.nodes:
        if step.changes:
            yield from nodes.view(step, "undo")
    for change in undone.runners:
        yield from runner.view(change, dry_run=dry_run)
    if not (undone or undone.stopped):
        yield "undo: nothing to do"
