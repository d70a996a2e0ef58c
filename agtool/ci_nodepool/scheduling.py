"""On which nodes the scheduler puts a pod, as far as nodes alone decide it. Pure.

Source: Kubernetes 1.37, component-helpers/scheduling/corev1/nodeaffinity and the scheduler's
plugins NodeName, NodeAffinity and TaintToleration. Room on the nodes, volumes and other pods decide
too, and are not looked at here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from agtool.ci_nodepool.model import Node, Taint, Toleration, tolerated
from agtool.ci_nodepool.taints import lasting_taints

Spec = Mapping[str, Any]
"""A pod's, as the API has it."""


def tolerations_of(spec: Spec) -> list[Toleration]:
    """The tolerations of a pod that count.

    Lt and Gt do not: the feature gate TaintTolerationComparisonOperators is off.
    """
    return [
        Toleration.from_api(each)
        for each in spec.get("tolerations") or ()
        if each.get("operator") in _OPERATORS
    ]


_OPERATORS = (None, "", "Equal", "Exists")


def not_tolerated(spec: Spec, taints: Iterable[Taint]) -> list[Taint]:
    """Those of the taints that keep the pod off a node."""
    own = tolerations_of(spec)
    return [taint for taint in taints if not tolerated(taint, own)]


def time_to_eviction(spec: Spec, taints: Iterable[Taint]) -> int | None:
    """Seconds after which a pod is evicted from a node with these taints; None: never.

    Source: the taint eviction controller: the first toleration that matches a taint counts, and of
    all taints the shortest time.
    """
    own = tolerations_of(spec)
    times = []
    for taint in taints:
        if taint.effect == "NoExecute":
            used = next((each for each in own if each.tolerates(taint)), None)
            if used is None:
                return 0
            if used.seconds is not None:
                times.append(max(used.seconds, 0))
    return min(times, default=None)


def blocking(spec: Spec, node: Node) -> list[Taint]:
    """The node's lasting taints that keep the pod off it."""
    return not_tolerated(spec, lasting_taints(node))


def required_terms(spec: Spec) -> list[Mapping[str, Any]] | None:
    """The terms of the required node affinity, one of which must hold; None: it has none."""
    required = _node_affinity(spec).get("requiredDuringSchedulingIgnoredDuringExecution")
    return None if required is None else list(required.get("nodeSelectorTerms") or ())


def preferred_terms(spec: Spec) -> list[Mapping[str, Any]]:
    """The terms of the preferred node affinity that count."""
    preferred = _node_affinity(spec).get("preferredDuringSchedulingIgnoredDuringExecution")
    return [
        each["preference"]
        for each in preferred or ()
        if each.get("weight") and not _is_empty(each.get("preference") or {})
    ]


def asks_for_nodes(spec: Spec) -> bool:
    """Whether a pod can run on certain nodes only."""
    return bool(
        spec.get("nodeSelector") or spec.get("nodeName") or required_terms(spec) is not None
    )


def may_run_on(spec: Spec, node: Node) -> bool:
    """Whether a pod's node selector and required node affinity take the node, taints aside."""
    if spec.get("nodeName") not in (None, "", node.name):
        return False
    return matches_selector(spec, node) and matches_affinity(spec, node)


def matches_selector(spec: Spec, node: Node) -> bool:
    """Whether the node has the labels of the node selector."""
    return bool((spec.get("nodeSelector") or {}).items() <= node.labels.items())


def matches_affinity(spec: Spec, node: Node) -> bool:
    """Whether the required node affinity takes the node."""
    terms = required_terms(spec)
    return terms is None or any(_term_takes(term, node) for term in terms)


def prefers(spec: Spec, node: Node) -> bool:
    """Whether a pod goes rather to this node than to most."""
    return any(_term_takes(term, node) for term in preferred_terms(spec))


def requires_label(spec: Spec, key: str, value: str) -> bool:
    """Whether a pod runs only on nodes with this label."""
    if (spec.get("nodeSelector") or {}).get(key) == value:
        return True
    only = {"key": key, "operator": "In", "values": [value]}
    terms = [term for term in required_terms(spec) or () if not _is_empty(term)]
    return bool(terms) and all(only in (term.get("matchExpressions") or ()) for term in terms)


def prefers_label(spec: Spec, key: str, value: str) -> bool:
    """Whether a pod goes rather to nodes with this label."""
    only = {"key": key, "operator": "In", "values": [value]}
    return any(only in (term.get("matchExpressions") or ()) for term in preferred_terms(spec))


def selectors(spec: Spec) -> list[str]:
    """The nodes that a pod asks for, as selectors for kubectl's -l; it runs on those of any.

    Empty where it asks for none, or for what no such selector can say (a node by its name).
    """
    labels = [f"{key}={value}" for key, value in (spec.get("nodeSelector") or {}).items()]
    terms = required_terms(spec)
    if terms is None:
        return [",".join(labels)] * bool(labels)
    found = []
    for term in terms:
        if _is_empty(term) or term.get("matchFields"):
            continue
        parts = [*labels, *map(_as_selector, term["matchExpressions"])]
        found.append(",".join(dict.fromkeys(parts)))
    return found


def where(spec: Spec) -> str:
    """The nodes that a pod asks for, for people; empty: it asks for none."""
    if spec.get("nodeName"):
        return f"the node {spec['nodeName']}"
    if not asks_for_nodes(spec):
        return ""
    names = [
        field["values"][0]
        for term in required_terms(spec) or ()
        for field in term.get("matchFields") or ()
        if field.get("operator") == "In" and field.get("values")
    ]
    parts = selectors(spec) + [f"the name {name}" for name in names]
    return f"nodes with {' or '.join(parts)}" if parts else "no node at all"


def wishes(spec: Spec) -> list[str]:
    """The nodes that a pod would rather have, as selectors for kubectl's -l."""
    terms = [
        ",".join(map(_as_selector, term.get("matchExpressions") or ()))
        for term in preferred_terms(spec)
    ]
    return list(filter(None, terms))


def wished(spec: Spec) -> str:
    """The same for people; empty: it has no wish."""
    return " or ".join(wishes(spec))


def _node_affinity(spec: Spec) -> Mapping[str, Any]:
    affinity: Mapping[str, Any] = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    return affinity


def _is_empty(term: Mapping[str, Any]) -> bool:
    return not (term.get("matchExpressions") or term.get("matchFields"))


def _term_takes(term: Mapping[str, Any], node: Node) -> bool:
    return not _is_empty(term) and (
        all(_takes(e, node.labels) for e in term.get("matchExpressions") or ())
        # Only metadata.name exists.
        and all(_takes(e, {"metadata.name": node.name}) for e in term.get("matchFields") or ())
    )


def _takes(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a NodeSelectorRequirement holds; what is not a number is neither greater nor less."""
    value = labels.get(expression["key"])
    values: Sequence[str] = expression.get("values") or []
    operator: str = expression["operator"]
    if operator == "In":
        return value in values
    if operator == "NotIn":
        return value not in values
    if operator in ("Exists", "DoesNotExist"):
        return (value is not None) == (operator == "Exists")
    left, right = _number(value or ""), _number(values[0] if values else "")
    if left is None or right is None:
        return False
    return left > right if operator == "Gt" else left < right


def _number(text: str) -> int | None:
    """As Go's strconv.ParseInt reads it."""
    found = re.fullmatch(r"[+-]?[0-9]{1,19}", text)
    number = int(text) if found else None
    return number if number is not None and -(2**63) <= number < 2**63 else None


def _as_selector(expression: Mapping[str, Any]) -> str:
    key, operator = expression["key"], expression["operator"]
    values = expression.get("values") or []
    if operator in ("Exists", "DoesNotExist"):
        return f"{'' if operator == 'Exists' else '!'}{key}"
    if operator in ("Gt", "Lt"):
        return f"{key}{'>' if operator == 'Gt' else '<'}{''.join(values[:1])}"
    if operator == "In" and len(values) == 1:
        return f"{key}={values[0]}"
    return f"{key} {operator.lower()} ({','.join(values)})"
