"""The nodes that runners in files are held against: listed, planned, or known by their label. Pure.

Sources: the schemas of the providers google, aws and azurerm for Terraform, and the providers'
documentation of the labels and taints that they give to nodes by themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from agtool.ci_nodepool.model import Label, Node, Taint, taint_of
from agtool.ci_nodepool.parse import parse_equality, parse_taint, split_selector
from agtool.ci_nodepool.presets import PRESETS, Pool, Preset, default_taints
from agtool.ci_nodepool.scheduling import required_terms
from agtool.ci_nodepool.status.pools import PoolStatus
from agtool.core.errors import ConfigurationError, UsageError
from agtool.core.kube.session import Json
from agtool.core.text import read_json


class Known(NamedTuple):
    """What is known of the nodes.

    Attributes:
        pools: those that are meant.
        nodes: all that are known.
        complete: whether these are all nodes, with all their labels.
    """

    pools: Sequence[PoolStatus]
    nodes: Sequence[Node]
    complete: bool


def of_list(text: str, name: str, asked: Pool) -> Known:
    """The nodes of `kubectl get nodes -o json`; the pool that is asked for among them.

    Raises:
        ConfigurationError: it is something else.
        UsageError: a selector that is not of the form KEY=VALUE,...
    """
    data = _json(text, name, "kubectl get nodes -o json")
    items = data.get("items") if isinstance(data.get("items"), list) else [data]
    if not all(isinstance(i, dict) and i.get("kind", "Node") == "Node" for i in items or ()):
        raise ConfigurationError(
            f"{name} is not a list of nodes", hint="Write it with: kubectl get nodes -o json"
        )
    return of_nodes([Node.from_api(item) for item in items or ()], asked)


def of_nodes(nodes: Sequence[Node], asked: Pool) -> Known:
    """All nodes of a cluster, and the pool that is asked for among them; nothing: each pool."""
    if asked == Pool():
        pools = [
            PoolStatus(preset.pool, members)
            for preset in PRESETS.values()
            if (members := [node for node in nodes if preset.label in node.labels.items()])
        ]
        return Known(pools, nodes, complete=True)
    labels = _labels(asked.selector)
    members = [node for node in nodes if labels.items() <= node.labels.items()]
    return Known([PoolStatus(asked, members)], nodes, complete=True)


def of_label(asked: Pool, taints: Sequence[Taint]) -> Known:
    """A pool of which only its label and its taints are known."""
    own = list(taints) or list(default_taints(asked, ()))
    node = _sketch(str(asked), _labels(asked.selector), own)
    return Known([PoolStatus(asked, [node])], [node], complete=False)


def of_plan(text: str, name: str, asked: Pool) -> Known:
    """The node pools of a plan of Terraform, as `terraform show -json` writes it.

    Raises:
        ConfigurationError: it is something else, or has no node pools.
    """
    data = _json(text, name, "terraform show -json PLAN")
    root = ((data.get("planned_values") or data.get("values") or {}).get("root_module")) or {}
    planned = [each for each in _resources(root) if each.get("type") in _KINDS]
    open_ = {
        change.get("address")
        for change in data.get("resource_changes") or ()
        if _is_open((change.get("change") or {}).get("after_unknown") or {})
    }
    # What is known after the apply only is not known to have no taint.
    nodes = [_planned(each) for each in planned if each.get("address") not in open_]
    if not planned:
        raise ConfigurationError(
            f"{name} has no node pools",
            hint="Write it with: terraform show -json PLAN. agtool knows the resources "
            f"{', '.join(_KINDS)}.",
        )
    labels = _labels(asked.selector) if asked != Pool() else {}
    pools = [
        PoolStatus(Pool((), _first_label(node), _preset_of(node)), [node])
        for node in nodes
        if labels.items() <= node.labels.items()
    ]
    return Known(pools, nodes, complete=False)


def completed(node: Node, spec: Mapping[str, Any]) -> Node | None:
    """A node with those labels, not known, that a pod asks for.

    Returns:
        None: the pod asks for nothing that is known of the node, so that it may mean another one.
    """
    labels = dict(node.labels)
    asked = dict(spec.get("nodeSelector") or {})
    mentioned = bool(asked.keys() & node.labels.keys())
    labels = {**asked, **labels}
    for term in required_terms(spec) or ():
        for each in term.get("matchExpressions") or ():
            mentioned = mentioned or each["key"] in node.labels
            if each["key"] not in labels and (values := _satisfying(each)) is not None:
                labels[each["key"]] = values
    return replace(node, labels=labels) if mentioned else None


def _satisfying(expression: Mapping[str, Any]) -> str | None:
    """A value for which an expression about a label that is not known holds; None: without it."""
    values = expression.get("values") or [""]
    operator = expression["operator"]
    if operator in ("DoesNotExist", "NotIn"):
        return None
    if operator in ("Gt", "Lt"):
        try:
            return str(int(values[0]) + (1 if operator == "Gt" else -1))
        except ValueError:
            return None
    return str(values[0])


def _sketch(name: str, labels: Mapping[str, str], taints: Sequence[Taint]) -> Node:
    as_api = tuple({k: v for k, v in taint._asdict().items() if v} for taint in taints)
    return Node(name, name, "", "", dict(labels), as_api, "", ready=True, cordoned=False)


def _labels(selector: str) -> dict[str, str]:
    found: list[Label] = []
    for part in split_selector(selector):
        label = parse_equality(part)
        if label is None:
            raise UsageError(
                f"without a cluster nodes cannot be chosen by {part!r}",
                hint="Write --selector as KEY=VALUE,...",
            )
        found.append(label)
    return dict(found)


def _json(text: str, name: str, command: str) -> Json:
    try:
        data = read_json(text.removeprefix("\ufeff"))
    except ValueError as error:
        raise ConfigurationError(
            f"{name} is not JSON: {error}", hint=f"Write it with: {command}"
        ) from error
    if not isinstance(data, dict):
        raise ConfigurationError(f"{name} is not an object", hint=f"Write it with: {command}")
    return data


_SETTINGS = (
    *("taint", "labels", "spot", "preemptible"),
    *("capacity_type", "node_taints", "node_labels", "priority"),
)
"""What of a node pool decides which taints and labels its nodes have."""


def _is_open(unknown: Mapping[str, Any]) -> bool:
    """Whether any of these settings is known after the apply only."""
    config = unknown.get("node_config")
    whole = config is True
    blocks = [each for each in config if isinstance(each, dict)] if isinstance(config, list) else []
    return whole or any(
        _has_true(each.get(name)) for each in (unknown, *blocks) for name in _SETTINGS
    )


def _has_true(value: object) -> bool:
    if isinstance(value, dict):
        return any(map(_has_true, value.values()))
    if isinstance(value, list):
        return any(map(_has_true, value))
    return value is True


def _resources(module: Mapping[str, Any]) -> Iterator[Json]:
    yield from (each for each in module.get("resources") or () if isinstance(each, dict))
    for child in module.get("child_modules") or ():
        yield from _resources(child)


_GOOGLE, _AWS = "google_container_node_pool", "aws_eks_node_group"
_AZURE = "azurerm_kubernetes_cluster_node_pool"
_KINDS = (_GOOGLE, _AWS, _AZURE)
"""The resources of Terraform that are node pools."""

_EFFECTS = {
    "NO_SCHEDULE": "NoSchedule",
    "NO_EXECUTE": "NoExecute",
    "PREFER_NO_SCHEDULE": "PreferNoSchedule",
}


def _planned(resource: Json) -> Node:
    """A node of a pool that is planned."""
    values = resource.get("values") or {}
    address = str(resource.get("address", ""))
    kind = resource["type"]
    labels: dict[str, str] = {}
    taints: list[Taint] = []
    if kind == _GOOGLE:
        for config in _blocks(values, "node_config"):
            labels |= config.get("labels") or {}
            taints += map(_of_block, _blocks(config, "taint"))
            for setting, preset in (("spot", "gke-spot"), ("preemptible", "gke-preemptible")):
                if config.get(setting):
                    labels |= [PRESETS[preset].label]
        labels |= {"cloud.google.com/gke-nodepool": str(values.get("name") or "")}
    elif kind == _AWS:
        labels |= values.get("labels") or {}
        taints += map(_of_block, _blocks(values, "taint"))
        labels |= {
            "eks.amazonaws.com/capacityType": str(values.get("capacity_type") or "ON_DEMAND")
        }
        labels |= {"eks.amazonaws.com/nodegroup": str(values.get("node_group_name") or "")}
    else:
        labels |= values.get("node_labels") or {}
        taints += map(parse_taint, values.get("node_taints") or ())
        labels |= {"kubernetes.azure.com/agentpool": str(values.get("name") or "")}
        if str(values.get("priority")).lower() == "spot":
            labels |= [PRESETS["aks-spot"].label]
            taints.append(PRESETS["aks-spot"].taint)
    return _sketch(address, {k: str(v) for k, v in labels.items()}, list(dict.fromkeys(taints)))


def _blocks(values: Mapping[str, Any], name: str) -> list[Json]:
    """The blocks of a resource; those whose values are known after the apply only are left out."""
    found = values.get(name) or []
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _of_block(block: Mapping[str, Any]) -> Taint:
    effect = str(block.get("effect") or "")
    return taint_of(
        {
            "key": str(block.get("key") or ""),
            "value": str(block.get("value") or ""),
            "effect": _EFFECTS.get(effect, effect),
        }
    )


def _preset_of(node: Node) -> Preset | None:
    found = [preset for preset in PRESETS.values() if preset.label in node.labels.items()]
    return found[0] if found else None


def _first_label(node: Node) -> str:
    preset = _preset_of(node)
    if preset:
        return str(preset.label)
    return next((f"{key}={value}" for key, value in node.labels.items()), node.name)
