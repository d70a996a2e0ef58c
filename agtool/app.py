"""The Typer root, and the only place where an exception becomes a message and an exit code."""

from __future__ import annotations

import importlib
import os
import re
import sys
from dataclasses import dataclass
from typing import Annotated, Any

import typer
import typer.core
import typer.main

from agtool import __version__
from agtool.core import errors, output
from agtool.migrate_once.cli import migrate_once

LATER = {
    "ci-nodepool": ("agtool.ci_nodepool.cli", "CI jobs on preemptible nodes, kept that way."),
    "debug": ("agtool.debug.cli", "A shell in the cluster, and nothing left of it."),
    "le-staging": (
        "agtool.le_staging.cli",
        "Sites that have certificates of Let's Encrypt's staging.",
    ),
}
"""Techniques that are imported when they are called: where their `app` is, and a line of help."""


class Techniques(typer.core.TyperGroup):
    """The commands of agtool. Typer would build all those of LATER at each start."""

    def list_commands(self, ctx: Any) -> list[str]:
        """All of them, in alphabetical order."""
        return sorted([*super().list_commands(ctx), *LATER])

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """A command; in the place of one of LATER, what --help needs to list it."""
        if cmd_name in LATER:
            return typer.core.TyperCommand(cmd_name, help=LATER[cmd_name][1])
        return super().get_command(ctx, cmd_name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that is called, and its arguments."""
        if args and args[0] in LATER:
            module = importlib.import_module(LATER[args[0]][0])
            return args[0], typer.main.get_command(module.app), args[1:]
        return super().resolve_command(ctx, args)


app = typer.Typer(
    name="agtool",
    cls=Techniques,
    no_args_is_help=True,
    rich_markup_mode=None,  # rich triples the time of --help
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command(
    "migrate-once",
    # What follows COMMAND belongs to COMMAND, with or without `--`.
    context_settings={"allow_interspersed_args": False},
)(migrate_once)

WRAPPING = {"migrate-once", "debug"}
"""Commands whose own usage errors must not be mistaken for an exit code of what they wrap."""

NOT_WRAPPING = {"--status", "--list", "--cleanup"}
"""Options with which they wrap nothing."""

_JSON = re.compile(r" (--output[ =]|-o ?)json( |$)")
"""In a command line that cannot be parsed, and so has no options yet."""


@dataclass
class Invocation:
    """What the root's own options say."""

    debug: bool = False


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"agtool {__version__}")
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
    traceback: Annotated[
        bool,
        typer.Option("--debug", help="Show the traceback of an error. Also: AGTOOL_DEBUG=1."),
    ] = False,
) -> None:
    """Techniques for running software on Kubernetes, as commands that can be trusted."""
    context.obj.debug = traceback or bool(os.environ.get("AGTOOL_DEBUG"))


def main() -> int:
    """Run the command line; return the exit code of the process.

    Everything that can go wrong ends here: an AgtoolError as its message and its code, a usage
    error as Typer prints it, Ctrl-C as 130, and whatever nobody foresaw as 70.
    """
    _fill_standard_descriptors()
    invocation = Invocation()
    try:
        result = app(standalone_mode=False, obj=invocation)
        # Written here rather than at exit, where Python can only complain.
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except errors.AgtoolError as error:
        return _report(error, invocation)
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        path = context.command_path if context else "agtool"
        command = path.removeprefix(context.find_root().command_path).strip() if context else ""
        usage = errors.UsageError(error.format_message(), hint=f"Try: {path} --help")
        if command in WRAPPING and not NOT_WRAPPING & set(sys.argv):
            usage.exit_code = errors.WRAPPER_FAILED
        elif _JSON.search(" ".join(sys.argv)):
            usage.json_command = command
        return _report(usage, invocation)
    except (KeyboardInterrupt, typer.Abort):
        return errors.INTERRUPTED
    except (BrokenPipeError, SystemExit):  # Typer and rich make the one of the other
        # The reader of our results went away; that is its right. The code is a shell's for SIGPIPE.
        _drop_output()
        return 141
    except Exception as error:  # noqa: BLE001  # the boundary: a bug becomes a sentence and 70
        return _report(errors.unexpected(error), invocation)


def _fill_standard_descriptors() -> None:
    """Open /dev/null for those of 0, 1 and 2 that came closed.

    The next socket would get the number otherwise: a connection to a database, say, into which
    the command then writes its messages.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest free number
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))


def _drop_output() -> None:
    """Write what is left to nobody: Python would try again at exit, and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _report(error: errors.AgtoolError, invocation: Invocation) -> int:
    if invocation.debug:
        import traceback

        traceback.print_exc()
    if error.json_command:
        document = output.document(error.json_command, exit_code=error.exit_code, errors=[error])
        try:
            output.print_json(document)
        except BrokenPipeError:
            _drop_output()
        except output.OutputError as unwritable:
            output.fail(unwritable)
        else:
            return error.exit_code
    output.fail(error)
    return error.exit_code
