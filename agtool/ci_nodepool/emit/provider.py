"""Which text keeps the taint on a pool's new nodes: that of a tool, or of a preset. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from agtool.ci_nodepool.emit.pool import OF_PRESET, POOLS, Wanted
from agtool.ci_nodepool.model import Label, Taint
from agtool.ci_nodepool.presets import Preset
from agtool.core.errors import UsageError


def pool_commands(
    preset: Preset | None, taints: Sequence[Taint], *, tool: str = "", labels: Sequence[Label] = ()
) -> str:
    """The command or setting with which all nodes of a pool get the taints, new ones too.

    Args:
        preset: whose nodes they are; None: nobody's.
        tool: of `POOLS`; empty: the one that goes with the preset.
        labels: that jobs select.

    Raises:
        UsageError: neither says which tool.
    """
    if preset is not None:
        labels = labels or [preset.label]
        more = [taint for taint in taints if taint != preset.taint]
        if preset.built_in and not more:
            return (
                f"# {preset.name}: the provider taints these nodes with {preset.taint.key} by "
                "itself.\n# There is nothing to do.\n"
            )
        # A list that replaces all has to have the provider's own, too.
        taints = [preset.taint, *more] if preset.built_in and preset.name == "aks-spot" else taints
        tool = tool or OF_PRESET[preset.name]
    if not tool:
        raise UsageError(
            "--selector has no effect on `emit pool` without --for: nothing says with which tool "
            "the pool is made",
            hint=f"Add --for TOOL: {', '.join(POOLS)}.",
        )
    return POOLS[tool](Wanted(labels, taints))
