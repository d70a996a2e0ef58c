"""The commands of agtool as `--help` has them, taken apart."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import typer
import typer.main

from agtool.app import TECHNIQUES, app
from tests.commands import all_commands


class Option(NamedTuple):
    """An option or an argument.

    Attributes:
        names: as they are written, such as ("-n", "--namespace"); of an argument: none.
        value: what stands behind them, or in the argument's place; empty: nothing.
        meaning: sentences, without the default.
        default: as text; may be empty.
        variables: environment variables that give its value, the first one that is set counts.
    """

    names: tuple[str, ...]
    value: str
    meaning: str
    default: str
    variables: tuple[str, ...]

    @property
    def name(self) -> str:
        """The first of its long names, by which it is told from others."""
        return next(name for name in self.names if name.startswith("--"))


class Described(NamedTuple):
    """A command.

    Attributes:
        name: such as `agtool ci-nodepool taint`.
        wraps_command: whether its exit code is that of a command that it runs.
        usage: what may stand behind the name, as one line.
        summary: the first sentence of the help.
        paragraphs: the others, examples left out.
        examples: command lines.
        commands: those below it, by name, with their summaries.
    """

    name: str
    wraps_command: bool
    usage: str
    summary: str
    paragraphs: list[str]
    examples: list[str]
    arguments: list[Option]
    options: list[Option]
    commands: dict[str, str]


def described() -> list[Described]:
    """The root, each technique followed by its commands, and the root's own commands."""
    root: Any = typer.main.get_command(app)
    names = root.list_commands(typer.Context(root, info_name="agtool"))
    found = [_describe("agtool", root, {name: root.commands[name] for name in names})]
    for command in all_commands():
        technique = command.technique
        below = dict(getattr(command.parsed, "commands", {}))
        wraps = technique.wraps_command and command.name == technique.name
        made = _describe(f"agtool {command.name}", command.parsed, below, wraps_command=wraps)
        if command.name == technique.name:
            made.commands.update({w.name.rpartition(" ")[2]: w.help for w in technique.words})
        found.append(made)
    found += [
        _describe(f"agtool {name}", root.commands[name], {})
        for name in names
        if name not in TECHNIQUES
    ]
    return found


def _describe(
    name: str, command: Any, below: Mapping[str, Any], *, wraps_command: bool = False
) -> Described:
    context = typer.Context(
        command, info_name=name, terminal_width=80, help_option_names=["-h", "--help"]
    )
    usage = " ".join(command.collect_usage_pieces(context))
    # Behind \b lines stay as they are: "Examples:", and these.
    text, _, examples = (command.help or "").partition("\b\n")
    summary, *paragraphs = (" ".join(part.split()) for part in re.split(r"\n\s*\n", text.strip()))
    parameters = [
        parsed
        for parameter in command.get_params(context)
        if (parsed := _option(parameter, context))
    ]
    return Described(
        name,
        wraps_command,
        usage,
        summary,
        paragraphs,
        [line.strip() for line in examples.splitlines()[1:]],
        [each for each in parameters if not each.names],
        [each for each in parameters if each.names],
        {name: inner.get_short_help_str() for name, inner in below.items()},
    )


_NOTES = re.compile(r"  ?\[((?:env var|default|required|\d+<=x|x>=).*?)\](?=  \[|$)")
_VARIABLE = re.compile(r"\b(?:(?:[A-Z]+_)+[A-Z]+|PG[A-Z]+|KUBECONFIG)\b")


def _option(parameter: Any, context: Any) -> Option | None:
    record = parameter.get_help_record(context)
    if record is None:  # hidden
        return None
    written, text = record
    text = " ".join(text.split("\n"))
    default = ""
    for notes in _NOTES.findall(text):
        for note in re.split(r"; (?=default: |env var: |required|\d+<=x|x>=)", notes):
            if note.startswith("default: "):
                default = note.removeprefix("default: ")
    # A Linux capability has a name of the same kind.
    named = [] if written.endswith(" CAPABILITY") else _VARIABLE.findall(text)
    variables = tuple(dict.fromkeys(named))
    meaning = " ".join(_NOTES.sub("", text).split())
    if parameter.param_type_name == "argument":
        return Option((), written, meaning, default, variables)
    names = tuple(
        sorted((*parameter.opts, *parameter.secondary_opts), key=lambda name: name[:2] == "--")
    )
    value = "" if parameter.is_flag else written.rpartition(" ")[2]
    return Option(names, value, meaning, default, variables)
