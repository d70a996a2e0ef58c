"""A runner's configuration, with flags and environment, as its jobs. Pure.

Facts: gitlab-runner's commands/register.go: what flags and environment say is merged into the
template key by key, and wins where both have a key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from agtool.ci_nodepool.runner import manager
from agtool.ci_nodepool.runner.jobs import Jobs
from agtool.ci_nodepool.runner.model import Runner
from agtool.ci_nodepool.runner.placement import CannotPatch, NotPods
from agtool.ci_nodepool.runner.pod.build import JobPod, RuntimeClasses, job_pod
from agtool.ci_nodepool.runner.pod.decode import BadType, Section, decode
from agtool.ci_nodepool.runner.settings import (
    Override,
    overrides,
    overriding,
    overwrites_allowed,
    registers_with_template,
    template,
    unseen,
)
from agtool.ci_nodepool.runner.toml import load

_STRINGS = {
    "KUBERNETES_RUNTIME_CLASS_NAME": "runtime_class_name",
    "KUBERNETES_PRIORITY_CLASS_NAME": "priority_class_name",
    "KUBERNETES_SCHEDULER_NAME": "scheduler_name",
}
"""Other variables of the manager that decide placement, and their settings."""


def jobs(runner: Runner) -> list[Jobs]:
    """The jobs of a runner, of each of its [[runners]] whose jobs are pods."""
    doubts = unseen(runner)
    registering = not runner.kept or runner.kept.template
    environment = runner.environment if registering else {}
    strings, hidden = _strings(environment)
    doubts += hidden
    text = ""
    try:
        text = template(runner)
    except NotPods:
        return []
    except CannotPatch as error:
        # Without a template the flags say it all.
        if registers_with_template(runner) or runner.operator or runner.kept:
            doubts.append(error.message)
    found = jobs_of(
        str(runner),
        text,
        several=bool(runner.kept and not runner.kept.template),
        given=overrides(runner) if registering else [],
        strings=strings,
        classes=runner.classes,
    )
    leave_by = overwrites_allowed(environment)
    # Of the Operator's Runner in a file, the manager is in none.
    lacking = list(manager.of_pod(runner.pod, runner.subject)) if runner.pod["containers"] else []
    return [
        each.with_ways_out(*leave_by).with_doubts(*doubts).with_advice(*lacking) for each in found
    ]


def jobs_with(
    name: str, text: str, environment: Mapping[str, str | None], *, several: bool
) -> list[Jobs]:
    """The jobs of a configuration whose manager has these variables."""
    strings, doubts = _strings(environment)
    found = jobs_of(
        name, text, several=several, given=list(overriding(environment)), strings=strings
    )
    leave_by = overwrites_allowed(environment)
    return [each.with_ways_out(*leave_by).with_doubts(*doubts) for each in found]


def _strings(environment: Mapping[str, str | None]) -> tuple[dict[str, str], list[str]]:
    """Other settings that variables say, and what of them cannot be seen."""
    given = {name: environment[name] for name in _STRINGS if environment.get(name, "") != ""}
    hidden = [f"the value of {name} cannot be seen" for name, v in given.items() if v is None]
    return {_STRINGS[name]: value for name, value in given.items() if value}, hidden


def jobs_of(
    name: str,
    text: str,
    *,
    several: bool,
    given: Sequence[Override] = (),
    strings: Mapping[str, str] | None = None,
    classes: RuntimeClasses | None = None,
) -> list[Jobs]:
    """The jobs of a configuration.

    Args:
        name: of the runner, for people.
        text: its TOML; empty: there is none.
        several: whether it may have several [[runners]], as a config.toml; else it is a template.
        given: what flags and environment say.
        strings: other settings that they say.
        classes: the runtime classes that are known.
    """
    try:
        sections = decode(load(text)) if text else [Section()]
    except BadType as error:
        return [_failing(name, str(error))]
    except (ValueError, RecursionError) as error:
        if "{{" in text:
            doubt = "its configuration holds Go template text ({{ ... }}), so it is not TOML yet"
            return [Jobs(name).with_doubts(doubt)]
        return [_failing(name, f"its configuration is not valid TOML: {error}")]
    if not several and len(sections) != 1:
        return [
            _failing(
                name,
                f"its template has {len(sections)} [[runners]], and a template must have exactly "
                "one: it does not register",
            )
        ]
    if not sections:
        return [Jobs(name).with_doubts("its config.toml has no [[runners]]")]
    made = []
    for number, section in enumerate(sections, 1):
        if section.executor not in ("", "kubernetes"):
            continue
        doubts = _override(section, given)
        section.kubernetes.update(strings or {})
        label = (section.name or f"[[runners]] {number}") if len(sections) > 1 else ""
        own = Jobs(name, job_pod(section, classes), label)
        left = manager.left_pods(section.is_off(manager.DEADLINE), own.subject)
        made.append(own.with_doubts(*doubts).with_advice(*left))
    return made


def _failing(name: str, fails: str) -> Jobs:
    return Jobs(name, JobPod({}, fails))


def _override(section: Section, given: Sequence[Override]) -> list[str]:
    """Put in what flags and environment say; what of it cannot be told."""
    doubts = []
    for name, table, entries, _ in given:
        if entries is None:
            doubts.append(f"the value of {name} cannot be seen")
        else:
            there = section.kubernetes.setdefault(table, {})
            there.update(entries)
    return doubts


def with_text(runner: Runner, text: str) -> Runner:
    """The runner as it is with another template."""
    data = {**runner.data, runner.key: text}
    return replace(runner, config_map={**runner.config_map, "data": data})
