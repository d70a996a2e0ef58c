"""The options that every command on a cluster shares, with kubectl's names and meanings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Namespace = Annotated[
    str | None,
    typer.Option(
        "-n", "--namespace", metavar="NAME", help="The namespace.  [default: the context's]"
    ),
]

Context = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="The kubeconfig's context.  [default: its current one]"),
]

Kubeconfig = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        readable=False,  # not checked by Typer: our own message names the reason
        help="The kubeconfig. Also: environment variable KUBECONFIG.  [default: ~/.kube/config, "
        "then the pod's service account]",
    ),
]

AsUser = Annotated[
    str | None,
    typer.Option("--as", metavar="USER", help="Act as USER."),
]

AsGroup = Annotated[
    list[str] | None,
    typer.Option(metavar="GROUP", help="With --as: act as a member of GROUP; may be repeated."),
]
