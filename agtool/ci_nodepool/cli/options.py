"""Options that several of the commands share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, NamedTuple

import typer

from agtool.ci_nodepool import presets
from agtool.ci_nodepool.cli import complete
from agtool.core import completion
from agtool.core.command import Format
from agtool.core.errors import UsageError, without_effect
from agtool.core.options import (
    DryRun,
    Output,
    Yes,
    duration,
    flag,
    namespace_option,
    not_empty,
    positive,
)


def _preset(name: str) -> presets.Preset:
    if name not in presets.PRESETS:
        raise typer.BadParameter(f"{name!r} is not a preset. Choose {', '.join(presets.PRESETS)}.")
    return presets.PRESETS[name]


def text(metavar: str, help_: str, *names: str, **settings: Any) -> Any:
    """An option whose value is text, and not empty."""
    return typer.Option(*names, metavar=metavar, help=help_, callback=not_empty, **settings)


def _nodes(metavar: str, help_: str) -> Any:
    return typer.Argument(
        metavar=metavar, help=help_, show_default=False, autocompletion=completion.nodes
    )


def _preset_option(more: str = "") -> Any:
    names = ", ".join(presets.PRESETS)
    return typer.Option(
        metavar="NAME",
        parser=_preset,
        help=f"Choose the nodes that have this provider's label: {names}.{more}",
        autocompletion=complete.presets,
    )


Selector = Annotated[
    str | None,
    text("SELECTOR", "Choose the nodes that have these labels: KEY=VALUE,...", "-l", "--selector"),
]


class PoolOptions(NamedTuple):
    """Which nodes, where no names say it."""

    selector: Selector = None
    preset: Annotated[presets.Preset | None, _preset_option()] = None

    def pool(self, names: Sequence[str] = ()) -> presets.Pool:
        """The pool that is asked for; without names by a selector.

        Raises:
            UsageError: it is asked for in two ways.
        """
        given = {"NODE": names, "--selector": self.selector, "--preset": self.preset}
        ways = [way for way, value in given.items() if value]
        if len(ways) > 1:
            raise UsageError(
                f"{ways[1]} has no effect beside {ways[0]}",
                hint="Choose the nodes in one way, and leave out the other.",
            )
        label = str(self.preset.label) if self.preset else ""
        return presets.Pool(tuple(names), self.selector or label, self.preset)


class ProviderOptions(NamedTuple):
    """Which nodes, and whose label and taint where none is given."""

    selector: Selector = None
    preset: Annotated[
        presets.Preset | None,
        _preset_option(
            " If the nodes are chosen otherwise, and no label or taint is given: use this "
            "provider's."
        ),
    ] = None

    def pool(self, names: Sequence[str] = (), *, given: Sequence[object]) -> presets.Pool:
        """The pool that is asked for, with the preset whose label and taint are meant.

        Args:
            given: labels and taints: with them, a preset can but choose nodes.

        Raises:
            UsageError: it is asked for in two ways.
        """
        chosen = PoolOptions(self.selector, self.preset)
        if (names or self.selector) and not given:
            chosen = chosen._replace(preset=None)
        return replace(chosen.pool(names), preset=self.preset)


class ChangeOptions(NamedTuple):
    """How to go about a change."""

    dry_run: DryRun = False
    yes: Yes = False
    output: Output = Format.table


NodesAndSpecs = Annotated[
    list[str] | None, _nodes("[NODE|SPEC]...", "Names of nodes, and labels or taints.")
]

NodeNames = Annotated[list[str] | None, _nodes("[NODE]...", "Names of nodes.")]

Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace a label or taint that has another value.")
]

Force = Annotated[
    bool, typer.Option("--force", help="Go on even if jobs of a runner would wait for ever.")
]

SkipPods = Annotated[
    bool,
    typer.Option(
        "--skip-pods",
        help="Do not look for pods that do not tolerate the taints, which lists all pods.",
    ),
]

RunnersNamespace = Annotated[
    str | None,
    namespace_option("Look for runners in this namespace only.  [default: all namespaces]"),
]

RunnerNames = Annotated[
    list[str] | None,
    text(
        "NAMESPACE/NAME",
        "Choose a runner by the name of its Deployment or StatefulSet. Can be repeated.  "
        "[default: the only one]",
        "--runner",
        autocompletion=complete.runners,
    ),
]

AllRunners = Annotated[bool, flag("Choose every runner that is found.", "--all-runners")]

Prefer = Annotated[
    bool,
    flag(
        "Send jobs to the pool if it has room, and else elsewhere: by preferred node affinity "
        "instead of a node selector.",
        "--prefer",
    ),
]


Owned = Annotated[
    bool,
    flag(
        "Change a runner also if Flux, Argo CD or Helm owns it, until they put it back.", "--live"
    ),
]


def runner_names(names: list[str] | None, *, every: bool) -> list[str]:
    """The runners that are named.

    Raises:
        UsageError: all are asked for too.
    """
    if names and every:
        raise without_effect("--runner", "beside --all-runners")
    return names or []


Taints = Annotated[
    list[str] | None,
    typer.Option(
        "--taint",
        metavar="KEY=VALUE:EFFECT",
        help="Use this taint, which jobs tolerate. Can be repeated.  [default: the taint that goes "
        "with the label]",
        callback=not_empty,
    ),
]

Timeout = Annotated[
    float,
    duration(
        "Put the old configuration back if the runner is not up by then.  [default: 10m]",
        callback=positive,
    ),
]
