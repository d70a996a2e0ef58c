"""All commands of all techniques: the same options everywhere, and help that can be read."""

import json
import re
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer
import typer.main

from agtool import app
from tests.commands import Command, all_commands

SHARED = {
    "--output": (["-o"], "FORMAT"),
    "--yes": (["-y"], None),
    "--dry-run": ([], None),
    "--timeout": ([], "DURATION"),
    "--namespace": (["-n"], "NAME"),
    "--context": ([], "NAME"),
    "--kubeconfig": ([], "FILE"),
    "--as": ([], "USER"),
    "--as-group": ([], "GROUP"),
}
"""The options that mean the same everywhere: their short names, and their values; None: none."""

COMPLETED = ("--output", "--namespace", "--context")

TECHNIQUES = list(all_commands())
OWN = [Command(n, None, c, c.callback) for n, c in typer.main.get_command(app.app).commands.items()]  # type: ignore[attr-defined, arg-type]
OWN = [command for command in OWN if command.name not in app.TECHNIQUES]
ALL = [*TECHNIQUES, *OWN]
LEAVES = [command for command in ALL if not command.is_group]


def options(command: Command) -> Iterator[Any]:
    return (one for one in command.parsed.params if one.param_type_name == "option")


def by_name(commands: list[Command]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("command", commands, ids=lambda command: command.name)


@pytest.mark.parametrize("words", ["le-staging verify", "migrate-once status deploy/x", "debug"])
def test_rights_are_printed_as_yaml_alone(
    words: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A program that asks for JSON gets a document, which says so."""
    monkeypatch.setattr(sys, "argv", ["agtool", *words.split(), "--print-rbac", "-o", "json"])
    assert app.main() in {2, 125}
    (error,) = json.loads(capfd.readouterr().out)["errors"]
    assert error["code"] == "usage"
    assert "--output" in error["message"]


@by_name(ALL)
def test_shared_options_are_the_same(command: Command) -> None:
    for option in options(command):
        for name in set(option.opts) & set(SHARED):
            short, metavar = SHARED[name]
            assert sorted(option.opts) == sorted([name, *short])
            assert option.is_flag == (metavar is None), name
            assert option.metavar == metavar, name
            if name in COMPLETED:
                assert option._custom_shell_complete, f"{name} is not completed"  # noqa: SLF001
        for name in option.opts:
            owner = next((long for long, (short, _) in SHARED.items() if name in short), None)
            assert owner is None or owner in option.opts, f"{name} means {owner} elsewhere"
    names = {name for option in options(command) for name in option.opts}
    cluster = {"--context", "--kubeconfig", "--as", "--as-group"}
    assert not cluster & names or cluster <= names, "all that say which cluster, or none"


@by_name(ALL)
def test_metavars_are_plain(command: Command) -> None:
    context = typer.Context(command.parsed, info_name=command.name)
    for parameter in command.parsed.params:
        if not getattr(parameter, "is_flag", False):
            assert not set(parameter.make_metavar(context)) & set("<>{}"), parameter.opts
    assert not set(command.parsed.get_usage(context)) & set("<>{}")


@by_name(LEAVES)
def test_help_is_for_a_newcomer(command: Command) -> None:
    text = command.function.__doc__ or ""
    first = text.partition("\n")[0]
    assert re.fullmatch(r"[A-Z][a-z-]+ .*\.", first), first
    assert ". " not in first, "one sentence"
    # An imperative, and not: The ..., A ..., Prints ...
    assert not re.match(r"(The|An?|[A-Z][a-z]+s) ", first), first
    if command.technique:
        assert re.search(rf"Examples?:\n\s+agtool {command.name}\b", text), "examples"


@by_name(LEAVES)
def test_every_option_says_what_it_does(command: Command) -> None:
    for option in options(command):
        assert option.hidden or re.search(r"\w.*[.\])]$", option.help or ""), option.opts


@by_name(ALL)
def test_an_empty_value_is_refused(command: Command) -> None:
    """Unless the help says what it means, as of --proxy: it connects directly."""
    for option in options(command):
        if not option.is_flag and "'' " not in (option.help or ""):
            with pytest.raises(typer.BadParameter) as raised:
                command.parsed.make_context(command.name, [option.opts[-1], ""])
            assert raised.value.param is option


@by_name(ALL)
def test_bounds_stand_in_the_help_in_words(command: Command) -> None:
    context = typer.Context(command.parsed, info_name=command.name, terminal_width=80)
    assert not re.search(r"[<>]=", command.parsed.get_help(context))


@by_name([command for command in ALL if command.is_group])
def test_lists_of_commands_are_not_cut(command: Command) -> None:
    assert_whole(command.parsed)


def test_the_list_of_techniques_is_not_cut() -> None:
    assert_whole(typer.main.get_command(app.app))
    for technique in app.TECHNIQUES.values():
        assert re.fullmatch(r"[A-Z][a-z-]+ .*\.", technique.help)


def assert_whole(group: Any) -> None:
    """Each command's sentence stands in the list of a terminal with 80 columns."""
    context = typer.Context(group, info_name="agtool", terminal_width=80)
    shown = " ".join(group.get_help(context).partition("\nCommands:\n")[2].split())
    for name in group.list_commands(context):
        command = group.commands[name]
        assert (command.help or "").partition("\n")[0] in shown
