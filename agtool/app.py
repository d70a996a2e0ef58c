"""The root of the command line: asks each technique for its name, its help and its commands.

Not with postponed annotations: Typer would compile them at each start.
"""

import importlib
import importlib.util
import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
import typer.main

from agtool import __version__, ci_nodepool, debug, le_staging, migrate_once
from agtool.core import command, completion, folder, shells
from agtool.core.command import Result
from agtool.core.errors import UsageError
from agtool.core.output import print_view

TECHNIQUES = {
    technique.name: technique
    for technique in (
        ci_nodepool.TECHNIQUE,
        debug.TECHNIQUE,
        le_staging.TECHNIQUE,
        migrate_once.TECHNIQUE,
    )
}


def _has(technique: command.Technique) -> bool:
    """Whether it is there: the self-contained folder has not all of them."""
    return importlib.util.find_spec(technique.cli) is not None


class Root(command.Group):
    """The commands of agtool. A technique is imported when it is called: each start would pay."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        for technique in TECHNIQUES.values():
            # What --help needs to list it, and a misspelt name to be understood.
            self.add_command(command.Command(technique.name, help=technique.help))

    def list_commands(self, ctx: Any) -> list[str]:
        """Those that this agtool has, in alphabetical order."""
        names = set(super().list_commands(ctx))
        if folder.root() is None:
            names.remove("install")
        else:
            names -= {name for name, technique in TECHNIQUES.items() if not _has(technique)}
        return sorted(names)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that is called, and its arguments."""
        name, found, rest = super().resolve_command(ctx, args)
        technique = TECHNIQUES.get(name or "")
        if technique is None:
            return name, found, rest
        called = technique.called(rest)
        if folder.is_partial() and not _has(called):
            raise folder.lacks(f"agtool {called.name}")
        if called is not technique:
            name, rest = called.name, rest[1:]
        if ctx.obj:
            ctx.obj.enter(called)
            ctx.obj.path = f"{ctx.command_path} {name}"
        return name, typer.main.get_command(importlib.import_module(called.cli).app), rest


app = command.make_app(
    Root,
    name="agtool",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print_view([f"agtool {__version__}"])
        raise typer.Exit


def _installed(shell: str) -> str:
    return f"Completion is in {shells.install(shell)} and works in the next {shell} that starts.\n"


def _for_shell(name: str, help_: str, answer: Callable[[str], str]) -> Any:
    """An option whose value is a shell; agtool prints the answer for that, and ends."""

    def print_answer(shell: str | None) -> None:
        if not shell:
            return
        if shell not in shells.NAMES:
            raise typer.BadParameter(
                f"{shell!r} is not a known shell. Choose {', '.join(shells.NAMES)}."
            )
        print_view([answer(shell).rstrip("\n")])
        raise typer.Exit

    return typer.Option(
        name,
        metavar="SHELL",
        help=help_,
        callback=print_answer,
        autocompletion=completion.words(*shells.NAMES),
        is_eager=True,
    )


@app.callback()
def root(
    context: typer.Context,
    _version: Annotated[
        bool,
        typer.Option(
            "-V", "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
    traceback: Annotated[
        bool,
        typer.Option("--debug", help="Show the traceback of an error. Also: AGTOOL_DEBUG=1."),
    ] = False,
    _install: Annotated[
        str | None,
        _for_shell(
            "--install-completion",
            "Set up completion for bash, zsh or fish in your home folder.",
            _installed,
        ),
    ] = None,
    _show: Annotated[
        str | None,
        _for_shell(
            "--show-completion",
            "Print what bash, zsh or fish has to read for completion.",
            shells.script,
        ),
    ] = None,
) -> None:
    """Run software on Kubernetes with four techniques that can be trusted in production."""
    context.obj.debug = traceback or bool(os.environ.get("AGTOOL_DEBUG"))


def _commands_below(context: typer.Context, incomplete: str) -> list[str]:
    """Offer the commands below those that stand on the line."""
    found: Any = context.find_root()
    rest = list(context.params.get("words") or ())
    while rest and hasattr(found.command, "commands"):
        name, inner, rest = found.command.resolve_command(found, rest)
        found = typer.Context(inner, parent=found, info_name=name)
    names = found.command.list_commands(found) if hasattr(found.command, "commands") else []
    if found.info_name in TECHNIQUES:
        names += TECHNIQUES[found.info_name].listed
    return [name for name in names if name.startswith(incomplete) and not rest]


@app.command("help")
def help_(
    context: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[COMMAND]...",
            help="The command.",
            show_default=False,
            autocompletion=_commands_below,
        ),
    ] = None,
) -> None:
    """Show the help of agtool or of one of its commands.

    \b
    Examples:
      agtool help
      agtool help ci-nodepool taint
    """  # noqa: D301  # the backslash keeps the examples' lines apart
    root = context.find_root().command
    # Without an Invocation: the exit code of a misspelt word is that of `help`.
    found = typer.Context(root, info_name="agtool", **root.context_settings)
    rest = words or []
    while rest:
        context.obj.path = found.command_path  # for the hint of a misspelt word
        if not isinstance(found.command, command.Group):
            raise UsageError(
                f"{found.command_path} has no commands", hint=f"Try: {found.command_path} --help"
            )
        name, inner, rest = found.command.resolve_command(found, rest)
        found = typer.Context(inner, parent=found, info_name=name)
    print_view([found.get_help()])


@app.command("version")
def version() -> None:
    """Print the version of agtool."""
    _print_version(True)


@app.command("schema", context_settings={"ignore_unknown_options": True})
def schema(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="COMMAND...",
            help="The command.",
            show_default=False,
            autocompletion=_commands_below,
        ),
    ],
) -> Result[None]:
    """Print the JSON Schema of a command's output.

    \b
    Examples:
      agtool schema debug
      agtool schema ci-nodepool taint
    """  # noqa: D301
    from agtool.schemas import read

    return Result(None, [read(" ".join(words))])


@app.command("install")
def install_(
    target: Annotated[
        Path,
        typer.Argument(
            metavar="DIR", help="Where it belongs; made if need be.", show_default=False
        ),
    ],
) -> Result[None]:
    """Copy this agtool to a folder: DIR/agtool, and DIR/lib with all it needs.

    For an init container of agtool's image, which copies it into a volume. Does nothing if it is
    there already.

    \b
    Example:
      agtool install /opt/agtool
    """  # noqa: D301
    from agtool.core.system import require_unix

    require_unix("install")
    from agtool.install import install

    done = install(target)
    return Result(None, [f"{target}/agtool is {'there now' if done else 'there already'}"])


def main() -> int:
    """Run the command line; return the exit code of the process."""
    return command.run(app)
