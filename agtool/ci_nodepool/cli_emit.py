"""`agtool ci-nodepool emit`: parse, wire, print."""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from agtool import __version__
from agtool.ci_nodepool.cli_runner import Taints
from agtool.ci_nodepool.options import PoolOptions
from agtool.ci_nodepool.presets import DEFAULT, PRESETS
from agtool.core.errors import UsageError
from agtool.core.option_groups import grouped
from agtool.core.output import print_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agtool.ci_nodepool.emit import Chart
    from agtool.ci_nodepool.model import Taint
    from agtool.ci_nodepool.presets import Preset


class What(str, Enum):
    """What `emit` prints."""

    helm = "helm"
    toml = "toml"
    pool = "pool"
    watch = "watch"


@grouped
def emit(
    *,
    what: Annotated[
        What,
        typer.Argument(
            help="helm: values for the runner; toml: the tables alone; pool: the provider's "
            "command; watch: a manifest."
        ),
    ],
    pool: PoolOptions,
    taint: Taints = None,
    chart: Annotated[
        str | None,
        typer.Option(
            metavar="VERSION", help="helm: of the chart gitlab-runner.  [default: a current one]"
        ),
    ] = None,
    namespace: Annotated[
        str, typer.Option("-n", "--namespace", metavar="NAME", help="watch: where it shall run.")
    ] = "kube-system",
    image: Annotated[
        str, typer.Option(metavar="IMAGE", help="watch: an image with agtool in it.")
    ] = f"agtool:{__version__}",
) -> int:
    """Print what makes it last, for Helm and the provider.

    A change of a live cluster is lost when Helm or GitOps comes by, and a taint of a node
    when the node is made anew. Nothing is asked of a cluster.

    \b
    Examples:
      agtool ci-nodepool emit helm --preset gke-spot > values-runner.yaml
      agtool ci-nodepool emit helm --chart 0.19
      agtool ci-nodepool emit pool --preset eks-spot
      agtool ci-nodepool emit watch --image registry.example/agtool:1 | kubectl apply -f -
    """  # noqa: D301  # the backslash keeps the examples' lines apart
    from agtool.ci_nodepool import emit as texts
    from agtool.ci_nodepool.parse import parse_taint
    from agtool.ci_nodepool.runner_run import named

    taints = [parse_taint(each) for each in taint or ()]
    wanted = named(pool, taints)
    preset = PRESETS[pool.preset] if pool.preset else None if pool.selector else DEFAULT
    if what is What.helm:
        text = texts.helm_values(wanted, _chart(chart))
    elif what is What.toml:
        text = texts.toml(wanted)
    elif what is What.pool:
        if preset is None:
            raise UsageError(
                "which provider's command?", hint="Add --preset, such as --preset gke-spot."
            )
        text = texts.pool_commands(preset, taints or [preset.taint])
    else:
        from agtool.ci_nodepool.emit_watch import watch_manifest

        arguments = _watch_arguments(pool, preset, taints)
        text = watch_manifest(arguments, namespace=namespace, image=image)
    print_text(text.rstrip("\n"))
    return 0


def _watch_arguments(
    pool: PoolOptions, preset: Preset | None, taints: Sequence[Taint]
) -> list[str]:
    specs = list(map(str, taints))
    if not specs and (preset is None or preset.built_in):
        raise UsageError(
            "what shall watch keep? The provider taints these nodes by itself"
            if preset
            else "what shall watch keep?",
            hint="Add --taint KEY=VALUE:EFFECT.",
        )
    arguments = ["--selector", pool.selector] if pool.selector else []
    if preset is not None:
        arguments += ["--preset", preset.name]
    return [*arguments, *specs]


def _chart(version: str | None) -> Chart | None:
    if version is None:
        return None
    found = re.match(r"v?(\d+)\.(\d+)", version)
    if not found:
        raise UsageError(f"{version!r} is no version of a chart", hint="Such as 0.19 or 0.86.0.")
    return int(found[1]), int(found[2])
