"""What keeps the jobs of a runner on a pool: Helm values, or the tables of its TOML. Pure."""

from __future__ import annotations

import json

from agtool.ci_nodepool.runner.edit import wish_text
from agtool.ci_nodepool.runner.placement import PREFERRED, Tables, toleration
from agtool.ci_nodepool.runner.toml import quoted

Chart = tuple[int, int]

TEMPLATES_SINCE: Chart = (0, 26)
"""The first chart known to have runners.config."""

_TOLERATIONS_SINCE: Chart = (0, 19)
"""The first chart known to have runners.nodeTolerations."""


def toml(wanted: Tables, indent: str = "") -> str:
    """The tables for a runner's template."""
    lines = ["[[runners]]", "  [runners.kubernetes]"]
    for table, entries in vars(wanted).items():
        if table == PREFERRED:
            lines += [f"    {line}" for each in entries.items() for line in wish_text(*each)]
        elif entries:
            lines.append(f"    [runners.kubernetes.{table}]")
            lines += [f"      {quoted(k)} = {quoted(v)}" for k, v in entries.items()]
    return "".join(f"{indent}{line}\n" for line in lines)


def helm_values(wanted: Tables, chart: Chart | None = None) -> str:
    """Values for the chart gitlab-runner; of the current one, or of an old version."""
    if chart is None or chart >= TEMPLATES_SINCE:
        return (
            "# Where jobs run. runners.config is one string: keep what yours has already, and add\n"
            "# the tables to it. (The top-level nodeSelector and tolerations move the runner\n"
            "# itself, which should not run on nodes that go away.)\n"
            "runners:\n  config: |\n" + toml(wanted, "    ")
        )
    lines = ["# For charts without runners.config. Where jobs run:", "runners:", "  nodeSelector:"]
    lines += [f"    {json.dumps(k)}: {json.dumps(v)}" for k, v in wanted.node_selector.items()]
    if chart >= _TOLERATIONS_SINCE:
        lines.append("  nodeTolerations:")
        for entry in wanted.node_tolerations.items():
            one = toleration(*entry)
            value = {"operator": "Exists"} if one.value is None else {"value": one.value}
            lines.append(f"    - {json.dumps({'key': one.key, **value, 'effect': one.effect})}")
    else:
        lines += [
            "# This chart has no nodeTolerations. The variable takes one entry only.",
            "envVars:",
        ]
        for name, effect in wanted.node_tolerations.items():
            variable = {"name": "KUBERNETES_NODE_TOLERATIONS", "value": f"{name}:{effect}"}
            lines.append(f"  - {json.dumps(variable)}")
    return "".join(f"{line}\n" for line in lines)
