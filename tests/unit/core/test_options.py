"""Options that commands share."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Annotated, NamedTuple

import pytest
import typer

from agtool.core.options import grouped, namespace_name, not_empty, seconds


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


def test_durations() -> None:
    assert seconds("10m") == seconds(600.0) == 600.0
    with pytest.raises(typer.BadParameter, match="is not a duration"):
        seconds("ten")
