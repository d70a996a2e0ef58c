"""The one frame around every command: it runs it, shows its Result, and owns the exit codes."""

import importlib
import os
import re
import sys
from collections.abc import Mapping, Sequence
from enum import Enum
from functools import cached_property
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

import typer
import typer.core
import typer.main

from agtool.core import errors, folder, log, output, shells
from agtool.core.errors import AgtoolError, UsageError

Data_co = TypeVar("Data_co", covariant=True)

VERSION = 2
"""Of the JSON documents; another one means that a program has to be changed."""

_PASSED_ON = (errors.TIMED_OUT, errors.CANNOT_EXECUTE, errors.NOT_FOUND)
"""Exit codes of a wrapping command that tell more than that agtool failed."""


class Technique(NamedTuple):
    """What the root has to know of a technique without importing it.

    Attributes:
        name: its command.
        help: one sentence.
        cli: the module in which its Typer is called `app`.
        wraps_command: whether it passes on the exit code of a command that it runs.
        json_lines: whether its messages can be lines of JSON, by `--log-format`.
        words: what may stand in the place of a COMMAND that it wraps, each a command with a name
            of two words. A COMMAND of that name needs `--`.
    """

    name: str
    help: str
    cli: str
    wraps_command: bool = False
    json_lines: bool = False
    words: "tuple[Technique, ...]" = ()

    @property
    def listed(self) -> list[str]:
        """The words, as they stand behind the technique's name."""
        return [word.name.rpartition(" ")[2] for word in self.words]

    def called(self, arguments: Sequence[str]) -> "Technique":
        """What is called with these arguments: the technique, or one of its words."""
        first = f"{self.name} {arguments[0]}" if arguments else ""
        return next((word for word in self.words if word.name == first), self)

    def refuse_misplaced(self, arguments: Sequence[str], command: Sequence[str]) -> None:
        """Raises UsageError if COMMAND is one of the words, behind options and without `--`."""
        own = list(arguments)
        behind = own[own.index("--") + 1 :] if "--" in own else []
        word = self.called(command)
        if word is not self and behind != list(command):
            raise UsageError(
                f"{command[0]} is a word of agtool, and stands before its options",
                hint=f"Write: agtool {word.name} [OPTIONS]\n"
                f"Or, to run a command of that name: agtool {self.name} [OPTIONS] -- {command[0]}",
            )


class Format(str, Enum):
    """The choices of `--output`."""

    table = "table"
    text = "text"
    json = "json"
    name = "name"
    junit = "junit"
    github = "github"
    gitlab = "gitlab"
    prometheus = "prometheus"
    yaml = "yaml"
    diff = "diff"


def refuse_beside_print_rbac(output: Format) -> None:
    """Raise UsageError for an `--output` that roles cannot have."""
    if output not in {Format.table, Format.text}:
        raise UsageError(
            "--output and --print-rbac do not go together",
            hint="Leave out --output: roles are printed as YAML.",
        )


class Result(Generic[Data_co]):
    """What a command has found or done. Not a dataclass, which would be compiled at each start.

    Attributes:
        data: for programs, an object of the technique's `documents`; None: it has no document.
        view: for people.
        exit_code: of the process; 0 with errors: that of the first one.
        errors: what kept the command from doing all; told on stderr after the view.
        names: what `--output name` prints, one on each line.
    """

    def __init__(
        self,
        data: Data_co,
        view: output.View = (),
        exit_code: int = 0,
        errors: Sequence[AgtoolError] = (),
        names: Sequence[str] = (),
    ) -> None:
        self.data = data
        self.view = view
        self.exit_code = exit_code
        self.errors = errors
        self.names = names


class Invocation:
    """What this run is; the `obj` of Typer's contexts.

    Attributes:
        debug: show the traceback of an error.
        technique: that was called; None: the root only.
        command: whose `--output` was read, such as `ci-nodepool taint`; empty: none yet.
        output: how it is to be printed.
        runs_command: whether its exit codes stand beside those of a command that it wraps.
        path: the words that led to the last command that was found, such as `agtool debug`.
    """

    debug = False
    technique: Technique | None = None
    command = ""
    output = Format.table
    runs_command = False
    path = "agtool"

    def enter(self, technique: Technique) -> None:
        """This technique was called."""
        self.technique = technique
        self.runs_command = technique.wraps_command

    def exit_code(self, error: AgtoolError) -> int:
        """The exit code for an error: the only place that decides it.

        A command that wraps another one has 125 for what fails in agtool, so that it cannot pass
        for a code of the wrapped one; for a usage error also in the forms that wrap nothing.
        """
        usage = isinstance(error, UsageError) and self.technique and self.technique.wraps_command
        if (self.runs_command or usage) and error.exit_code not in _PASSED_ON:
            return errors.WRAPPER_FAILED
        return error.exit_code


class _Helpful:
    """How a command shows its help, and how the list of a group, or a shell, shows it."""

    help: str | None

    def get_help_option(self, ctx: Any) -> Any:
        """`--help`, which tells of a full disk as everything else does."""
        option = super().get_help_option(ctx)  # type: ignore[misc]  # of the class beside this
        if option:
            option.callback = _show_help
        return option

    def get_short_help_str(self, limit: int = 0) -> str:
        """The first line of its help, whole: a list folds it where Typer would cut it."""
        return (self.help or "").partition("\n")[0]


class Group(_Helpful, typer.core.TyperGroup):
    """A command with commands below it. Alone on the command line it prints its help."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Print the help if there is nothing to parse."""
        _show_help(ctx, None, not args)
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that is called, and its arguments."""
        name, found, rest = super().resolve_command(ctx, args)
        if ctx.obj and name:
            ctx.obj.path = f"{ctx.command_path} {name}"
        return name, found, rest


class Command(_Helpful, typer.core.TyperCommand):
    """A command that does something."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """The words of its usage line. Typer puts braces around the arguments it needs."""
        return [piece.strip("{}") for piece in super().collect_usage_pieces(ctx)]


class ImportedGroup(Group):
    """A group whose commands are imported when they are called: each start would pay for all.

    Attributes:
        modules: the module beside the group in which a command's function is, by the command's
            name; in the order of the help.
    """

    modules: ClassVar[Mapping[str, str]]

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        del self.commands  # they are below

    @cached_property
    def commands(self) -> dict[str, Any]:  # type: ignore[override]
        """All of them, for who has misspelt one."""
        return {name: self.get_command(None, name) for name in self.modules}

    def list_commands(self, ctx: Any) -> list[str]:
        """Their names."""
        return list(self.modules)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command itself."""
        if cmd_name not in self.modules:
            return None
        module = importlib.import_module(f".{self.modules[cmd_name]}", type(self).__module__)
        app = make_app()
        app.command(cmd_name)(getattr(module, cmd_name.replace("-", "_")))
        return typer.main.get_command(app)


def _show_help(context: Any, _: object, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        output.print_view([context.get_help()])
        context.exit()


class _App(typer.Typer):
    def command(self, name: str | None = None, **settings: Any) -> Any:
        return super().command(name, cls=Command, **settings)


def make_app(group: type[Group] = Group, **settings: Any) -> typer.Typer:
    """A Typer for commands."""
    return _App(
        cls=group,
        add_completion=False,  # agtool has scripts of its own
        rich_markup_mode=None,  # rich triples the time of --help
        **settings,
    )


def run(app: typer.Typer) -> int:  # noqa: PLR0911  # one line for each way to end
    """Run the command line; return the exit code of the process.

    Everything that can go wrong ends here: an AgtoolError as its message and its code, a usage
    error as Typer words it, Ctrl-C as 130, and whatever nobody foresaw as 70.
    """
    _fill_standard_descriptors()
    if shells.VARIABLE in os.environ:
        return _complete(app)
    invocation = Invocation()
    try:
        result = app(prog_name="agtool", standalone_mode=False, obj=invocation)
        code = show(result, invocation) if isinstance(result, Result) else int(result or 0)
        # Written here rather than at exit, where Python can only complain.
        sys.stdout.flush()
        return code
    except AgtoolError as error:
        return _report(error, invocation)
    except typer.TyperException as error:
        return _report(_usage_error(error, invocation), invocation)
    except (KeyboardInterrupt, typer.Abort):
        return errors.INTERRUPTED
    except (BrokenPipeError, SystemExit):  # Typer ends so when the reader of its help went away
        return _drop_output()
    except ModuleNotFoundError as error:
        missing = folder.lacks(invocation.path) if folder.is_partial() else errors.unexpected(error)
        return _report(missing, invocation)
    except Exception as error:  # noqa: BLE001  # the boundary: a bug becomes a sentence and 70
        return _report(errors.unexpected(error), invocation)


def _complete(app: typer.Typer) -> int:
    """Answer a shell that asks what can stand on the line; the exit code tells fish about it."""
    from typer import _completion_classes

    # rich would take markup out of help texts, which have none: a slow import, and not in folders.
    _completion_classes._sanitize_help_text = lambda text: text  # noqa: SLF001  # no other way
    _completion_classes.completion_init()
    try:
        app(prog_name="agtool")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    except Exception:  # noqa: BLE001  # whoever pressed Tab has no use for a traceback
        return 1
    return 0


def show(result: Result[object], invocation: Invocation) -> int:
    """Print a result as it was asked for; its exit code."""
    code = result.exit_code
    if not code and result.errors:
        code = invocation.exit_code(result.errors[0])
    if invocation.output is Format.json and result.data is not None:
        output.print_json(
            document(invocation.command, data=result.data, exit_code=code, errors=result.errors)
        )
        return code
    names = invocation.output is Format.name
    output.print_view(result.names if names else result.view)
    for error in result.errors:
        output.fail(error)
    return code


def document(
    command: str, *, data: object = None, exit_code: int = 0, errors: Sequence[AgtoolError] = ()
) -> dict[str, Any]:
    """The machine-readable form of a result, the same for every command.

    Args:
        data: an instance of a dataclass; None: nothing was found or done.
    """
    return {
        "version": VERSION,
        "command": command,
        "status": "error" if errors else "ok" if exit_code == 0 else "failed",
        "exit_code": exit_code,
        "data": {} if data is None else plain(data),
        "errors": [plain(error.finding()) for error in errors],
    }


def plain(data: Any) -> dict[str, Any]:
    """An instance of a dataclass as JSON can have it: objects, arrays, times in ISO 8601."""
    import json
    from dataclasses import asdict

    made: dict[str, Any] = json.loads(json.dumps(asdict(data), default=_encoded))
    return made


def _encoded(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _usage_error(error: typer.TyperException, invocation: Invocation) -> UsageError:
    """What Typer's parser found, which may be before `--output` was read."""
    message = re.sub(r"\s*\n\s*", " ", error.format_message())  # it lists choices one a line
    context, parameter = getattr(error, "ctx", None), getattr(error, "param", None)
    if context and parameter:
        source = context.get_parameter_source(parameter.name)
        if source is None or source.name != "ENVIRONMENT":
            message = re.sub(r" \(env var: '\w+'\)", "", message)
    if meant := getattr(error, "possibilities", None):
        message = f"{error.message}. Did you mean {' or '.join(meant)}?"
    if not invocation.command and asks_for_json(sys.argv[1:]):
        invocation.command = invocation.path.partition(" ")[2]
        invocation.output = Format.json
    if invocation.technique and invocation.technique.json_lines:
        log.Log.as_json |= asks_for_json_lines(sys.argv[1:], os.environ)
    return UsageError(message, hint=f"Try: {invocation.path} --help")


def asks_for_json(arguments: Sequence[str]) -> bool:
    """Whether `--output json` stands on a command line that cannot be parsed. Pure."""
    own = _own(arguments)
    return re.search(r"(?:^| )(?:--output[ =]|-[A-Za-z]*o ?)json(?: |$)", own) is not None


def asks_for_json_lines(arguments: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Whether `--log-format json` stands there, or in the environment. Pure."""
    found: list[str] = re.findall(r"(?:^| )--log-format[ =](\S+)", _own(arguments))
    return (found[-1] if found else environment.get(log.VARIABLE)) == "json"


def _own(arguments: Sequence[str]) -> str:
    """What of a command line is agtool's."""
    own = list(arguments)
    return " ".join(own[: own.index("--")] if "--" in own else own)


def _report(error: AgtoolError, invocation: Invocation) -> int:
    """Tell an error that ended the command; its exit code."""
    if invocation.debug:
        output.write_traceback(error.code)
    code = invocation.exit_code(error)
    if invocation.output is Format.json and not isinstance(error, output.OutputError):
        try:
            output.print_json(document(invocation.command, exit_code=code, errors=[error]))
            return code
        except BrokenPipeError:
            _drop_output()
        except output.OutputError as unwritable:
            output.fail(unwritable)
    output.fail(error, exit_code=code)
    return code


def _fill_standard_descriptors() -> None:
    """Open /dev/null for those of 0, 1 and 2 that came closed.

    The next socket would get the number otherwise: a connection to a database, say, into which
    the command then writes its messages. Output that nobody can get stays an error: stdout is
    opened so that it cannot be written to.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            flags = os.O_RDONLY if name == "stdout" else os.O_RDWR
            os.set_inheritable(os.open(os.devnull, flags), True)  # the lowest free number
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))


def _drop_output() -> int:
    """Write what is left to nobody: Python would try again at exit, and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return errors.PIPE_CLOSED
