"""Options in groups reach Typer as they were written, on every Python."""

from __future__ import annotations

import inspect
from typing import Annotated, NamedTuple

from agtool.core.option_groups import grouped


class Group(NamedTuple):
    context: Annotated[str | None, "of the group"] = None


@grouped
def command(*, nodes: Annotated[list[str] | None, "of the command"] = None, group: Group) -> int:
    return len([*(nodes or []), group.context])


def test_annotations_stay_outermost_although_the_default_is_none() -> None:
    parameters = inspect.signature(command).parameters
    assert list(parameters) == ["nodes", "context"]
    assert parameters["nodes"].annotation == Annotated[list[str] | None, "of the command"]
    assert parameters["context"].annotation == Annotated[str | None, "of the group"]


def test_the_command_gets_its_group() -> None:
    assert command(nodes=["a", "b"], context="c") == 3
