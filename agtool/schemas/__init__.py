"""The JSON Schemas of the commands' documents; made from the types by `make schemas`."""

from __future__ import annotations

from pathlib import Path

from agtool.core.errors import UsageError

_FOLDER = Path(__file__).parent


def file_name(command: str) -> str:
    """The file in this folder that holds the schema of a command such as `ci-nodepool taint`."""
    return f"{command.replace(' ', '-')}.json"


def commands() -> list[str]:
    """The files' names without their ending, which stand for the commands."""
    return sorted(path.stem for path in _FOLDER.glob("*.json"))


def read(command: str) -> str:
    """The schema of a command's document, as text.

    Raises:
        UsageError: the command prints no document, or there is no such command.
    """
    path = _FOLDER / file_name(command)
    if path.stem not in commands():
        raise UsageError(
            f"no JSON document is known of {command!r}",
            hint=f"Commands with one: {', '.join(commands())}.",
        )
    return path.read_text(encoding="utf-8").rstrip("\n")
