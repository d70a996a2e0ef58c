"""Whether the API server takes a job's pod; if not, every job fails at once. Pure.

Source: Kubernetes 1.37, pkg/apis/core/validation/validation.go, and core/v1's types, for the fields
of `patches.FIELDS`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from agtool.ci_nodepool.model import EFFECTS
from agtool.ci_nodepool.parse import is_key, is_value


def rejection(spec: Mapping[str, Any]) -> str:
    """Why such a pod is refused; empty: it is not."""
    return next(_faults(spec), "")


def _faults(spec: Mapping[str, Any]) -> Iterator[str]:
    for name in ("runtimeClassName", "priorityClassName", "schedulerName", "nodeName"):
        if not isinstance(spec.get(name) or "", str):
            yield f"{name} is not a string"
    yield from _labels(spec.get("nodeSelector"), "nodeSelector")
    for each in _list(spec.get("tolerations")):
        yield from _toleration(each)
    for name in ("tolerations", "topologySpreadConstraints", "schedulingGates"):
        if not isinstance(spec.get(name) or [], list):
            yield f"{name} is not a list"
    affinity = spec.get("affinity") or {}
    if not isinstance(affinity, dict):
        yield "affinity is not an object"
        return
    yield from _node_affinity(affinity.get("nodeAffinity") or {})


def _labels(labels: object, name: str) -> Iterator[str]:
    if not isinstance(labels or {}, dict):
        yield f"{name} is not an object"
        return
    for key, value in (labels or {}).items():  # type: ignore[attr-defined]  # a dict, as seen above
        if not isinstance(value, str):
            yield f"the value of {key} in {name} is not a string"
        elif not is_key(key):
            yield f"{key!r} in {name} is not a valid label's key"
        elif not is_value(value):
            yield f"{value!r} in {name} is not a valid label's value"


def _toleration(toleration: object) -> Iterator[str]:
    if not isinstance(toleration, dict):
        yield "a toleration is not an object"
        return
    key, operator, value, effect = (
        toleration.get(name) or "" for name in ("key", "operator", "value", "effect")
    )
    seconds = toleration.get("tolerationSeconds")
    if not all(isinstance(each, str) for each in (key, operator, value, effect)):
        yield "a toleration has a value that is not a string"
        return
    if seconds is not None and (not isinstance(seconds, int) or isinstance(seconds, bool)):
        yield "a toleration has tolerationSeconds that are not a number"
    elif seconds is not None and effect != "NoExecute":
        yield "a toleration has tolerationSeconds, and another effect than NoExecute"
    if key and not is_key(key):
        yield f"a toleration has the key {key!r}, which is not valid"
    if not key and operator != "Exists":
        yield "a toleration without a key has an operator other than Exists"
    if effect and effect not in EFFECTS:
        meant = next((e for e in EFFECTS if e.lower() == effect.lower()), "")
        yield f"a toleration has the unknown effect {effect!r}" + f" ({meant}?)" * bool(meant)
    yield from _operator(operator, value)


def _operator(operator: str, value: str) -> Iterator[str]:
    if operator not in ("", "Equal", "Exists"):  # Lt and Gt too, unless a feature gate is on
        yield f"a toleration has the unknown operator {operator!r}"
    elif operator == "Exists" and value:
        yield "a toleration has the operator Exists, and a value"
    elif not is_value(value):
        yield f"a toleration has the value {value!r}, which is not valid"


def _node_affinity(affinity: object) -> Iterator[str]:
    if not isinstance(affinity, dict):
        yield "nodeAffinity is not an object"
        return
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    if required is not None:
        terms = required.get("nodeSelectorTerms") if isinstance(required, dict) else None
        if not isinstance(terms, list) or not terms:
            yield "the required node affinity has no nodeSelectorTerms"
        for term in _list(terms):
            yield from _term(term)
    preferred = affinity.get("preferredDuringSchedulingIgnoredDuringExecution")
    if not isinstance(preferred or [], list):
        yield "the preferred node affinity is not a list"
    for each in _list(preferred):
        weight = each.get("weight", 0) if isinstance(each, dict) else None
        if not isinstance(weight, int) or not 1 <= weight <= 100:
            yield "a preferred node affinity has a weight that is not between 1 and 100"
        else:
            yield from _term(each.get("preference") or {})


def _term(term: object) -> Iterator[str]:
    if not isinstance(term, dict):
        yield "a term of the node affinity is not an object"
        return
    for each in _list(term.get("matchExpressions")):
        yield from _requirement(each)
    for each in _list(term.get("matchFields")):
        yield from _field(each)


def _requirement(requirement: object) -> Iterator[str]:
    if not isinstance(requirement, dict):
        yield "an expression of the node affinity is not an object"
        return
    key, operator = requirement.get("key", ""), requirement.get("operator", "")
    values = requirement.get("values") or []
    what = f"the node affinity for {key!r}"
    if not isinstance(values, list) or not all(isinstance(each, str) for each in values):
        yield f"{what} has values that are not strings"
    elif operator in ("In", "NotIn") and not values:
        yield f"{what} has no values"
    elif operator in ("Exists", "DoesNotExist") and values:
        yield f"{what} has the operator {operator}, and values"
    elif operator in ("Gt", "Lt") and len(values) != 1:
        yield f"{what} has the operator {operator}, and not one value"
    elif operator not in ("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"):
        yield f"{what} has the unknown operator {operator!r}"
    elif not isinstance(key, str) or not is_key(key):
        yield f"{what} has a key that is not valid"
    else:
        yield from (f"{what} has the invalid value {v!r}" for v in values if not is_value(v))


def _field(requirement: object) -> Iterator[str]:
    own = requirement if isinstance(requirement, dict) else {}
    values = own.get("values") or []
    if own.get("key") != "metadata.name":
        yield f"matchFields has the key {own.get('key')!r}; there is only metadata.name"
    elif own.get("operator") not in ("In", "NotIn") or len(values) != 1:
        yield "matchFields has not the operator In or NotIn with one value"


def _list(value: object) -> Sequence[Any]:
    return value if isinstance(value, list) else ()
