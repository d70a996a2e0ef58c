"""What must not happen to jobs: to wait for ever. Refused before anything is changed."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from shlex import quote

from agtool.ci_nodepool.model import Node, Taint, taint_of
from agtool.ci_nodepool.pool.plan import Change, added_taints
from agtool.ci_nodepool.pool.write import NODES
from agtool.ci_nodepool.presets import Pool, own_taints
from agtool.ci_nodepool.runner.find import find_visible
from agtool.ci_nodepool.runner.jobs import Jobs, none_takes
from agtool.ci_nodepool.runner.read import jobs
from agtool.ci_nodepool.scheduling import selectors
from agtool.core.errors import DeniedError
from agtool.core.finding import Finding
from agtool.core.kube.session import Session


class WouldStrand(DeniedError):
    """Jobs would wait for ever."""

    code = "would-strand-jobs"


class CannotJudge(DeniedError):
    """It cannot be told whether jobs would wait for ever."""

    code = "cannot-judge-jobs"


def refuse_stranding(
    session: Session, pool: Pool, changes: Sequence[Change], *, besides: Sequence[str] = ()
) -> list[Finding]:
    """Raise WouldStrand if jobs of any runner would wait for ever; looks only where they might.

    Args:
        pool: the nodes that are changed, for the hint.
        besides: runners that are not looked at, because they are about to be changed too.

    Returns:
        What could not be looked at.

    Raises:
        CannotJudge: it cannot be told of a runner.
    """
    taints = added_taints(changes)
    if not (taints or any(change.labels.keys() & change.node.labels for change in changes)):
        return []
    runners, warnings = find_visible(session, None, "runners whose jobs would wait for ever")
    others = [own for each in runners if str(each) not in besides for own in jobs(each)]
    both = [(change.node, _after(change)) for change in changes]
    doubtful = None
    stranded: list[tuple[Jobs, Taint | None]] = []
    for own in others:
        if own.pod.fails:  # no node can help them, and none can harm them
            continue
        if own.doubts:
            doubtful = doubtful or own
            continue
        lost, taint = _loss(session, own, taints, both)
        if lost:
            stranded.append((own, taint))
    if stranded:
        raise _stranding(pool, stranded, taints, besides)
    if doubtful:
        raise CannotJudge(
            f"it cannot be told whether jobs of {doubtful} would wait for ever: "
            f"{doubtful.doubts[0]}",
            hint="Make that visible, or look for yourself. --force changes the nodes anyway.",
            subject=doubtful.subject,
        )
    return warnings


def _loss(
    session: Session, own: Jobs, taints: Sequence[Taint], both: Sequence[tuple[Node, Node]]
) -> tuple[bool, Taint | None]:
    """Whether the changes strand the jobs, and by which taint; None: by a label.

    Args:
        both: each node before and after its change.
    """
    for taint in taints:
        if not own.tolerates(taint) and any(
            own.selects(before) and taint in map(taint_of, after.taints) for before, after in both
        ):
            return True, taint
    if any(own.run_on(after) for _, after in both):
        return False, None
    lost = next((after for before, after in both if own.run_on(before)), None)
    if lost is None or _has_another(session, own, {before.name for before, _ in both}):
        return False, None
    against = own.blocking(lost)
    return True, against[0] if against else None


def _stranding(
    pool: Pool,
    stranded: Sequence[tuple[Jobs, Taint | None]],
    taints: Sequence[Taint],
    besides: Sequence[str],
) -> WouldStrand:
    """The error, with a hint that leads out of it for all of these runners at once."""
    own, taint = stranded[0]
    more = f" (and of {len(stranded) - 1:,} more)" if len(stranded) > 1 else ""
    if taint is None:
        return WouldStrand(
            f"jobs of {own}{more} are sent to {own.where}, and no node would have it any more: "
            "they would wait for ever",
            hint="Send the jobs elsewhere first: agtool ci-nodepool undo does both. --force "
            "changes the label anyway.",
            subject=own.subject,
        )
    options = "".join(f" --taint {quote(str(each))}" for each in taints)
    if pool.names and not all(each.ask_for_nodes for each, _ in stranded):
        hint = (
            "Send them to a pool first: give the nodes a label of their own, and choose them by "
            "it. agtool ci-nodepool apply -l KEY=VALUE then changes both in the right order."
        )
    elif pool.names:
        steps = [
            f"agtool ci-nodepool patch-runner --runner {each.runner}{_asked(each)}{options}"
            for each, _ in stranded
        ]
        hint = "\n".join(["Let them tolerate it first:", *steps, "Then run this command again."])
    else:
        names = dict.fromkeys([*besides, *(each.runner for each, _ in stranded)])
        chosen = "".join(f" --runner {name}" for name in names)
        default = pool.preset is not None and list(taints) == [pool.preset.taint]
        hint = (
            "Change both in the right order: agtool ci-nodepool apply "
            f"{pool.options}{chosen}{'' if default else options}"
        )
    where = "are sent to these nodes" if own.ask_for_nodes else "would have no other node"
    why = "" if own.ask_for_nodes else ", for a cluster to which others will come"
    return WouldStrand(
        f"jobs of {own}{more} {where} and do not tolerate {taint}: they would wait for ever",
        hint=f"{hint}\n--force taints the nodes anyway{why}.",
        subject=own.subject,
    )


def _asked(own: Jobs) -> str:
    found = selectors(own.spec)
    return f" -l {quote(found[0])}" if found else ""


def _after(change: Change) -> Node:
    """The node as it shall be."""
    labels = {**change.node.labels, **change.labels}
    taints = change.node.taints if change.taints is None else change.taints
    kept = {key: value for key, value in labels.items() if value is not None}
    return replace(change.node, labels=kept, taints=taints)


def _has_another(session: Session, own: Jobs, changed: Collection[str]) -> bool:
    """Whether any node that is not changed takes the jobs."""
    return any(own.run_on(node) for node in _nodes(session) if node.name not in changed)


def _nodes(session: Session) -> Iterator[Node]:
    return map(Node.from_api, session.pages(NODES))


def refuse_nowhere(own: Jobs, nodes: Sequence[Node], pool: Pool, taints: Sequence[Taint]) -> None:
    """Raise WouldStrand if none of the nodes could take the jobs.

    Args:
        pool: the nodes, for the hint.
        taints: that jobs shall tolerate, for the hint; none: those that go with the pool.

    Raises:
        CannotJudge: it cannot be told.
    """
    if own.doubts:
        raise CannotJudge(
            f"it cannot be told where jobs of {own} would run: {own.doubts[0]}",
            hint="Make that visible, or look for yourself. --force changes the runner anyway.",
            subject=own.subject,
        )
    selected = [node for node in nodes if own.may_run_on(node)]
    if not selected:
        raise WouldStrand(
            f"{none_takes(own, nodes)}, to which jobs of {own} would be sent: they would wait for "
            "ever",
            hint="Label the nodes first, or give another --preset or --selector. --force changes "
            "the runner anyway, for a pool that scales from zero.",
            subject=own.subject,
        )
    blocked = [own.blocking(node) for node in selected]
    if all(blocked):
        raise WouldStrand(
            "every node of the pool has a taint that jobs would not tolerate, such as "
            f"{blocked[0][0]}: they would wait for ever",
            hint=_name_taints(own, blocked, pool, [*taints] or own_taints(pool, selected, ())),
            subject=own.subject,
        )


def _name_taints(
    own: Jobs, blocked: Sequence[Sequence[Taint]], pool: Pool, wanted: Sequence[Taint]
) -> str:
    """How to let jobs tolerate what keeps them off, without giving it to nodes that lack it."""
    every = dict.fromkeys(taint for each in blocked for taint in each)
    common = all(taint in each for taint in every for each in blocked)
    options = "".join(f" --taint {quote(str(taint))}" for taint in [*wanted, *every])
    force = "--force changes the runner anyway."
    if common:
        return f"Name the taints of the pool:{options}. {force}"
    return (
        "Nodes differ in their taints. Let jobs tolerate them all first: agtool ci-nodepool "
        f"patch-runner {pool.options} --runner {own.runner}{options}\n{force}"
    )
