"""Options that several of the commands share, and how they ask."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from agtool.ci_nodepool.presets import Provider
from agtool.core.errors import UsageError
from agtool.core.kube_options import AsGroup, AsUser, Context, Kubeconfig
from agtool.core.output import Format

if TYPE_CHECKING:
    from agtool.core.kube.session import Session

Preset = Annotated[
    Provider | None,
    typer.Option(help="The pool by its provider's label.  [default: the one that nodes carry]"),
]


def not_empty(value: str | None) -> str | None:
    """The value of an option. `-l "$UNSET"` must not be as if there was none."""
    if value is not None and not value.strip():
        raise typer.BadParameter("it is empty; is a variable of the shell unset?")
    return value


Selector = Annotated[
    str | None,
    typer.Option(
        "-l",
        "--selector",
        metavar="SELECTOR",
        help="The pool by labels: KEY=VALUE,...",
        callback=not_empty,
    ),
]

DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")
]

Yes = Annotated[bool, typer.Option("-y", "--yes", help="Do not ask.")]

Output = Annotated[Format, typer.Option("-o", "--output", help="How to print the result.")]


class PoolOptions(NamedTuple):
    """Which nodes, where no names say it."""

    selector: Selector = None
    preset: Preset = None


class ChangeOptions(NamedTuple):
    """How to go about a change."""

    dry_run: DryRun = False
    yes: Yes = False
    output: Output = Format.table


RunnersNamespace = Annotated[
    str | None,
    typer.Option(
        "-n",
        "--namespace",
        metavar="NAME",
        help="Where to look for runners.  [default: everywhere]",
    ),
]


class Cluster(NamedTuple):
    """Which cluster, as which user."""

    namespace: RunnersNamespace = None
    context: Context = None
    kubeconfig: Kubeconfig = None
    as_user: AsUser = None
    as_group: AsGroup = None

    @contextmanager
    def session(self, connections: int = 1, patience: float = 30.0) -> Iterator[Session]:
        """A session as by core.kube.connect, closed at the end. Raises what that raises."""
        from agtool.core.kube.session import connect

        with connect(
            kubeconfig=self.kubeconfig,
            context=self.context,
            namespace=self.namespace,
            as_user=self.as_user,
            as_groups=self.as_group or (),
            connections=connections,
            patience=patience,
        ) as session:
            yield session


def ask(question: str, *, yes: bool, output: Format) -> bool:
    """Whether to go on: `yes`, or the answer of the person at the terminal.

    Raises:
        UsageError: nobody is there to ask.
    """
    require_answer(question, yes=yes, output=output)
    if yes:
        return True
    sys.stderr.write(f"agtool: {question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def require_answer(question: str, *, yes: bool, output: Format) -> None:
    """Raise UsageError if the question will have to be asked and nobody is there."""
    if not yes and (output is Format.json or not (sys.stdin.isatty() and sys.stderr.isatty())):
        raise UsageError(
            f"there is nobody to ask: {question}", hint="Add --yes, or look first with --dry-run."
        )
