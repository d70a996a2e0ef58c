"""What lets jobs survive that their node goes away, and what a runner lacks of it. Pure.

Seen with gitlab-runner 19.4: a job fails as soon as the deletion of its pod begins, whatever the
grace period; so what helps is not to be evicted, to wait for a node that is being made, and to be
run again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from agtool.ci_nodepool.presets import PRESETS
from agtool.ci_nodepool.scheduling import Spec, requires_label
from agtool.core.finding import Finding

POLL_TIMEOUT = 600
"""Seconds for which a job waits for a node that is being made; the runner's default is 180."""


class Setting(NamedTuple):
    """A setting of [runners.kubernetes] that helps.

    Attributes:
        code: for programs.
        table: below [runners.kubernetes]; empty: in it.
        key: of the setting.
        value: as TOML.
        reason: why, with the source.
    """

    code: str
    table: str
    key: str
    value: str
    reason: str

    @property
    def line(self) -> str:
        """The setting as a line of TOML."""
        key = f'"{self.key}"' if self.table else self.key
        return f"{key} = {self.value}"


def lacking(kubernetes: Mapping[str, Any], spec: Spec) -> list[Setting]:
    """The settings that a runner lacks whose jobs are sent to nodes that go away.

    Args:
        kubernetes: [runners.kubernetes] as gitlab-runner reads it.
        spec: of the jobs' pods.
    """
    found = []
    if int(kubernetes.get("poll_timeout") or 180) < POLL_TIMEOUT:
        found.append(_POLL)
    if not kubernetes.get("pod_disruption_budget"):
        found.append(_BUDGET)
    karpenter = requires_label(spec, *PRESETS["karpenter-spot"].label)
    annotation = _KARPENTER if karpenter else _AUTOSCALER
    if annotation.key not in (kubernetes.get("pod_annotations") or {}):
        found.append(annotation)
    return found


def as_finding(setting: Setting, subject: str) -> Finding:
    """The same as advice."""
    table = f"[runners.kubernetes{'.' * bool(setting.table)}{setting.table}]"
    return Finding(setting.code, setting.reason, f"{table}\n  {setting.line}", subject)


_POLL = Setting(
    "poll-timeout",
    "",
    "poll_timeout",
    str(POLL_TIMEOUT),
    "a job fails after 180 s without a node, and a pool that scales from zero may need longer "
    "(gitlab-runner: poll_timeout)",
)
_BUDGET = Setting(
    "disruption-budget",
    "",
    "pod_disruption_budget",
    "true",
    "a drain or a scale-down evicts jobs that run; with a budget for each job the eviction API "
    "refuses it (gitlab-runner 18.10: pod_disruption_budget)",
)
_KARPENTER = Setting(
    "do-not-disrupt",
    "pod_annotations",
    "karpenter.sh/do-not-disrupt",
    '"true"',
    "Karpenter takes away nodes on which jobs run, to save money (karpenter.sh/do-not-disrupt)",
)
_AUTOSCALER = Setting(
    "safe-to-evict",
    "pod_annotations",
    "cluster-autoscaler.kubernetes.io/safe-to-evict",
    '"false"',
    "cluster-autoscaler removes nodes on which jobs run, if they are little used "
    "(cluster-autoscaler.kubernetes.io/safe-to-evict)",
)

SURVIVAL = tuple(each.code for each in (_POLL, _BUDGET, _KARPENTER, _AUTOSCALER))
"""The codes of the advice."""

RETRY = Finding(
    "job-retry",
    "a job whose node is taken back fails with runner_system_failure, and one whose manager is "
    "killed with runner_interrupted, for an older GitLab unknown_failure",
    "In .gitlab-ci.yml:\ndefault:\n  retry:\n    max: 2\n    when:\n      - runner_system_failure\n"
    "      - runner_interrupted\n      - unknown_failure",
)
"""What the teams have to do, whatever the runner does."""
