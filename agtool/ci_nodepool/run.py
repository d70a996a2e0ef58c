"""One change of many nodes: plan, check, show, ask, write, and say what became of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agtool.ci_nodepool import checks
from agtool.ci_nodepool.affected import MANY, Affected, find_affected
from agtool.ci_nodepool.model import Node
from agtool.ci_nodepool.nodes import Pool
from agtool.ci_nodepool.options import ask
from agtool.ci_nodepool.plan import Change
from agtool.ci_nodepool.show import affected_text, count, diff_text
from agtool.ci_nodepool.write import Report, carry_out
from agtool.core.kube.errors import ConflictError, ForbiddenError
from agtool.core.output import Format, say

if TYPE_CHECKING:
    from agtool.core.kube.session import Session


@dataclass(frozen=True)
class Manner:
    """How to go about it: the options of the commands.

    Attributes:
        force: also when jobs would be stranded.
        look_at_pods: find out who is affected, which takes a list of all pods.
        besides: a runner whose jobs cannot be stranded, because it is about to be changed too.
    """

    dry_run: bool = False
    yes: bool = False
    output: Format = Format.table
    force: bool = False
    look_at_pods: bool = True
    besides: str = ""


@dataclass
class Result:
    """What was found, and what was done.

    Attributes:
        nodes: how many were looked at.
        affected: pods and DaemonSets that do not tolerate taints that are new.
        slipped: pods that came between our look and the taint.
        report: None: nothing was to be done, or was done.
        declined: the person said no.
    """

    pool: Pool
    nodes: int
    changes: list[Change]
    affected: list[Affected] = field(default_factory=list)
    slipped: list[Affected] = field(default_factory=list)
    report: Report | None = None
    dry_run: bool = False
    declined: bool = False

    def question(self) -> str:
        """What a person is asked before it is done."""
        return f"Change {count(len(self.changes), 'node')}?"

    def done(self) -> bool:
        """Whether all is as it was to be, and what comes next may begin."""
        left = self.report and (self.report.failed or self.report.interrupted)
        return not (self.declined or left)


def change_nodes(
    session: Session,
    pool: Pool,
    nodes: Sequence[Node],
    planned: Callable[[Node], Change],
    *,
    manner: Manner,
) -> Result:
    """Carry out what `planned` says for each node.

    Raises:
        ConflictError: something is there with another value.
        WouldStrand: jobs would wait for ever.
        UsageError: the person has to be asked and is not there.
    """
    plans = [planned(node) for node in nodes]
    _refuse_clashes(plans)
    changes = [change for change in plans if change]
    result = Result(pool, len(nodes), changes, dry_run=manner.dry_run)
    if not changes:
        return result
    if not manner.force:
        checks.refuse_stranding(session, changes, besides=manner.besides)
    result.affected = _affected(session, changes, manner)
    if manner.dry_run:
        return result
    if not _agreed(result, manner):
        result.declined = True
        return result
    result.report = carry_out(session, changes, planned)
    if result.done() and len(changes) <= MANY:
        after = _affected(session, changes, manner)
        result.slipped = [affected for affected in after if affected not in result.affected]
    return result


def _affected(session: Session, changes: Sequence[Change], manner: Manner) -> list[Affected]:
    """Who does not tolerate the taints that are new; says so where we may not look."""
    taints = checks.added_taints(changes)
    if not (taints and manner.look_at_pods):
        return []
    try:
        return find_affected(session, taints, [c.node for c in changes if c.taints is not None])
    except ForbiddenError as error:
        say(f"warning: cannot look at who is affected: {error.message}\n{error.hint}")
        return []


def _agreed(result: Result, manner: Manner) -> bool:
    """Show what is going to happen; ask, where more is touched than was named."""
    if result.affected:
        say(affected_text(result.affected))
    if result.pool.names:
        return True
    say(diff_text(result.changes))
    return ask(result.question(), yes=manner.yes, output=manner.output)


def _refuse_clashes(plans: Sequence[Change]) -> None:
    clashing = [change for change in plans if change.clashes]
    if clashing:
        first = clashing[0]
        others = f" (and {len(clashing) - 1:,} more)" if len(clashing) > 1 else ""
        raise ConflictError(
            f"node {first.node.name}{others} has {', '.join(first.clashes)} already",
            hint="Nothing was changed. With --overwrite, `taint` and `label` replace it, and undo "
            "brings it back.",
        )
