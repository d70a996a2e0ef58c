"""`migrate-once status`: parse, wire, hand the result on.

Not with postponed annotations, as in options.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from agtool.core.command import Format, Result, make_app, refuse_beside_print_rbac
from agtool.core.options import (
    ClusterOptions,
    Namespace,
    Output,
    flag,
    grouped,
    not_empty,
    number,
    option,
)

if TYPE_CHECKING:
    from agtool.migrate_once import documents
    from agtool.migrate_once.cluster.container import Options

app = make_app()


@app.command("migrate-once status")
@grouped
def status(  # noqa: PLR0917  # Typer's way: a parameter is an option
    workload: Annotated[
        str,
        typer.Argument(
            metavar="KIND/NAME",
            help="The workload, such as deployment/shop.",
            callback=not_empty,
            show_default=False,
        ),
    ],
    cluster: ClusterOptions,
    namespace: Namespace = None,
    container: Annotated[
        str | None,
        option("NAME", "The container that runs agtool.  [default: found out]"),
    ] = None,
    limit: Annotated[
        int, number("NUMBER", "Show at most so many runs that have ended", 1, 10000)
    ] = 20,
    print_rbac: Annotated[
        bool, flag("Print the rights that this needs, and do nothing.", "--print-rbac")
    ] = False,
    output: Output = Format.table,
) -> "Result[documents.WorkloadStatus | None]":
    """Show who migrates in the pods of a workload, who waits, and what was done.

    It asks the agtool that works or waits in one of the pods, so that the URL of the
    database need not be known here. Kinds: Deployment, StatefulSet, DaemonSet, Job,
    CronJob, Rollout, ReplicaSet and pod.

    \b
    Examples:
      agtool migrate-once status deploy/shop
      agtool migrate-once status sts/shop -n prod --output json
      agtool migrate-once status deploy/shop -n prod --print-rbac | kubectl apply -f -
    """  # noqa: D301
    from agtool.migrate_once.cluster import report as reports
    from agtool.migrate_once.cluster.view import view
    from agtool.migrate_once.cluster.workload import rights
    from agtool.migrate_once.workload import parse_workload

    wanted = parse_workload(workload)
    if print_rbac:
        refuse_beside_print_rbac(output)
        return Result(None, [rights(wanted, namespace)])
    with cluster.session(namespace=namespace) as session:
        found, errors = reports.report(
            session, wanted, container=container, limit=limit, options=_options()
        )
    return Result(found, view(found), errors=errors)


def _options() -> "Options":
    """What reads another agtool's arguments."""
    import typer.main

    from agtool.migrate_once.cli.command import app as other
    from agtool.migrate_once.cli.modes import for_status_of

    parameters = typer.main.get_command(other).params

    def options(arguments: Sequence[str]) -> "dict[str, str | None]":
        return for_status_of(arguments, parameters)

    return options
