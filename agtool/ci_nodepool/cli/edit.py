"""`agtool ci-nodepool edit`: parse, wire, write, hand the result on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agtool.ci_nodepool import documents, parse
from agtool.ci_nodepool.cli import options
from agtool.core.command import Format, Result
from agtool.core.errors import ConfigurationError, UsageError, without_effect
from agtool.core.options import Output, flag, grouped

if TYPE_CHECKING:
    from agtool.ci_nodepool.edit import FileEdit


@grouped
def edit(
    *,
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="The file in which runners are kept; -: standard input.",
            show_default=False,
        ),
    ],
    pool: options.ProviderOptions,
    taint: options.Taints = None,
    prefer: options.Prefer = False,
    survive: Annotated[
        bool,
        flag("Add what helps jobs to survive the loss of a node, as check advises.", "--survive"),
    ] = False,
    runner: Annotated[
        list[str] | None,
        options.text(
            "NAME", "Change this runner only, as check calls it. Can be repeated.", "--runner"
        ),
    ] = None,
    write: Annotated[
        bool, flag("Write the file; of standard input, print the new text.", "--write")
    ] = False,
    output: Output = Format.table,
) -> Result[documents.Edited]:
    """Send the jobs of runners to a pool, in the file where the runners are kept.

    Makes the change that patch-runner makes in a cluster in a manifest, in Helm values, or in a
    TOML file: only these lines are added, and all else stays as it is; a string that is no block
    (config: |) is written anew. Shows what would be changed; with --write it is done. No cluster
    is needed.

    \b
    Examples:
      agtool ci-nodepool edit values.yaml --preset gke-spot
      agtool ci-nodepool edit values.yaml --survive
      agtool ci-nodepool edit clusters/ci.yaml -l pool=ci --taint dedicated=ci:NoSchedule --write
    """  # noqa: D301  # the backslash keeps the examples' lines apart
    from agtool.ci_nodepool.edit import plan_edit
    from agtool.ci_nodepool.files.load import STDIN, load
    from agtool.ci_nodepool.files.read import read

    taints = [parse.parse_taint(each) for each in taint or ()]
    asked = pool.pool(given=taints)
    if not (asked.selector or survive):
        raise UsageError(
            "nothing says to which nodes the jobs shall go",
            hint="Add --preset NAME, or --selector KEY=VALUE and --taint KEY=VALUE:EFFECT.",
        )
    for option, given in (("--taint", taints), ("--prefer", prefer)):
        if given and not asked.selector:
            raise without_effect(option, "without --preset or --selector")
    if write and file == STDIN and output is Format.json:
        raise UsageError(
            "--write prints the new text of standard input, and so cannot be with --output json",
            hint="Leave out --output json to get the text, or --write to get what would change.",
        )
    if Path(file).is_dir():
        raise UsageError(f"{file} is a folder", hint="Name one file at a time.")
    (loaded,) = load([file])
    found = read([loaded], "default")
    edited = plan_edit(
        loaded,
        found,
        asked if asked.selector else None,
        taints,
        names=runner or (),
        prefer=prefer,
        survive=survive,
    )
    written = write and file != STDIN and edited.after != loaded.text
    if written:
        _write(Path(file), edited.after)
    data = documents.Edited(
        loaded.name,
        [
            documents.EditedRunner(name, added, edited.settings[name])
            for name, added in edited.added.items()
        ],
        list(edited.as_wanted),
        written,
        edited.diff,
    )
    return Result(data, _view(edited, write=write, stdin=file == STDIN))


def _write(path: Path, text: str) -> None:
    """Write all of it or nothing, so that a full disk costs nobody the file."""
    from agtool.core.files import rewrite

    try:
        rewrite(path, text.encode())
    except OSError as error:
        raise ConfigurationError(
            f"cannot write {path}: {error.strerror}", hint="Nothing was changed."
        ) from error


def _view(edited: FileEdit, *, write: bool, stdin: bool) -> Iterator[str | bytes]:
    if write and stdin:
        yield edited.after.encode()  # to the byte, whatever the locale is
        return
    name = edited.file.name
    if edited.added:
        yield edited.diff
        names = ", ".join(edited.added)
        yield f"{name} is changed: {names}" if write else f"{name} would be changed: {names}"
        if not write:
            yield "Nothing was written. To write it: --write"
    for each in edited.as_wanted:
        yield f"{each} is already as wanted"
