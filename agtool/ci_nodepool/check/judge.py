"""What becomes of the jobs of runners in files. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal

from agtool.ci_nodepool import documents
from agtool.ci_nodepool.check.pools import Known, completed
from agtool.ci_nodepool.files.place import line_of
from agtool.ci_nodepool.files.read import Found
from agtool.ci_nodepool.files.template import masked
from agtool.ci_nodepool.model import Node, Taint, Toleration
from agtool.ci_nodepool.runner.edit import edit
from agtool.ci_nodepool.runner.jobs import Jobs
from agtool.ci_nodepool.runner.placement import CannotPatch, Tables, entry
from agtool.ci_nodepool.scheduling import wished
from agtool.ci_nodepool.status.judge import jobs_problems
from agtool.ci_nodepool.taints import lasting_taints
from agtool.core.finding import Finding

Verdict = Literal["fits", "misfit", "unknown"]

ADVICE = ("not-sent", "lost-tolerations", "wrong-knob")
"""Findings that say what could be better, and do not change the exit code."""


def check(found: Sequence[Found], known: Known) -> documents.Checked:
    """What becomes of the jobs of each runner, on these nodes."""
    runners = [_judge(each, own, known) for each in found for own in each.jobs]
    return documents.Checked(runners)


def exit_code(checked: documents.Checked) -> int:
    """0: all fit; 1: one does not; 3: none misfits, and one cannot be judged, or there is none."""
    verdicts = {each.verdict for each in checked.runners}
    if "misfit" in verdicts:
        return 1
    return 3 if "unknown" in verdicts or not verdicts else 0


def _judge(found: Found, own: Jobs, known: Known) -> documents.CheckedRunner:
    nodes, doubts = _nodes_for(own, known)
    own = own.with_doubts(*doubts)
    findings = [*own.findings(), *jobs_problems(known.pools, own, nodes)]
    if doubts:
        findings = [each for each in findings if each.code not in ("no-nodes", "not-sent")]
    codes = {each.code for each in findings} - set(ADVICE)
    verdict: Verdict = "fits"
    if codes - {"doubt"}:
        verdict = "misfit"
    elif codes:
        verdict = "unknown"
    meant = [n for n in nodes if own.selects(n) or own.prefer(n)]
    met = dict.fromkeys(taint for node in meant for taint in lasting_taints(node))
    first = line_of(found.file, found.place, 0) if found.place is not None else 1
    return documents.CheckedRunner(
        runner=own.runner,
        section=own.section,
        file=found.file.name,
        line=first,
        verdict=verdict,
        where=own.where,
        prefers=wished(own.spec),
        taints=[documents.MetTaint(str(taint), own.tolerates(taint)) for taint in met],
        findings=[replace(each, hint=_hint(each)) for each in findings],
        advice=list(own.advice()),
        change=_change(found, own, meant or nodes),
    )


def _nodes_for(own: Jobs, known: Known) -> tuple[Sequence[Node], list[str]]:
    """The nodes to hold the jobs against, and why they may not be the right ones."""
    if known.complete or own.pod.fails or not own.ask_for_nodes:
        return known.nodes, []
    possible = [node for each in known.nodes if (node := completed(each, own.spec))]
    if any(map(own.may_run_on, possible)):
        return possible, []
    return [], [f"they are sent to {own.where}, and nothing is known of such nodes"]


def _hint(finding: Finding) -> str:
    """The hint without commands for a live cluster, where the file is what is to be changed."""
    return "" if finding.hint.startswith("agtool ci-nodepool") else finding.hint


def _change(found: Found, own: Jobs, nodes: Sequence[Node]) -> documents.Line | None:
    """The line that lets the jobs run there, and where in the file it belongs."""
    if own.pod.fails or found.place is None or not (own.ask_for_nodes or wished(own.spec)):
        return None
    missing = list(_missing(own, nodes))
    if not missing:
        return None
    wanted = Tables({}, dict(entry(Toleration(*taint)) for taint in missing))
    try:
        _, done = edit(masked(found.text), wanted)
    except CannotPatch:
        return None
    if not done.insertions:
        return None
    offset = done.insertions[0].offset
    text = "".join(insertion.text for insertion in done.insertions).strip("\r\n")
    return documents.Line(line_of(found.file, found.place, offset), text)


def _missing(own: Jobs, nodes: Sequence[Node]) -> Iterator[Taint]:
    """The taints that keep the jobs off all nodes that are meant."""
    meant = [node for node in nodes if own.may_run_on(node)]
    against = [own.blocking(node) for node in meant]
    if against and all(against):
        yield from (taint for taint in against[0] if all(taint in each for each in against))
