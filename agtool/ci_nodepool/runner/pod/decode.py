"""A runner's TOML as gitlab-runner reads it: what counts, what not, what makes it exit. Pure.

gitlab-runner decodes with BurntSushi/toml: keys are matched without regard to case; what it does
not know it ignores; a value of another type is an error, with which `run` and `register` exit; but
where it wants a table of strings (node_selector, node_tolerations), what is no table is ignored.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agtool.core.finding import Finding

Path = tuple[str, ...]


class BadType(ValueError):
    """A value with which gitlab-runner does not start; says which."""


@dataclass
class Section:
    """One [[runners]].

    Attributes:
        name: what it is called; empty: nothing.
        executor: empty: not said.
        feature_flags: as in its table.
        environment: NAME=VALUE of its jobs.
        kubernetes: [runners.kubernetes], what counts for placement, keys in lower case.
        ignored: what is written there and has no effect.
    """

    name: str = ""
    executor: str = ""
    feature_flags: Mapping[str, bool] = field(default_factory=dict)
    environment: Sequence[str] = ()
    kubernetes: dict[str, Any] = field(default_factory=dict)
    ignored: list[Finding] = field(default_factory=list)

    def flag(self, name: str) -> bool:
        """Whether a feature flag is on; jobs can switch it too, where the runner does not say."""
        return self._said(name) in _TRUE

    def is_off(self, name: str) -> bool:
        """Whether a feature flag that is on by default is switched off."""
        return self._said(name) in _FALSE

    def _said(self, name: str) -> str:
        """What is said of a feature flag; empty: nothing."""
        if name in self.feature_flags:
            return str(self.feature_flags[name])
        variables = [each.partition("=") for each in self.environment]
        return next((value for own, _, value in reversed(variables) if own == name), "")


_TRUE = {"1", "t", "T", "TRUE", "true", "True"}
_FALSE = {"0", "f", "F", "FALSE", "false", "False"}
"""What Go's strconv.ParseBool takes for true and for false."""


class _Words:
    """A table of strings, whose keys are anybody's."""


class _Flags:
    """A table of booleans, whose keys are anybody's."""


_WORDS, _FLAGS = _Words(), _Flags()

_REQUIREMENT = {"key": str, "operator": str, "values": [str]}
_NODE_TERM = {"match_expressions": [_REQUIREMENT], "match_fields": [_REQUIREMENT]}
_LABEL_SELECTOR = {"match_labels": _WORDS, "match_expressions": [_REQUIREMENT]}
_POD_TERM = {
    "label_selector": _LABEL_SELECTOR,
    "namespaces": [str],
    "topology_key": str,
    "namespace_selector": _LABEL_SELECTOR,
    "match_label_keys": [str],
    "mismatch_label_keys": [str],
}
REQUIRED = "required_during_scheduling_ignored_during_execution"
PREFERRED = "preferred_during_scheduling_ignored_during_execution"
_POD_AFFINITY = {
    REQUIRED: [_POD_TERM],
    PREFERRED: [{"weight": int, "pod_affinity_term": _POD_TERM}],
}
_AFFINITY = {
    "node_affinity": {
        REQUIRED: {"node_selector_terms": [_NODE_TERM]},
        PREFERRED: [{"weight": int, "preference": _NODE_TERM}],
    },
    "pod_affinity": _POD_AFFINITY,
    "pod_anti_affinity": _POD_AFFINITY,
}
_KUBERNETES = {
    "namespace": str,
    "node_selector": _WORDS,
    "node_selector_overwrite_allowed": str,
    "node_tolerations": _WORDS,
    "node_tolerations_overwrite_allowed": str,
    "affinity": _AFFINITY,
    "pod_spec": [{"name": str, "patch": str, "patch_path": str, "patch_type": str}],
    "runtime_class_name": str,
    "priority_class_name": str,
    "scheduler_name": str,
    "poll_timeout": int,
    "poll_interval": int,
    "pod_disruption_budget": bool,
    "pod_termination_grace_period_seconds": int,
    "cleanup_grace_period_seconds": int,
    "pod_annotations": _WORDS,
}
_RUNNER = {
    "name": str,
    "executor": str,
    "environment": [str],
    "feature_flags": _FLAGS,
    "kubernetes": _KUBERNETES,
}
"""What counts for placement, as gitlab-runner types it; what else there is, is not looked at."""

_TYPES = {str: "a string", int: "a whole number", bool: "true or false"}

_PLACES = ("node_selector", "node_tolerations", "affinity", "pod_spec")
"""Tables of [runners.kubernetes] that people put elsewhere, too."""

_MEANT = {
    "nodeselector": "node_selector",
    "nodeselectors": "node_selector",
    "selector": "node_selector",
    "tolerations": "node_tolerations",
    "toleration": "node_tolerations",
    "nodetoleration": "node_tolerations",
    "nodetolerations": "node_tolerations",
    "nodeaffinity": "affinity.node_affinity",
    "podaffinity": "affinity.pod_affinity",
    "podantiaffinity": "affinity.pod_anti_affinity",
    "affinities": "affinity",
    "podspecs": "pod_spec",
    "podspec": "pod_spec",
    "runtimeclass": "runtime_class_name",
    "runtimeclassname": "runtime_class_name",
    "priorityclass": "priority_class_name",
    "priorityclassname": "priority_class_name",
    "schedulername": "scheduler_name",
}
"""What people write in [runners.kubernetes], without `_` and `-`, and what they mean."""


def decode(data: Mapping[str, Any]) -> list[Section]:
    """The [[runners]] of a configuration.

    Raises:
        BadType: gitlab-runner does not start with it.
    """
    ignored: list[Finding] = []
    found = _decode(data, {"runners": [_RUNNER]}, (), [])
    ignored += _misplaced(data, "the top of the file")
    sections = []
    written = _written(data, "runners")
    for number, values in enumerate(found.get("runners", [])):
        section = Section(**values)
        own = written[number]
        section.ignored = [*ignored, *_misplaced(own, "[[runners]]")]
        for kubernetes in _all_written(own, "kubernetes"):
            # For what it ignores; what it refuses was refused above.
            _decode(kubernetes, _KUBERNETES, ("runners", "kubernetes"), section.ignored)
            section.ignored += _unknown(kubernetes)
        sections.append(section)
    return sections


def _decode(value: object, shape: Any, path: Path, ignored: list[Finding]) -> Any:
    """The value as the shape wants it. Raises BadType."""
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            raise _bad_type(path, "a table")
        return _table(value, shape, path, ignored)
    if isinstance(shape, list):
        if not isinstance(value, list):
            raise _bad_type(path, "an array")
        return [_decode(each, shape[0], path, ignored) for each in value]
    if shape is _WORDS or shape is _FLAGS:
        if not isinstance(value, dict):
            ignored.append(ignored_table(path, value))
            return {}
        kind = str if shape is _WORDS else bool
        return {k: _decode(v, kind, (*path, k), ignored) for k, v in value.items()}
    if not isinstance(value, shape) or (shape is int and isinstance(value, bool)):
        raise _bad_type(path, _TYPES[shape])
    return value


def _table(
    value: Mapping[str, Any], shape: Mapping[str, Any], path: Path, ignored: list[Finding]
) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for key, each in value.items():
        name = key if key in shape else key.lower()
        if name not in shape:
            continue
        one = _decode(each, shape[name], (*path, name), ignored)
        if isinstance(one, dict) and name in made:  # written twice, in other letters: both count
            made[name].update(one)
        else:
            made[name] = one
    return made


def _bad_type(path: Sequence[str], wanted: str) -> BadType:
    return BadType(f"{'.'.join(path)} is not {wanted}, with which gitlab-runner does not start")


def ignored_table(path: Sequence[str], value: object) -> Finding:
    """What to say of a setting that should be a table of strings, with the right lines."""
    name, table = path[-1], ".".join(path)
    lines = list(_right_lines(value)) if name == "node_tolerations" else []
    if name == "node_selector":
        lines = list(_right_labels(value))
    right = "\n".join([f"[{table}]", *(f"  {line}" for line in lines)])
    return Finding(
        "ignored-setting",
        f"{table} is not a table of strings: gitlab-runner ignores it without a word",
        f"Write it so:\n{right}"
        if lines
        else f'Write it as a table, with lines such as\n{right}\n  "key=value" = "NoSchedule"',
    )


def _right_lines(value: object) -> Iterator[str]:
    """Tolerations that are written as Kubernetes has them, as gitlab-runner wants them."""
    for each in value if isinstance(value, list) else [value]:
        if not isinstance(each, dict):
            continue
        own = {str(k).lower(): v for k, v in each.items()}
        key, effect = str(own.get("key", "")), str(own.get("effect", ""))
        exists = str(own.get("operator", "")).lower() == "exists"
        name = key if exists or "value" not in own else f"{key}={own['value']}"
        yield f'"{name}" = "{effect}"'


def _right_labels(value: object) -> Iterator[str]:
    for each in value if isinstance(value, list) else [value]:
        if isinstance(each, dict):
            if {"key", "value"} <= each.keys():
                yield f'"{each["key"]}" = "{each["value"]}"'
            else:
                yield from (f'"{k}" = "{v}"' for k, v in each.items())


def _misplaced(table: object, place: str) -> Iterator[Finding]:
    """Tables of [runners.kubernetes] that stand outside of it."""
    for key in table if isinstance(table, dict) else ():
        if key.lower() in _PLACES:
            yield Finding(
                "ignored-setting",
                f"{key} stands at {place}, where gitlab-runner ignores it",
                f"Write it below [runners.kubernetes]: runners.kubernetes.{key.lower()}",
            )


def _unknown(kubernetes: Mapping[str, Any]) -> Iterator[Finding]:
    """Keys that gitlab-runner does not know, and that somebody means for placement."""
    for key in kubernetes:
        meant = _MEANT.get(key.lower().replace("_", "").replace("-", ""))
        if meant and key.lower() not in _KUBERNETES:
            yield _typo("runners.kubernetes", key, meant)
    for affinity in _all_written(kubernetes, "affinity"):
        yield from _unknown_in(affinity, _AFFINITY, ("runners", "kubernetes", "affinity"))


def _unknown_in(value: object, shape: Any, path: Path) -> Iterator[Finding]:
    """All keys below an affinity that gitlab-runner does not know."""
    if isinstance(shape, list):
        for each in value if isinstance(value, list) else ():
            yield from _unknown_in(each, shape[0], path)
    elif isinstance(shape, dict) and isinstance(value, dict):
        for key, each in value.items():
            if key.lower() in shape:
                yield from _unknown_in(each, shape[key.lower()], (*path, key.lower()))
            else:
                plain = key.lower().replace("_", "").replace("-", "")
                meant = next((name for name in shape if name.replace("_", "") == plain), "")
                yield _typo(".".join(path), key, meant, ", ".join(shape))


def _typo(table: str, key: str, meant: str, known: str = "") -> Finding:
    return Finding(
        "ignored-setting",
        f"gitlab-runner does not know {table}.{key}, and ignores it without a word",
        f"Write {meant}." if meant else f"It knows {known} there.",
    )


def _all_written(table: object, name: str) -> list[Any]:
    """What stands in a table under this name, in any letters."""
    return [v for k, v in table.items() if k.lower() == name] if isinstance(table, dict) else []


def _written(data: Mapping[str, Any], name: str) -> list[Any]:
    return [each for value in _all_written(data, name) for each in value]
