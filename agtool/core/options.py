"""The options that commands share, each written down once, with kubectl's names and meanings.

Options that belong together are a NamedTuple whose fields are options. A command takes the tuple
as one parameter, and Typer sees the fields:

    @grouped
    def command(cluster: ClusterOptions, output: Output = Format.table) -> Result[...]: ...
"""

import inspect
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Literal,
    NamedTuple,
    TypeVar,
    get_type_hints,
)

import typer

from agtool.core import completion
from agtool.core.command import Format, Invocation
from agtool.core.duration import parse_duration
from agtool.core.log import VARIABLE, Log
from agtool.core.text import fits_a_header

if TYPE_CHECKING:
    from agtool.core.kube.session import Session

Value = TypeVar("Value", str, list[str])

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
"""A DNS label (RFC 1123), as namespaces have it; at most 63 characters."""


def not_empty(value: Value | None) -> Value | None:
    """The value of an option. `-l "$UNSET"` must not be as if there was none."""
    values: Any = value if value is not None else []
    if any(not str(one).strip() for one in (values if isinstance(values, list) else [values])):
        raise typer.BadParameter("it is empty. Is a variable of the shell unset?")
    return value


def header_text(value: Value | None) -> Value | None:
    """The value of an option that is sent as a header."""
    values: Any = value if value is not None else []
    if not all(map(fits_a_header, values if isinstance(values, list) else [values])):
        raise typer.BadParameter("it is not a text of one line in UTF-8.")
    return not_empty(value)


def namespace_name(value: str | None) -> str | None:
    """The value of `--namespace`, if it can be the name of one."""
    if value is not None and not (_NAME.fullmatch(value) and len(value) <= 63):
        not_empty(value)
        raise typer.BadParameter(
            f"{value!r} is not a valid name of a namespace. It has lower-case letters, digits and "
            "'-', at most 63, with a letter or digit at both ends."
        )
    return value


def seconds(value: str | float) -> float:
    """The value of an option that is a duration, in seconds."""
    try:
        return parse_duration(value) if isinstance(value, str) else value
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def positive(value: float) -> float:
    """The value of a duration that must leave some time."""
    if value <= 0:
        raise typer.BadParameter("it must be longer than 0 seconds.")
    return value


def duration(help_: str, *names: str, **settings: Any) -> Any:
    """An option whose value is a duration; the command gets seconds."""
    return typer.Option(
        *names, metavar="DURATION", parser=seconds, help=help_, show_default=False, **settings
    )


def option(
    metavar: str, help_: str, *names: str, callback: Any = not_empty, **settings: Any
) -> Any:
    """An option with a value, which may not be empty."""
    return typer.Option(*names, metavar=metavar, help=help_, callback=callback, **settings)


def number(
    metavar: str, help_: str, least: int, most: int, *, default: str = "", **settings: Any
) -> Any:
    """An option whose value is a whole number within bounds, which its help names.

    Args:
        help_: a sentence without its end.
        default: for the help, where Typer does not know it.
    """

    def parse(value: str | int) -> int:
        text = str(value)
        if not (re.fullmatch("[0-9]{1,18}", text) and least <= int(text) <= most):
            raise typer.BadParameter(f"{text!r} is not a number from {least} to {most}.")
        return int(text)

    known = f"  [default: {default}]" if default else ""
    text = f"{help_}, from {least} to {most}.{known}"
    return typer.Option(metavar=metavar, parser=parse, help=text, **settings)


def _path(value: str | Path) -> Path:
    # Of the text: an empty one would become the path of the current folder.
    not_empty(str(value))
    return Path(value)


def path(metavar: str, help_: str, **settings: Any) -> Any:
    """An option whose value is the path of a file or folder, which need not exist."""
    return typer.Option(metavar=metavar, parser=_path, help=help_, **settings)


def _named(value: list[str] | None) -> list[str] | None:
    not_empty((value or [])[:1])
    return value


def wrapped_command(help_: str, words: Sequence[str] = ()) -> Any:
    """The argument that is a command to run; its program may not be empty.

    Args:
        words: of the technique, which may stand in its place.
    """
    return typer.Argument(
        metavar="-- COMMAND [ARG]...",
        help=help_,
        callback=_named,
        show_default=False,
        autocompletion=completion.words(*words),
    )


def flag(help_: str, *names: str, **settings: Any) -> Any:
    """An option without a value."""
    return typer.Option(*names, help=help_, show_default=False, **settings)


def namespace_option(help_: str) -> Any:
    """An option whose value is the name of a namespace."""
    return option(
        "NAME",
        help_,
        "-n",
        "--namespace",
        callback=namespace_name,
        autocompletion=completion.namespaces,
    )


def _remember_log_format(value: str) -> str:
    """Note what messages look like: also those about the options that are read after this one."""
    Log.as_json = value == "json"
    return value


LogFormat = Annotated[
    Literal["text", "json"],
    typer.Option(
        "--log-format",
        metavar="[text|json]",
        help="How to write agtool's own messages to stderr: as text, or each as a line of JSON.",
        callback=_remember_log_format,
        is_eager=True,
        envvar=VARIABLE,
    ),
]


def _remember(context: typer.Context, value: Format) -> str:
    """Note how the result is to be printed: errors are then printed so too."""
    invocation = context.find_object(Invocation)
    if invocation:
        invocation.command = invocation.path.partition(" ")[2]
        invocation.output = value
    return value.value  # Typer makes a Format of it once more, for the command


def output_option(*formats: str) -> Any:
    """`--output` with these formats.

    It is read before all others, so that an error in these is printed as JSON too.
    """
    choices = f"{', '.join(formats[:-1])} or {formats[-1]}"

    def parse(value: str | Format) -> str:
        if value not in formats:
            raise typer.BadParameter(f"{value!r} is not a format. Choose {choices}.")
        return Format(value).value  # Typer makes a Format of it

    return typer.Option(
        "-o",
        "--output",
        metavar="FORMAT",
        help=f"How to print the result: {choices}.",
        parser=parse,
        callback=_remember,
        is_eager=True,
        autocompletion=completion.words(*formats),
    )


Output = Annotated[Format, output_option("table", "json")]

# text is another word for table. For CI and for monitoring; the command makes what is shown.
OutputOrReports = Annotated[Format, output_option("table", "text", "json", "junit", "prometheus")]

OutputOrNames = Annotated[Format, output_option("table", "json", "name")]

DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show what would be done, and change nothing.")
]

Yes = Annotated[bool, typer.Option("-y", "--yes", help="Do not ask for confirmation.")]

Namespace = Annotated[
    str | None, namespace_option("The namespace.  [default: that of the context]")
]

Context = Annotated[
    str | None,
    option(
        "NAME",
        "The context of the kubeconfig.  [default: its current one]",
        autocompletion=completion.contexts,
    ),
]

Kubeconfig = Annotated[
    Path | None,
    path(
        "FILE",
        "The kubeconfig. Also: environment variable KUBECONFIG.  [default: ~/.kube/config, "
        "then the pod's service account]",
    ),
]


def _of_a_user(context: typer.Context, value: list[str] | None) -> list[str] | None:
    """The value of `--as-group`."""
    if value and not context.params.get("as_user"):
        raise typer.BadParameter("it needs --as USER.")
    return header_text(value)


# Eager: read before the groups, wherever it stands.
AsUser = Annotated[
    str | None,
    option("USER", "Act as this user.", "--as", callback=header_text, is_eager=True),
]

AsGroup = Annotated[
    list[str] | None,
    option(
        "GROUP", "With --as: act as a member of this group. Can be repeated.", callback=_of_a_user
    ),
]


class ClusterOptions(NamedTuple):
    """Which cluster, as which user."""

    context: Context = None
    kubeconfig: Kubeconfig = None
    as_user: AsUser = None
    as_group: AsGroup = None

    def session(self, **settings: Any) -> "Session":
        """A session as by core.kube.session.connect, which has the other `settings`."""
        from agtool.core.kube.session import connect

        return connect(
            kubeconfig=self.kubeconfig,
            context=self.context,
            as_user=self.as_user,
            as_groups=self.as_group or (),
            **settings,
        )


def runs_nothing(context: typer.Context, value: bool) -> bool:
    """For the option with which a wrapping command wraps nothing: its exit codes are its own."""
    invocation = context.find_object(Invocation)
    if value and invocation:
        invocation.runs_command = False
    return value


def given_options(context: typer.Context) -> set[str]:
    """The long names of the options that stand on the command line."""
    return {
        max(parameter.opts, key=len)
        for parameter in context.command.params
        if parameter.param_type_name == "option"
        and (source := context.get_parameter_source(parameter.name or ""))
        and source.name == "COMMANDLINE"
    }


def source_of(context: typer.Context, option: str) -> str:
    """Where the value of an option comes from, for messages: the option, or its variable."""
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if option in parameter.opts and source and source.name == "ENVIRONMENT":
            return str(parameter.envvar)
    return option


Command = TypeVar("Command", bound=Callable[..., Any])


def grouped(command: Command) -> Command:
    """`command` for Typer: with the fields of its groups in the place of the groups."""
    parameters: list[inspect.Parameter] = []
    groups: dict[str, Any] = {}
    names = vars(sys.modules[command.__module__])
    for parameter in inspect.signature(command).parameters.values():
        # Not get_type_hints(): Python 3.10's makes what has the default None
        # Optional[Annotated[...]], in which Typer does not find its Argument. And what the command
        # returns need not be imported.
        hint = parameter.annotation
        hint = eval(hint, names) if isinstance(hint, str) else hint  # noqa: S307
        if not hasattr(hint, "_field_defaults"):
            parameters.append(_option(parameter.name, parameter.default, hint))
            continue
        groups[parameter.name] = hint
        fields = get_type_hints(hint, include_extras=True)
        parameters += [_option(n, hint._field_defaults[n], fields[n]) for n in hint._fields]

    def run(**values: Any) -> Any:
        made = {
            name: group(**{field: values.pop(field) for field in group._fields})
            for name, group in groups.items()
        }
        return command(**made, **values)

    run.__name__ = command.__name__
    run.__doc__ = command.__doc__
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__wrapped__ = command  # type: ignore[attr-defined]
    return run  # type: ignore[return-value]


def _option(name: str, default: object, hint: Any) -> inspect.Parameter:
    keyword = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, keyword, default=default, annotation=hint)
