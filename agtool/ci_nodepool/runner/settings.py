"""What a runner's settings say: where its jobs go, and what wins over its template. Pure.

Facts: the chart's templates/configmap.yaml and deployment.yaml, 0.15 to 0.86; gitlab-runner's
executors/kubernetes and commands/register.go.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from agtool.ci_nodepool.runner.model import MOUNTED_AT, REGISTER, TEMPLATE, Runner, words_of
from agtool.ci_nodepool.runner.placement import (
    SELECTOR,
    TOLERATIONS,
    UPGRADE,
    CannotPatch,
    NotPods,
    Tables,
)
from agtool.core.text import read_json

_VARIABLES = {"KUBERNETES_NODE_SELECTOR": SELECTOR, "KUBERNETES_NODE_TOLERATIONS": TOLERATIONS}
_FLAGS = {"--kubernetes-node-selector": SELECTOR, "--kubernetes-node-tolerations": TOLERATIONS}


class Override(NamedTuple):
    """A setting that wins over the template.

    Attributes:
        name: of the flag or the variable.
        table: of the template, in which it would be.
        entries: None: they cannot be seen (in a Secret, say).
        place: where it is set, for people.
    """

    name: str
    table: str
    entries: Mapping[str, str] | None
    place: str


def template(runner: Runner) -> str:
    """The TOML from which the runner takes where its jobs go.

    Raises:
        CannotPatch: there is none, or it is not in this ConfigMap; with what to change instead.
    """
    if runner.operator:
        return _operator_template(runner)
    if runner.kept:
        return _kept_by_hand(runner)
    executor = runner.environment.get("RUNNER_EXECUTOR", "kubernetes")
    if executor not in {None, "kubernetes"}:
        raise NotPods(f"the executor of {runner} is {executor!r}: its jobs are not pods")
    used = _template_path(runner)
    if not used:
        raise _without_template(runner)
    if used.rpartition("/")[0] not in MOUNTED_AT or used.rpartition("/")[2] != TEMPLATE:
        raise CannotPatch(
            f"{runner} takes its template from {used} (runners.configPath in the Helm values), "
            "which is not in its ConfigMap",
            hint="Add the tables where that file comes from, and restart the runner. Print them: "
            "agtool ci-nodepool emit toml",
        )
    if TEMPLATE not in runner.data:
        raise CannotPatch(
            f"{runner} registers with {used}, but its ConfigMap has no {TEMPLATE}", hint=UPGRADE
        )
    return runner.data[TEMPLATE]


def overrides(runner: Runner) -> list[Override]:
    """What wins over the template: flags of the registration, and the environment."""
    found = [one._replace(place=_place(runner, one.name)) for one in overriding(runner.environment)]
    for name, table in _FLAGS.items():
        values = re.findall(rf"{name}[ =]+(\S+)", _script(runner))
        if values:
            entries = {}
            for value in values:
                entries.update(_entries(_unquoted(value)))
            found.append(Override(name, table, entries, "runners in the Helm values"))
    return found


def overriding(environment: Mapping[str, str | None]) -> Iterator[Override]:
    """What the variables of a manager say, without their places."""
    for name, value in environment.items():
        if name in _VARIABLES and value != "":
            entries = None if value is None else _entries(value)
            yield Override(name, _VARIABLES[name], entries, "")


def unseen(runner: Runner) -> list[str]:
    """What may win over the template, and could not be looked at."""
    return [
        f"the environment of {runner} also comes from {source.name}, which cannot be read "
        f"({source.unseen}): {' and '.join(_VARIABLES)} there would win over the template"
        for source in runner.sources
        if source.unseen
    ]


def overwrites_allowed(environment: Mapping[str, str | None]) -> list[str]:
    """The variables of a manager by which jobs may choose other nodes."""
    names = (f"{name}_OVERWRITE_ALLOWED" for name in _VARIABLES)
    return [name for name in names if environment.get(name, "") != ""]


def check_overrides(runner: Runner, wanted: Tables) -> Tables:
    """The part of `wanted` that no flag and no variable says already.

    Raises:
        CannotPatch: one of them says something else, and would win.
    """
    left = dict(vars(wanted))
    for name, table, entries, place in overrides(runner):
        if entries is not None and left[table].items() <= entries.items():
            left[table] = {}
        elif left[table]:
            value = ", ".join(f"{k}:{v}" for k, v in (entries or {}).items())
            raise CannotPatch(
                f"{name} of {runner} is {value or 'set, to a value that cannot be seen'}, and wins "
                f"over the template's {table}",
                hint=f"Remove it from {place}, and run this again; or print what belongs there: "
                "agtool ci-nodepool emit helm",
            )
    return Tables(**left)


def _operator_template(runner: Runner) -> str:
    if not runner.config_map:
        raise CannotPatch(
            f"the Runner resource {runner.operator} in {runner.namespace} has no spec.config, or "
            "names a ConfigMap that is not there",
            hint="Create a ConfigMap with the key config.toml and the tables from: agtool "
            "ci-nodepool emit toml; then name it in spec.config.",
        )
    if "config.toml" not in runner.data:
        name = runner.config_map["metadata"]["name"]
        raise CannotPatch(
            f"the ConfigMap {name} of {runner} has no config.toml",
            hint="Add it, with the tables from: agtool ci-nodepool emit toml",
        )
    return runner.data["config.toml"]


def registers_with_template(runner: Runner) -> bool:
    """Whether the registration is told of a template, wherever that is."""
    return bool(_template_path(runner))


def _kept_by_hand(runner: Runner) -> str:
    kept = runner.kept
    if kept is None or kept.unread or not kept.key:
        reason = kept.unread if kept else ""
        raise CannotPatch(
            f"the configuration of {runner} was not found" + f": {reason}" * bool(reason),
            hint="agtool looks for it where the runner reads it, in a ConfigMap, a Secret or a "
            "projected volume. Judge and change it where it is kept: agtool ci-nodepool check FILE",
        )
    return runner.data[kept.key]


def _script(runner: Runner) -> str:
    """What the manager runs to register."""
    return " ".join(words_of(runner.pod)) if runner.kept else runner.data.get(REGISTER, "")


def _template_path(runner: Runner) -> str:
    """The template that the registration is told to use; empty: none."""
    found = re.search(r"--template-config[ =]+(\S+)", _script(runner))
    if found:
        return _unquoted(found[1])
    return runner.environment.get("TEMPLATE_CONFIG_FILE") or ""


def _without_template(runner: Runner) -> CannotPatch:
    if runner.chart and runner.chart >= (0, 26):
        return CannotPatch(
            f"{runner} has no template: runners.config is empty in its Helm values", hint=UPGRADE
        )
    version = ".".join(map(str, runner.chart)) if runner.chart else "0.15"
    return CannotPatch(
        f"{runner} has no template: its chart registers with flags in a shell script",
        hint="Move to a newer chart, or upgrade the release with the values from: agtool "
        f"ci-nodepool emit helm --chart {version}",
    )


def _place(runner: Runner, name: str) -> str:
    """Where a variable of the manager comes from."""
    own = any(
        variable["name"] == name
        for container in runner.pod["containers"]
        for variable in container.get("env") or ()
    )
    sources = [source.name for source in runner.sources if name in source.variables]
    return "envVars or extraEnv in the Helm values" if own else sources[-1]


def _entries(value: str) -> dict[str, str]:
    """What a flag or variable says: KEY:VALUE, or a JSON object."""
    if value.startswith("{"):
        try:
            found = read_json(value)
        except ValueError:
            return {}
        return {str(k): str(v) for k, v in found.items()}
    key, _, rest = value.partition(":")
    return {key: rest}


def _unquoted(word: str) -> str:
    """A shell word without its quotes."""
    try:
        return "".join(shlex.split(word))
    except ValueError:
        return word
