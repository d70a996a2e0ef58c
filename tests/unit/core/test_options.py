"""Options that commands share."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NamedTuple

import pytest
import typer
import typer.main

from agtool.core.command import make_app
from agtool.core.options import (
    grouped,
    namespace_name,
    not_empty,
    number,
    path,
    positive,
    seconds,
    wrapped_command,
)


class Group(NamedTuple):
    context: Annotated[str | None, "of the group"] = None


@grouped
def command(
    *, nodes: Annotated[list[str] | None, "of the command"] = None, group: Group
) -> Imagined:  # type: ignore[name-defined]  # noqa: F821  # need not be imported
    return len([*(nodes or []), group.context])


def test_annotations_stay_outermost_although_the_default_is_none() -> None:
    """On every Python: else Typer does not find its Argument."""
    parameters = inspect.signature(command).parameters
    assert list(parameters) == ["nodes", "context"]
    assert parameters["nodes"].annotation == Annotated[list[str] | None, "of the command"]
    assert parameters["context"].annotation == Annotated[str | None, "of the group"]


def test_a_group_is_filled() -> None:
    run: Callable[..., int] = command
    assert run(nodes=["a"], context="b") == 2
    assert inspect.unwrap(command).__annotations__["return"] == "Imagined"


@pytest.mark.parametrize("name", ["a", "kube-system", "0", "a" * 63, None])
def test_names_of_namespaces(name: str | None) -> None:
    assert namespace_name(name) == name


@pytest.mark.parametrize("name", ["", " ", "Bad NS", "a_b", "-a", "a-", "a.b", "a" * 64, "a\n"])
def test_other_names(name: str) -> None:
    with pytest.raises(typer.BadParameter):
        namespace_name(name)


def test_an_option_from_a_variable_that_is_not_set() -> None:
    with pytest.raises(typer.BadParameter, match="unset"):
        not_empty("")
    assert not_empty(None) is None


def parsed(*words: str) -> dict[str, object]:
    """What a command with these options gets."""
    app = make_app()

    @app.command()
    def show(
        port: Annotated[int, number("PORT", "Use this port", 1, 65535)] = 80,
        file: Annotated[Path | None, path("FILE", "Read this file.")] = None,
        command: Annotated[list[str] | None, wrapped_command("The command.")] = None,
    ) -> None:
        del port, file, command

    params: dict[str, object] = typer.main.get_command(app).make_context("show", list(words)).params
    return params


@pytest.mark.parametrize("text", ["1", "65535", "007"])
def test_numbers(text: str) -> None:
    assert parsed("--port", text)["port"] == int(text)


@pytest.mark.parametrize("text", ["", "x", "0", "-1", "65536", "1.5", "1e3", "9" * 5000, "\u0663"])
def test_other_numbers(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="is not a number from 1 to 65535"):
        parsed("--port", text)


def test_paths() -> None:
    assert parsed("--file", "a/b")["file"] == Path("a/b")
    assert parsed("--file", "\udcff")["file"] == Path("\udcff")
    assert parsed()["file"] is None
    with pytest.raises(typer.BadParameter, match="it is empty"):
        parsed("--file", "")


def test_the_program_of_a_command_has_a_name() -> None:
    assert parsed("--", "echo", "")["command"] == ["echo", ""]
    with pytest.raises(typer.BadParameter, match="it is empty"):
        parsed("--", "", "echo")


def test_positive_durations() -> None:
    assert positive(0.001) == 0.001
    with pytest.raises(typer.BadParameter, match="longer than 0"):
        positive(0.0)


def test_durations() -> None:
    assert seconds("10m") == seconds(600.0) == 600.0
    with pytest.raises(typer.BadParameter, match="is not a duration"):
        seconds("ten")
