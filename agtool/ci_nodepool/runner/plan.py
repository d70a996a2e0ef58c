"""What to change on a runner, and back: plans over what the API has. Pure.

The ConfigMap carries an annotation with what agtool inserted, so that undo takes back that and no
more, whatever others have changed since.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from agtool.ci_nodepool.model import RECORD
from agtool.ci_nodepool.runner.edit import Edit, edit, read, remove
from agtool.ci_nodepool.runner.jobs import Jobs
from agtool.ci_nodepool.runner.model import Runner
from agtool.ci_nodepool.runner.placement import UPGRADE, CannotPatch, Tables, lacking
from agtool.ci_nodepool.runner.read import jobs, with_text
from agtool.ci_nodepool.runner.settings import check_overrides, template, unseen
from agtool.ci_nodepool.runner.toml import Insertion
from agtool.core.finding import Finding
from agtool.core.kube.session import Json
from agtool.core.text import read_json

RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
"""The annotation of a pod template by which kubectl restarts a Deployment."""


@dataclass(frozen=True)
class RunnerPlan:
    """What to change on one runner.

    Attributes:
        before: the template as it is.
        after: the template as it shall be.
        record: the new annotation; empty: none.
        added: the entries that come, or (undo) go.
        kept: what undo leaves, and why.
        warnings: what else a person should know.
    """

    runner: Runner
    before: str
    after: str
    record: str
    added: Tables = field(default_factory=Tables)
    kept: tuple[str, ...] = ()
    warnings: tuple[Finding, ...] = ()

    def __bool__(self) -> bool:
        return self.before != self.after or self.record != self.runner.record

    def patch(self) -> Json:
        """As a JSON merge patch, which the API refuses (409) if the ConfigMap has changed."""
        return self._patch(self.runner.config_map, self.record, self.after)

    def back(self, written: Json) -> Json:
        """The patch that puts back what was there, if nobody has changed `written` since."""
        return self._patch(written, self.runner.record, self.before)

    def _patch(self, config_map: Json, record: str, text: str) -> Json:
        version = config_map["metadata"]["resourceVersion"]
        metadata = {"resourceVersion": version, "annotations": {RECORD: record or None}}
        return {"metadata": metadata, "data": {self.runner.key: text}}


def plan_patch(runner: Runner, wanted: Tables) -> RunnerPlan:
    """What to change so that the runner's jobs go where `wanted` says.

    Raises:
        CannotPatch: it cannot be done here; with what to change instead.
    """
    text = template(runner)
    _refuse_where_it_is_kept(runner)
    left = check_overrides(runner, _undone(runner, wanted))
    after, done = edit(text, left)
    if done.added:
        refuse_in_vain(jobs(with_text(runner, after)), wanted)
    if done.added and runner.config_map.get("immutable"):
        raise CannotPatch(f"the ConfigMap of {runner} is immutable", hint=UPGRADE)
    record = [past for past in _recorded(runner) if _is_there(past.added, read(text))]
    record += [done] * bool(done.added)
    warnings = tuple(_warnings(runner, wanted))
    # A new change gets its time when it is written.
    changed = "" if done.added else _changed(runner)
    annotation = _annotation(record, changed)
    return RunnerPlan(runner, text, after, annotation, done.added, (), warnings)


def plan_undo(runner: Runner) -> RunnerPlan:
    """What to change so that the template is without what agtool added.

    Raises:
        CannotPatch: the template is no longer one that can be edited.
    """
    before = after = template(runner)
    removed = Tables()
    kept: list[str] = []
    for past in reversed(_recorded(runner)):
        back = remove(after, past)
        after = back.text
        kept += back.kept
        for table, entries in vars(back.removed).items():
            vars(removed)[table].update(entries)
    return RunnerPlan(runner, before, after, "", removed, tuple(kept))


def stale_pods(runner: Runner, pods: Sequence[Json]) -> list[str]:
    """The names of the manager's pods that started before the template was last changed.

    The entrypoint copies the configuration at its start and never again. All times are the
    server's, so no clock matters but its own.
    """
    changes = [
        entry.get("time", "")
        for entry in runner.config_map["metadata"].get("managedFields") or ()
        if "f:data" in (entry.get("fieldsV1") or {})
    ]
    changed = max([*changes, _changed(runner)])
    return [
        pod["metadata"]["name"]
        for pod in pods
        if pod["metadata"]["creationTimestamp"] < changed
        and "deletionTimestamp" not in pod["metadata"]
    ]


def time_to_end(runner: Runner) -> int:
    """Seconds that the old manager may take to end before the new one is started.

    0 for a rolling update, where the new one comes first.
    """
    strategy = runner.deployment["spec"].get("strategy") or {}
    of_a_set = runner.kept and runner.kept.kind == "StatefulSet"
    if strategy.get("type") != "Recreate" and not of_a_set:
        return 0
    return int(runner.pod.get("terminationGracePeriodSeconds", 30))


def _refuse_where_it_is_kept(runner: Runner) -> None:
    """Raise CannotPatch if the configuration is not in a ConfigMap that can be changed."""
    if runner.kept and runner.kept.place and runner.kept.place.kind != "ConfigMap":
        raise CannotPatch(
            f"the configuration of {runner} is in the {runner.kept.place}, which agtool does not "
            "change",
            hint="Add the tables where the Secret comes from. Print them: agtool ci-nodepool emit "
            "toml",
        )


def _undone(runner: Runner, wanted: Tables) -> Tables:
    """The part of `wanted` that the pods of jobs do not do already, by whatever setting."""
    own = jobs(runner)
    return lacking(own[0].spec, wanted) if len(own) == 1 and not own[0].doubts else wanted


def refuse_in_vain(edited: Sequence[Jobs], wanted: Tables) -> None:
    """Raise CannotPatch if what an edit adds is not what the pods of jobs get.

    Args:
        edited: the jobs of the edited configuration.
    """
    for own in edited:
        if own.pod.fails:
            raise CannotPatch(
                f"every job of {own} fails: {own.pod.fails}",
                hint="Correct that first, in the runner's configuration.",
            )
        if own.doubts:
            continue
        lost = lacking(own.spec, wanted)
        if not lost:
            continue
        reasons = [each for each in own.pod.findings if each.code == "lost-tolerations"]
        names = ", ".join(
            f'"{k}" = "{v}"' for table in vars(lost).values() for k, v in table.items()
        )
        raise CannotPatch(
            f"{names} in the configuration of {own} would be lost"
            + (f": {reasons[-1].message}" if reasons else ", because another setting wins"),
            hint="Write it into the patch itself, in the runner's configuration."
            if reasons
            else "Look for the setting in the runner's configuration.",
        )


def _warnings(runner: Runner, wanted: Tables) -> Iterator[Finding]:
    subject = runner.subject
    for own in jobs(runner):
        yield from own.findings()
    for text in unseen(runner):
        yield Finding("unseen", text, "", subject)
    selector = runner.pod.get("nodeSelector") or {}
    if wanted.node_selector and wanted.node_selector.items() <= selector.items():
        yield manager_in_pool(runner, "is sent to the nodes of the pool too")
    if wait := time_to_end(runner):
        kind = "runner is a StatefulSet" if runner.kept else "Deployment's strategy is Recreate"
        text = (
            f"the {kind}: there is no runner until the jobs of the old one have ended, which may "
            f"take {wait} s"
        )
        yield Finding("recreate", text, "", subject)
    if runner.deployment["spec"].get("replicas") == 0:
        text = "the runner is scaled to 0: no job runs before it is scaled up"
        scale = f"kubectl -n {runner.namespace} scale {runner.kind}/{runner.name} --replicas 1"
        yield Finding("scaled-to-zero", text, scale, subject)


def manager_in_pool(runner: Runner | str, trouble: str) -> Finding:
    """What is wrong with a runner that is itself on nodes that go away."""
    return Finding(
        "manager-in-pool",
        f"runner {runner} itself {trouble}: when its node goes away, all its jobs fail",
        "Keep it off the pool with the top-level nodeSelector in the Helm values, which moves the "
        "runner and not its jobs.",
        f"runner {runner}",
    )


def _recorded(runner: Runner) -> list[Edit]:
    """What agtool did, oldest first. What it did not write gives nothing."""
    with suppress(ValueError, TypeError, KeyError, AttributeError, OverflowError):
        value: Any = read_json(runner.record or "{}")
        return [
            Edit(
                each["before"],
                Tables(
                    _strings(each["selector"]),
                    _strings(each["tolerations"]),
                    _strings(each.get("preferred", {})),
                ),
                tuple(Insertion(int(offset), str(text)) for offset, text in each["insertions"]),
            )
            for each in value.get("template", [])
        ]
    return []


def _changed(runner: Runner) -> str:
    """When agtool changed the data, where the ConfigMap itself no longer says it; else empty."""
    with suppress(ValueError, AttributeError):
        return str(read_json(runner.record or "{}").get("changed", ""))
    return ""


def _annotation(record: list[Edit], changed: str) -> str:
    template = [
        {
            "before": past.before,
            "selector": past.added.node_selector,
            "tolerations": past.added.node_tolerations,
            "insertions": past.insertions,
            **({"preferred": past.added.preferred} if past.added.preferred else {}),
        }
        for past in record
    ]
    time = {"changed": changed} if changed else {}
    return json.dumps({"template": template, **time}, separators=(",", ":")) if record else ""


def _strings(value: Mapping[str, Any]) -> dict[str, str]:
    return {str(key): str(each) for key, each in value.items()}


def _is_there(added: Tables, present: Tables) -> bool:
    """Whether any entry is still as agtool left it (Helm may have taken all of them out)."""
    there = vars(present)
    return any(entries.items() & there[table].items() for table, entries in vars(added).items())
