"""The specification of the pod that gitlab-runner makes for a job. Pure.

Sources: gitlab-runner's executors/kubernetes (preparePodConfig, getPodTolerations) and
common/config.go (GetAffinity); Kubernetes' admission of runtime classes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from agtool.ci_nodepool.runner import survival
from agtool.ci_nodepool.runner.pod import patches
from agtool.ci_nodepool.runner.pod.accepted import rejection
from agtool.ci_nodepool.runner.pod.decode import Section
from agtool.ci_nodepool.runner.survival import Setting
from agtool.ci_nodepool.scheduling import Spec
from agtool.core.finding import Finding

ADVANCED = "FF_USE_ADVANCED_POD_SPEC_CONFIGURATION"

RuntimeClasses = Mapping[str, Mapping[str, Any] | None]
"""Those of the cluster that could be looked up, by name; None: there is none of that name."""


@dataclass(frozen=True)
class JobPod:
    """What becomes of a job.

    Attributes:
        spec: of its pod, as far as placement goes.
        fails: why every job fails at once; empty: it does not.
        doubts: what cannot be told about where it runs.
        findings: settings that are ignored or lost.
        leave_by: settings that let a job choose other nodes by its variables.
        advice: settings that the runner lacks, so that jobs survive the loss of a node.
        namespace: in which it is; empty: its configuration does not say. It decides no placement.
    """

    spec: Spec
    fails: str = ""
    doubts: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    leave_by: tuple[str, ...] = ()
    advice: tuple[Setting, ...] = ()
    namespace: str = field(default="", compare=False)


def job_pod(section: Section, classes: RuntimeClasses | None = None) -> JobPod:
    """The pod of a job that says nothing itself.

    Args:
        classes: the runtime classes that are known.
    """
    leave_by = [name for name in _LEAVE_BY if section.kubernetes.get(name)]
    made = _job_pod(section, classes or {})
    advice = survival.lacking(section.kubernetes, made.spec)
    namespace = section.kubernetes.get("namespace") or ""
    return replace(made, leave_by=tuple(leave_by), advice=tuple(advice), namespace=namespace)


_LEAVE_BY = ("node_selector_overwrite_allowed", "node_tolerations_overwrite_allowed")


def _job_pod(section: Section, classes: RuntimeClasses) -> JobPod:
    spec: Spec = _configured(section.kubernetes)
    findings = list(section.ignored)
    doubts: list[str] = []
    entries = section.kubernetes.get("pod_spec") or []
    if entries and not section.flag(ADVANCED):
        names = ", ".join(map(_named, entries))
        findings.append(
            Finding(
                "ignored-setting",
                f"gitlab-runner ignores pod_spec ({names}) without {ADVANCED}",
                f'Switch it on in [[runners]]: environment = ["{ADVANCED}=true"]; or remove it.',
            )
        )
        entries = []
    for entry in entries:
        before = spec
        try:
            spec = patches.apply(spec, entry)
        except patches.DoesNotApply as error:
            fails = f"pod_spec {_named(entry)} cannot be applied: {error}"
            return JobPod(before, fails, (), tuple(findings))
        except patches.Unknown as error:
            doubts.append(f"what pod_spec {_named(entry)} does cannot be told: {error}")
            continue
        findings += _lost(before, spec, entry)
    if fails := rejection(spec):
        return JobPod(spec, f"the API server refuses their pods: {fails}", (), tuple(findings))
    if spec.get("runtimeClassName"):
        name = spec["runtimeClassName"]
        if name not in classes:
            doubts.append(f"the runtime class {name}, which may choose nodes, is not known")
        else:
            spec, fails = _with_runtime_class(spec, name, classes[name])
            if fails:
                return JobPod(spec, fails, (), tuple(findings))
    return JobPod(spec, "", (*doubts, *_undecided(spec)), tuple(findings))


def toleration(name: str, effect: str) -> dict[str, str]:
    """What an entry of node_tolerations makes of a job's pod: only the first `=` divides it."""
    key, equals, value = name.partition("=")
    made = {"key": key, "operator": "Equal" if equals else "Exists", "value": value}
    return {k: v for k, v in {**made, "effect": effect}.items() if v}


def _configured(kubernetes: Mapping[str, Any]) -> dict[str, Any]:
    """Before `pod_spec`, and as JSON: what is empty is not there."""
    tolerations = kubernetes.get("node_tolerations") or {}
    made: dict[str, Any] = {
        "nodeSelector": dict(kubernetes.get("node_selector") or {}),
        "tolerations": [toleration(*each) for each in tolerations.items()],
        "runtimeClassName": kubernetes.get("runtime_class_name"),
        "priorityClassName": kubernetes.get("priority_class_name"),
        "schedulerName": kubernetes.get("scheduler_name"),
    }
    affinity = _as_api(kubernetes.get("affinity") or {})
    return {**{k: v for k, v in made.items() if v}, "affinity": affinity}


def _as_api(value: Any) -> Any:
    """The names of the TOML as the API has them: node_selector_terms -> nodeSelectorTerms.

    What [match_labels] has are anybody's keys, and stay.
    """
    if isinstance(value, list):
        return [_as_api(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        re.sub("_([a-z])", lambda found: found[1].upper(), key): dict(each)
        if key == "match_labels"
        else _as_api(each)
        for key, each in value.items()
    }


def _named(entry: Mapping[str, str]) -> str:
    return repr(entry["name"]) if entry.get("name") else "without a name"


def _lost(before: Spec, after: Spec, entry: Mapping[str, str]) -> Iterator[Finding]:
    """The tolerations that a patch has taken away."""
    kept = after.get("tolerations") or []
    lost = [each for each in before.get("tolerations") or [] if each not in kept]
    if lost:
        names = ", ".join(map(_shown, lost))
        yield Finding(
            "lost-tolerations",
            f"pod_spec {_named(entry)} replaces the whole list of tolerations: {names} "
            f"{'is' if len(lost) == 1 else 'are'} lost",
            "Write all tolerations that jobs need into the patch.",
        )


def _shown(toleration: Mapping[str, str]) -> str:
    value = f"={toleration.get('value', '')}" if toleration.get("operator") != "Exists" else ""
    return f"{toleration.get('key') or '(any)'}{value}:{toleration.get('effect') or '(any)'}"


def _with_runtime_class(
    spec: Spec, name: str, runtime_class: Mapping[str, Any] | None
) -> tuple[Spec, str]:
    """The specification with what admission adds, or why it refuses the pod."""
    if runtime_class is None:
        return spec, f"there is no runtime class {name}"
    scheduling = runtime_class.get("scheduling") or {}
    selector = scheduling.get("nodeSelector") or {}
    own = spec.get("nodeSelector") or {}
    for key, value in selector.items():
        if own.get(key, value) != value:
            return spec, f"the runtime class {name} wants nodes with {key}={value}, they {own[key]}"
    tolerations = [*(spec.get("tolerations") or []), *(scheduling.get("tolerations") or [])]
    return {**spec, "nodeSelector": {**own, **selector}, "tolerations": tolerations}, ""


def _undecided(spec: Spec) -> Iterator[str]:
    """What besides nodes decides where the pod runs."""
    if spec.get("schedulerName") not in (None, "", "default-scheduler"):
        yield f"the scheduler {spec['schedulerName']} places them"
    if spec.get("schedulingGates"):
        yield "they wait until somebody removes their schedulingGates"
    affinity = spec.get("affinity") or {}
    for name, words in (("podAffinity", "near"), ("podAntiAffinity", "away from")):
        terms = affinity.get(name) or {}
        if terms.get("requiredDuringSchedulingIgnoredDuringExecution"):
            yield f"they have to run {words} certain other pods ({name})"
    for each in spec.get("topologySpreadConstraints") or ():
        if each.get("whenUnsatisfiable") != "ScheduleAnyway":
            yield f"they have to be spread over {each.get('topologyKey')}"
