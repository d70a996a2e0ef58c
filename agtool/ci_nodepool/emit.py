"""What belongs into the sources of a cluster: Helm values, provider's commands, manifests. Pure.

A live patch lasts until Helm or GitOps comes by again; what is printed here lasts.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from agtool.ci_nodepool.model import Taint
from agtool.ci_nodepool.presets import Preset
from agtool.ci_nodepool.runner_config import Placement, toleration
from agtool.ci_nodepool.runner_toml import quoted
from agtool.core.errors import UsageError

Chart = tuple[int, int]

TEMPLATES_SINCE: Chart = (0, 26)
"""The first chart known to have runners.config."""

_TOLERATIONS_SINCE: Chart = (0, 19)
"""The first chart known to have runners.nodeTolerations."""


def toml(wanted: Placement, indent: str = "") -> str:
    """The tables for a runner's template."""
    lines = ["[[runners]]", "  [runners.kubernetes]"]
    for table, entries in wanted.tables().items():
        if entries:
            lines.append(f"    [runners.kubernetes.{table}]")
            lines += [f"      {quoted(k)} = {quoted(v)}" for k, v in entries.items()]
    return "".join(f"{indent}{line}\n" for line in lines)


def helm_values(wanted: Placement, chart: Chart | None = None) -> str:
    """Values for the chart gitlab-runner; of the current one, or of an old version."""
    if chart is None or chart >= TEMPLATES_SINCE:
        return (
            "# Where jobs run. It is one string: keep what your runners.config has already, and\n"
            "# add the tables to it. (The top-level nodeSelector and tolerations move the runner\n"
            "# itself, which should not run on nodes that go away.)\n"
            "runners:\n  config: |\n" + toml(wanted, "    ")
        )
    lines = ["# For charts without runners.config. Where jobs run:", "runners:", "  nodeSelector:"]
    lines += [f"    {json.dumps(k)}: {json.dumps(v)}" for k, v in wanted.selector.items()]
    if chart >= _TOLERATIONS_SINCE:
        lines.append("  nodeTolerations:")
        for entry in wanted.tolerations.items():
            key, value, effect = toleration(*entry)
            lines.append(f"    - key: {json.dumps(key)}")
            if value is None:
                lines.append("      operator: Exists")
            else:
                lines.append(f"      value: {json.dumps(value)}")
            lines.append(f"      effect: {json.dumps(effect)}")
    else:
        lines += [
            "# This chart has no nodeTolerations. A variable takes one entry only.",
            "envVars:",
        ]
        for name, effect in wanted.tolerations.items():
            lines.append("  - name: KUBERNETES_NODE_TOLERATIONS")
            lines.append(f"    value: {json.dumps(f'{name}:{effect}')}")
    return "".join(f"{line}\n" for line in lines)


def pool_commands(preset: Preset, taints: Sequence[Taint]) -> str:
    """How the provider is told to taint a pool's nodes, also those to come.

    Raises:
        UsageError: it has no way that is known here.
    """
    more = [taint for taint in taints if taint != preset.taint]
    if preset.built_in and not more:
        return (
            f"# {preset.name}: the provider taints these nodes with {preset.taint.key} by itself.\n"
            "# There is nothing to do.\n"
        )
    if preset.name not in _POOL_COMMANDS:
        raise UsageError(
            f"agtool knows no command by which {preset.name} nodes get {more[0]} from the start",
            hint="Set it where the pool is made, or keep it there: agtool ci-nodepool emit watch "
            f"--preset {preset.name} --taint {more[0]}",
        )
    return _POOL_COMMANDS[preset.name]([preset.taint, *more] if preset.built_in else taints)


def _aks(taints: Sequence[Taint]) -> str:
    joined = ",".join(f"{t.key}={t.value}:{t.effect}" for t in taints)
    return (
        "# --node-taints REPLACES all taints of the pool: add those that it has, see\n"
        "#   az aks nodepool show --resource-group GROUP --cluster-name CLUSTER --name POOL \\\n"
        "#     --query nodeTaints\n"
        "az aks nodepool update --resource-group GROUP --cluster-name CLUSTER --name POOL \\\n"
        f"  --node-taints '{joined}'\n"
    )


def _gke(taints: Sequence[Taint]) -> str:
    joined = ",".join(f"{t.key}={t.value}:{t.effect}" for t in taints)
    return (
        "# --node-taints REPLACES all taints of the pool: add those that it has, see\n"
        "#   gcloud container node-pools describe POOL --cluster CLUSTER --location LOCATION \\\n"
        "#     --format 'value(config.taints)'\n"
        "gcloud container node-pools update POOL --cluster CLUSTER --location LOCATION \\\n"
        f"  --node-taints '{joined}'\n"
    )


def _eks(taints: Sequence[Taint]) -> str:
    effects = {
        "NoSchedule": "NO_SCHEDULE",
        "NoExecute": "NO_EXECUTE",
        "PreferNoSchedule": "PREFER_NO_SCHEDULE",
    }
    joined = ",".join(f"{{key={t.key},value={t.value},effect={effects[t.effect]}}}" for t in taints)
    return (
        "# Other taints of the group stay.\n"
        "aws eks update-nodegroup-config --cluster-name CLUSTER --nodegroup-name POOL \\\n"
        f"  --taints 'addOrUpdateTaints=[{joined}]'\n"
    )


def _karpenter(taints: Sequence[Taint]) -> str:
    lines = ["spec:", "  template:", "    spec:", "      taints:"]
    lines += [f"        - {json.dumps(t._asdict())}" for t in taints]
    return (
        "# kubectl edit nodepool POOL, and add this. Karpenter replaces the nodes of a NodePool\n"
        "# whose template has changed (drift), within its disruption budget.\n"
        + "".join(f"{line}\n" for line in lines)
    )


_POOL_COMMANDS = {
    "gke-preemptible": _gke,
    "gke-spot": _gke,
    "eks-spot": _eks,
    "aks-spot": _aks,
    "karpenter-spot": _karpenter,
}
