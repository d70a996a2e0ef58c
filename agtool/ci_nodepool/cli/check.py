"""`agtool ci-nodepool check`: parse, wire, hand the result on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from agtool.ci_nodepool import documents, parse
from agtool.ci_nodepool.cli import options
from agtool.core.command import Format, Result
from agtool.core.errors import UsageError, without_effect
from agtool.core.options import ClusterOptions, grouped, namespace_option, output_option

if TYPE_CHECKING:
    from agtool.ci_nodepool.check.pools import Known
    from agtool.ci_nodepool.model import Taint
    from agtool.ci_nodepool.presets import Pool

Files = Annotated[
    list[str],
    typer.Argument(
        metavar="FILE...",
        help="Files or folders with manifests, Helm values or TOML; -: standard input.",
        show_default=False,
    ),
]


@grouped
def check(
    *,
    files: Files,
    pool: options.ProviderOptions,
    taint: options.Taints = None,
    nodes: Annotated[
        str | None,
        options.text("FILE", "Take the nodes from here: kubectl get nodes -o json; -: stdin."),
    ] = None,
    terraform_plan: Annotated[
        str | None,
        options.text(
            "FILE",
            "Take the node pools from here: terraform show -json PLAN; -: stdin.",
            "--terraform-plan",
        ),
    ] = None,
    output: Annotated[
        Format, output_option("text", "json", "junit", "github", "gitlab")
    ] = Format.text,
    namespace: Annotated[
        str, namespace_option("The namespace of manifests that say none.")
    ] = "default",
    cluster: ClusterOptions,
) -> Result[documents.Checked]:
    """Check where the jobs of runners in files will run.

    Reads manifests (rendered by helm, kustomize or flux, or for Flux and Argo CD), values of
    the chart gitlab-runner or of one that has it, config.toml and templates. Says of every
    runner where its jobs will run, which taints they meet there, and the line to change. The
    nodes are those of the cluster, or what --nodes, --terraform-plan, --preset or --selector
    say; with these no cluster is needed. The exit code is 0 if all fit, 1 if one does not, and
    3 if one cannot be judged or no runner was found.

    \b
    Examples:
      agtool ci-nodepool check values.yaml --preset gke-spot
      helm template ci gitlab/gitlab-runner -f values.yaml | agtool ci-nodepool check -
      agtool ci-nodepool check clusters/ --nodes nodes.json -o gitlab > report.json
    """  # noqa: D301  # the backslash keeps the examples' lines apart
    from agtool.ci_nodepool.check.judge import check as judge
    from agtool.ci_nodepool.check.judge import exit_code
    from agtool.ci_nodepool.files.load import load
    from agtool.ci_nodepool.files.read import read
    from agtool.ci_nodepool.show import check as show

    taints = [parse.parse_taint(each) for each in taint or ()]
    asked = pool.pool(given=taints)
    if [*files, nodes, terraform_plan].count("-") > 1:
        raise UsageError("standard input can be only one of the files", hint="Name the others.")
    if nodes and terraform_plan:
        raise without_effect("--terraform-plan", "beside --nodes")
    found = read(load(files), namespace)
    known = _known(asked, taints, nodes, terraform_plan, cluster)
    checked = judge(found, known)
    views = {
        Format.junit: show.junit,
        Format.github: show.github,
        Format.gitlab: show.gitlab,
    }
    return Result(checked, views.get(output, show.text)(checked), exit_code=exit_code(checked))


def _known(
    asked: Pool,
    taints: list[Taint],
    nodes: str | None,
    plan: str | None,
    cluster: ClusterOptions,
) -> Known:
    """What is known of the nodes, by the options."""
    from agtool.ci_nodepool.check import pools
    from agtool.ci_nodepool.files.load import load
    from agtool.ci_nodepool.pool.find import select
    from agtool.ci_nodepool.presets import Pool

    if taints and (nodes or plan):
        raise without_effect("--taint", f"beside {'--nodes' if nodes else '--terraform-plan'}")
    if nodes:
        (file,) = load([nodes])
        return pools.of_list(file.text, file.name, asked)
    if plan:
        (file,) = load([plan])
        return pools.of_plan(file.text, file.name, asked)
    if asked != Pool():
        return pools.of_label(asked, taints)
    if taints:
        raise UsageError(
            "--taint says nothing without --preset or --selector",
            hint="Say which nodes have the taint: --preset NAME or --selector KEY=VALUE.",
        )
    with cluster.session() as session:
        return pools.of_nodes(select(session, ""), asked)
