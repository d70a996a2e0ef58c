"""All commands of agtool, as Typer sees them."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Union, get_args

import typer.main

from agtool.app import TECHNIQUES
from agtool.core.command import Technique


@dataclass(frozen=True)
class Command:
    """A command, or a group of commands, of a technique.

    Attributes:
        name: such as `ci-nodepool taint`.
        parsed: what Typer has made of it; it has the parameters.
        function: that was written.
    """

    name: str
    technique: Technique
    parsed: Any
    function: Callable[..., Any]

    @property
    def is_group(self) -> bool:
        """Whether it has commands below it."""
        return hasattr(self.parsed, "commands")

    def option(self, name: str) -> Any:
        """Its option of that name, such as `--output`; None: it has none."""
        return next((p for p in self.parsed.params if name in p.opts), None)

    def document(self) -> Any:
        """The type of what it prints with `--output json`, as the function's annotation says."""
        annotation = self.function.__annotations__["return"]
        if isinstance(annotation, str):
            names = {**vars(self._documents()), **vars(_typing_only(self._documents()))}
            annotation = eval(annotation, self.function.__globals__ | names)  # noqa: S307
        (document,) = get_args(annotation) or (None,)
        # A form that has none, such as that which wraps a command, prints no JSON.
        kinds = [one for one in (get_args(document) or [document]) if one is not type(None)]
        return Union[tuple(kinds)] if kinds else None  # noqa: UP007  # as many as there are

    def _documents(self) -> ModuleType:
        package = self.technique.cli.rpartition(".")[0]
        return importlib.import_module(f"{package}.documents")


def _typing_only(documents: ModuleType) -> ModuleType:
    """The names under which a module imports it for its annotations: itself."""
    made = ModuleType("typing_only")
    made.documents = documents  # type: ignore[attr-defined]
    return made


def all_commands(techniques: Iterable[Technique] = tuple(TECHNIQUES.values())) -> Iterator[Command]:
    """The groups and the commands of these techniques, each after the group that it is in."""
    for technique in techniques:
        for one in (technique, *technique.words):
            app = importlib.import_module(one.cli).app
            yield from _below(technique, one.name, typer.main.get_command(app))


def _below(technique: Technique, name: str, parsed: Any) -> Iterator[Command]:
    function = inspect.unwrap(parsed.callback) if parsed.callback else lambda: None
    yield Command(name, technique, parsed, function)
    for word, inner in sorted(getattr(parsed, "commands", {}).items()):
        yield from _below(technique, f"{name} {word}", inner)


def with_document(
    techniques: Iterable[Technique] = tuple(TECHNIQUES.values()),
) -> Iterator[Command]:
    """The commands that have `--output`."""
    return (one for one in all_commands(techniques) if one.option("--output"))
