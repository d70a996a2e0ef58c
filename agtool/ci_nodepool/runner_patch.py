"""What to change on a runner, and back: plans over what the API has. Pure.

The ConfigMap carries an annotation with what agtool inserted, so that undo takes back that and no
more, whatever others have changed since.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from agtool.ci_nodepool.model import RECORD
from agtool.ci_nodepool.runner import Json, Runner
from agtool.ci_nodepool.runner_config import (
    CannotPatch,
    Placement,
    edit,
    fingerprint,
    read,
    remove,
)
from agtool.ci_nodepool.runner_settings import check_overrides, template, unseen, ways_out
from agtool.ci_nodepool.runner_toml import Insertion

RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
"""The annotation of a pod template by which kubectl restarts a Deployment."""


class Done(NamedTuple):
    """One edit that agtool made: what it needs to take it back.

    Attributes:
        before: the fingerprint of the text before it.
    """

    before: str
    added: Placement
    insertions: tuple[Insertion, ...]


@dataclass(frozen=True)
class Plan:
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
    added: Placement = field(default_factory=Placement)
    kept: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self.before != self.after or self.record != record_of(self.runner)

    def patch(self) -> Json:
        """As a JSON merge patch, which the API refuses (409) if the ConfigMap has changed."""
        metadata = {
            "resourceVersion": self.runner.config_map["metadata"]["resourceVersion"],
            "annotations": {RECORD: self.record or None},
        }
        return {"metadata": metadata, "data": {self.runner.key: self.after}}

    def back(self, written: Json) -> Json:
        """The patch that puts back what was there, if nobody has changed `written` since."""
        metadata = {
            "resourceVersion": written["metadata"]["resourceVersion"],
            "annotations": {RECORD: record_of(self.runner) or None},
        }
        return {"metadata": metadata, "data": {self.runner.key: self.before}}


def plan_patch(runner: Runner, wanted: Placement) -> Plan:
    """What to change so that the runner's jobs go where `wanted` says.

    Raises:
        CannotPatch: it cannot be done here; with what to change instead.
    """
    text = template(runner)
    left = check_overrides(runner, wanted)
    done = edit(text, left)
    if done.added and runner.config_map.get("immutable"):
        raise CannotPatch(
            f"the ConfigMap of {runner} is immutable",
            hint="Upgrade the release with what this prints: agtool ci-nodepool emit helm",
        )
    record = [each for each in _recorded(runner) if _is_there(each.added, read(text))]
    if done.added:
        record.append(Done(fingerprint(text), done.added, done.insertions))
    return Plan(
        runner,
        text,
        done.text,
        _annotation(record),
        added=done.added,
        warnings=tuple(_warnings(runner, wanted)),
    )


def plan_undo(runner: Runner) -> Plan:
    """What to change so that the template is without what agtool added.

    Raises:
        CannotPatch: the template is no longer one that can be edited.
    """
    text = template(runner)
    plan = Plan(runner, text, text, "")
    for done in reversed(_recorded(runner)):
        back = remove(plan.after, done.added, done.insertions, done.before)
        plan = replace(
            plan,
            after=back.text,
            kept=(*plan.kept, *back.kept),
            added=Placement(
                {**plan.added.selector, **back.removed.selector},
                {**plan.added.tolerations, **back.removed.tolerations},
            ),
        )
    return plan


def record_of(runner: Runner) -> str:
    """The annotation of the runner's ConfigMap; empty: agtool has not changed it."""
    annotations = runner.config_map.get("metadata", {}).get("annotations") or {}
    return str(annotations.get(RECORD, ""))


def stale_pods(runner: Runner, pods: list[Json]) -> list[str]:
    """The names of the manager's pods that started before the template was last changed.

    The entrypoint copies the configuration at its start and never again. All times are the
    server's, so no clock matters but its own.
    """
    changes = [
        entry.get("time", "")
        for entry in runner.config_map["metadata"].get("managedFields") or ()
        if "f:data" in (entry.get("fieldsV1") or {})
    ]
    changed = max(changes, default="")
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
    if strategy.get("type") != "Recreate":
        return 0
    return int(runner.pod.get("terminationGracePeriodSeconds", 30))


def _warnings(runner: Runner, wanted: Placement) -> list[str]:
    found = [
        f"{name} is set: a job can choose other nodes by its variables, and leave the pool"
        for name in ways_out(runner)
    ] + unseen(runner)
    selector = runner.pod.get("nodeSelector") or {}
    if wanted.selector and wanted.selector.items() <= selector.items():
        found.append(
            "the runner itself (the manager) is told to run on these nodes too: when its node "
            "goes, all its jobs fail. Take them out of the top-level nodeSelector in the Helm "
            "values"
        )
    if wait := time_to_end(runner):
        found.append(
            "the Deployment's strategy is Recreate: there is no runner until the jobs of the old "
            f"one have ended, which may take {wait} s"
        )
    if runner.deployment["spec"].get("replicas") == 0:
        found.append("the runner is scaled to 0: no job runs before it is scaled up")
    return found


# -- the annotation ------------------------------------------------------------------------------


def _recorded(runner: Runner) -> list[Done]:
    """What agtool did, oldest first. What it did not write gives nothing."""
    with suppress(ValueError, TypeError, KeyError, AttributeError, OverflowError):
        value: Any = json.loads(record_of(runner) or "{}")
        return [
            Done(
                each["before"],
                Placement(_strings(each["selector"]), _strings(each["tolerations"])),
                tuple(Insertion(int(offset), str(text)) for offset, text in each["insertions"]),
            )
            for each in value.get("template", [])
        ]
    return []


def _annotation(record: list[Done]) -> str:
    if not record:
        return ""
    template = [
        {
            "before": done.before,
            "selector": dict(done.added.selector),
            "tolerations": dict(done.added.tolerations),
            "insertions": [list(insertion) for insertion in done.insertions],
        }
        for done in record
    ]
    return json.dumps({"template": template}, separators=(",", ":"))


def _strings(value: Mapping[str, Any]) -> dict[str, str]:
    return {str(key): str(each) for key, each in value.items()}


def _is_there(added: Placement, present: Placement) -> bool:
    """Whether any entry is still as agtool left it (Helm may have taken all of them out)."""
    return any(
        present.tables()[table].get(name) == value
        for table, entries in added.tables().items()
        for name, value in entries.items()
    )
