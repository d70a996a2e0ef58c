"""What keeps the taint on the nodes of a pool: the provider's command or setting. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence

from agtool.ci_nodepool.model import Taint
from agtool.ci_nodepool.presets import Preset
from agtool.core.errors import UsageError


def pool_commands(preset: Preset, taints: Sequence[Taint]) -> str:
    """The command or setting with which the provider taints all nodes of a pool, new ones too.

    Raises:
        UsageError: agtool knows none.
    """
    more = [taint for taint in taints if taint != preset.taint]
    if preset.built_in and not more:
        return (
            f"# {preset.name}: the provider taints these nodes with {preset.taint.key} by itself.\n"
            "# There is nothing to do.\n"
        )
    if preset.name not in _POOL_COMMANDS:
        raise UsageError(
            f"agtool knows no command that gives {more[0]} to new nodes of {preset.name}",
            hint="Set it where the pool is created, or keep it on the nodes: agtool ci-nodepool "
            f"emit watch --preset {preset.name} --taint {more[0]}",
        )
    return _POOL_COMMANDS[preset.name]([preset.taint, *more] if preset.built_in else taints)


def _aks(taints: Sequence[Taint]) -> str:
    pool = "--resource-group GROUP --cluster-name CLUSTER --name POOL"
    return _replace_all("az aks nodepool", "show", pool, "--query nodeTaints", taints)


def _gke(taints: Sequence[Taint]) -> str:
    pool = "POOL --cluster CLUSTER --location LOCATION"
    show = "--format 'value(config.taints)'"
    return _replace_all("gcloud container node-pools", "describe", pool, show, taints)


def _replace_all(tool: str, look: str, pool: str, show: str, taints: Sequence[Taint]) -> str:
    joined = ",".join(f"{t.key}={t.value}:{t.effect}" for t in taints)
    return (
        "# --node-taints REPLACES all taints of the pool: add those that it has. They are in\n"
        f"#   {tool} {look} {pool} \\\n#     {show}\n"
        f"{tool} update {pool} \\\n  --node-taints '{joined}'\n"
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
