"""The JSON Schemas of the commands' documents; made from the types by `make schemas`."""

from __future__ import annotations

import json
from pathlib import Path

from agtool.core.errors import UsageError

_FOLDER = Path(__file__).parent


def file_name(command: str) -> str:
    """The file in this folder that holds the schema of a command such as `ci-nodepool taint`."""
    return f"{command.replace(' ', '-')}.json"


def commands() -> list[str]:
    """The commands whose documents have a schema."""
    texts = (path.read_text(encoding="utf-8") for path in _FOLDER.glob("*.json"))
    return sorted(json.loads(text)["properties"]["command"]["const"] for text in texts)


def read(command: str) -> str:
    """The schema of a command's document, as text.

    Raises:
        UsageError: the command prints no document, or there is no such command.
    """
    known = commands()
    if command not in known:
        raise UsageError(
            f"there is no JSON document of a command {command!r}",
            hint=f"Commands with one: {', '.join(known)}.",
        )
    return (_FOLDER / file_name(command)).read_text(encoding="utf-8").rstrip("\n")
