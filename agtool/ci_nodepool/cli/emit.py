"""`agtool ci-nodepool emit`: parse, wire, hand the text on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from agtool.ci_nodepool.cli import options
from agtool.ci_nodepool.emit.manifest import IMAGE
from agtool.ci_nodepool.emit.pool import POOLS
from agtool.ci_nodepool.model import Label, Taint
from agtool.ci_nodepool.presets import DEFAULT, Pool, default_taints
from agtool.ci_nodepool.runner.placement import placement
from agtool.core import completion
from agtool.core.command import Result
from agtool.core.errors import UsageError
from agtool.core.image import parse_image
from agtool.core.options import given_options, grouped, namespace_option

if TYPE_CHECKING:
    from agtool.ci_nodepool.emit.helm import Chart

_OBEYED_BY = {
    "--chart": ("helm",),
    "--namespace": ("watch",),
    "--image": ("watch",),
    "--selector": ("helm", "toml", "pool", "admission", "watch"),
    "--for": ("pool",),
}
"""The options that not all kinds obey."""


@grouped
def emit(
    *,
    context: typer.Context,
    kind: Annotated[
        Literal["helm", "toml", "pool", "admission", "watch"],
        typer.Argument(
            metavar="helm|toml|pool|admission|watch",
            help="helm: values for the runner's chart; toml: only the tables in them; pool: the "
            "command or setting that taints all nodes of a pool; admission: a policy by which "
            "the API server taints new nodes; watch: a manifest that runs `watch`.",
        ),
    ],
    pool: options.ProviderOptions,
    taint: options.Taints = None,
    tool: Annotated[
        str | None,
        options.text(
            "TOOL",
            f"(pool) Print it for this tool: {', '.join(POOLS)}.  [default: the one that goes with "
            "the preset]",
            "--for",
            autocompletion=completion.words(*POOLS),
        ),
    ] = None,
    chart: Annotated[
        str | None,
        options.text(
            "VERSION",
            "(helm) Print values for this version of the chart gitlab-runner.  [default: a "
            "current one]",
        ),
    ] = None,
    namespace: Annotated[
        str, namespace_option("(watch) Run it in this namespace.")
    ] = "kube-system",
    image: Annotated[
        str, options.text("IMAGE", "(watch) Run this image, whose entrypoint is agtool.")
    ] = IMAGE,
) -> Result[None]:
    """Print what makes a change permanent.

    Helm and GitOps undo what was changed in a live cluster, and new nodes come without the
    taint. By default it is for the preset gke-preemptible; what `watch` keeps, it finds itself,
    by the label of the nodes. The command does not need a cluster.

    \b
    Examples:
      agtool ci-nodepool emit helm --preset gke-spot > values-runner.yaml
      agtool ci-nodepool emit helm --chart 0.19
      agtool ci-nodepool emit pool --preset eks-spot
      agtool ci-nodepool emit pool --for terraform-google -l pool=ci --taint pool=ci:NoSchedule
      agtool ci-nodepool emit admission --preset gke-spot | kubectl apply -f -
      agtool ci-nodepool emit watch --image registry.example/agtool-full:1 | kubectl apply -f -
    """  # noqa: D301  # the backslash keeps the examples' lines apart
    from agtool.ci_nodepool.emit import helm
    from agtool.ci_nodepool.emit.admission import admission_policy
    from agtool.ci_nodepool.emit.manifest import watch_manifest
    from agtool.ci_nodepool.emit.provider import pool_commands
    from agtool.ci_nodepool.parse import parse_taint

    for option in given_options(context):
        kinds = _OBEYED_BY.get(option, (kind,))
        if kind not in kinds:
            raise UsageError(
                f"{option} has no effect on `emit {kind}`",
                hint=f"Leave it out. It is an option of: {', '.join(kinds)}.",
            )
    taints = [parse_taint(each) for each in taint or ()]
    asked = pool.pool(given=taints)
    if not asked.selector:
        asked = DEFAULT.pool
    if kind == "pool":
        own = taints or list(default_taints(asked, ()))
        text = pool_commands(asked.preset, own, tool=_tool(tool), labels=_labels(asked))
    elif kind == "admission":
        own = taints or list(default_taints(asked, ()))
        if not own:
            raise UsageError(
                "the provider taints these nodes by itself", hint="Add --taint KEY=VALUE:EFFECT."
            )
        text = admission_policy(_labels(asked), own)
    elif kind == "watch":
        arguments = _watch_arguments(pool.pool(given=taints), pool.selector, taints)
        image = parse_image("--image", image)
        text = watch_manifest(arguments, namespace=namespace, image=image)
    elif kind == "helm":
        text = helm.helm_values(placement(asked, taints), _chart(chart) if chart else None)
    else:
        text = helm.toml(placement(asked, taints))
    return Result(None, [text.rstrip("\n")])


def _watch_arguments(pool: Pool, selector: str | None, taints: Sequence[Taint]) -> list[str]:
    specs = list(map(str, taints))
    preset = pool.preset
    if not specs and pool != Pool() and (preset is None or preset.built_in):
        reason = ": the provider taints these nodes by itself" if preset else ""
        raise UsageError(
            f"nothing says what `watch` should keep{reason}", hint="Add --taint KEY=VALUE:EFFECT."
        )
    arguments = ["--selector", selector] if selector else []
    if preset is not None:
        arguments += ["--preset", preset.name]
    return [*arguments, *specs]


def _tool(name: str | None) -> str:
    if name and name not in POOLS:
        raise UsageError(f"--for {name!r} is not a tool", hint=f"Choose {', '.join(POOLS)}.")
    return name or ""


def _labels(pool: Pool) -> list[Label]:
    """The labels of the pool's nodes.

    Raises:
        UsageError: the selector has other parts than KEY=VALUE.
    """
    return [Label(*each) for each in placement(pool, [_ANY]).node_selector.items()]


_ANY = Taint("any", "", "NoSchedule")
"""So that it does not matter which taint goes with the labels."""


def _chart(version: str) -> Chart:
    found = re.match(r"v?(\d+)\.(\d+)", version)
    if not found:
        raise UsageError(
            f"{version!r} is not a valid version of the chart",
            hint="Write it as in: helm list -A, such as 0.19 or 0.86.0.",
        )
    return int(found[1]), int(found[2])
