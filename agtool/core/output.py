"""A result -> a table for people, or one JSON document for programs.

Results go to stdout; everything else goes to stderr, through `say`.
"""

from __future__ import annotations

import os
import select
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from enum import Enum
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agtool.core.errors import AgtoolError, ConfigurationError, unexpected

if TYPE_CHECKING:
    from rich.console import RenderableType


_PATIENCE = 1.0
"""Seconds for which a message waits for its reader."""


class Format(str, Enum):
    """The choices of `--output`."""

    table = "table"
    json = "json"


def document(
    command: str,
    *,
    exit_code: int = 0,
    data: Mapping[str, Any] | None = None,
    errors: Sequence[AgtoolError] = (),
) -> dict[str, Any]:
    """The machine-readable form of a result, the same for every command (version 1)."""
    return {
        "version": 1,
        "command": command,
        "status": "error" if errors else "ok" if exit_code == 0 else "failed",
        "exit_code": exit_code,
        "data": dict(data or {}),
        "errors": [{"code": e.word, "message": e.message, "hint": e.hint} for e in errors],
    }


@contextmanager
def _stdout() -> Iterator[None]:
    """A reader that went away is for the boundary; a disk that is full is an error."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  # what is left
        raise ConfigurationError(f"cannot write the output: {error.strerror}") from error


def print_json(value: Mapping[str, Any]) -> None:
    """Print one JSON document on stdout."""
    import json

    with _stdout():
        sys.stdout.write(json.dumps(value, indent=2) + "\n")


def print_text(text: str) -> None:
    """Print lines on stdout."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal that knows only ASCII
    with _stdout():
        sys.stdout.write(text + "\n")


def print_table(*renderables: RenderableType) -> None:
    """Print rich renderables on stdout; coloured on a terminal only, NO_COLOR honoured."""
    from rich.console import Console

    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal that knows only ASCII
    console = Console(file=sys.stdout, highlight=False, width=None if sys.stdout.isatty() else 160)
    with _stdout():
        for renderable in renderables:
            console.print(renderable)


@contextmanager
def errors_as_json(command: str, wanted: bool) -> Iterator[None]:
    """Mark errors raised inside so that the boundary prints them as JSON, if `wanted`."""
    try:
        yield
    except BrokenPipeError:
        raise
    except AgtoolError as error:
        error.json_command = command if wanted else ""
        raise
    except Exception as error:
        failure = unexpected(error)
        failure.json_command = command if wanted else ""
        raise failure from error


def say(text: str) -> None:
    """Write `text` as lines of agtool's own to stderr.

    A reader that went away (closed pipe, vanished terminal, full disk) or does not read (full
    pipe, Ctrl-S) must not hold up those who guard a command: after a second it is dropped.
    """
    _write("".join(f"agtool: {line}\n" for line in text.splitlines()), _PATIENCE)


def show_line(text: str) -> None:
    """Show `text` on the terminal in the place of the last one; nothing: take it away.

    Not with rich, whose live display writes whether or not the terminal takes it: Ctrl-S would
    stop us.
    """
    width = shutil.get_terminal_size().columns - 1
    line = f"agtool: {text}"[:width] if text else ""
    _write(f"\r\x1b[K{line}", 0)


def _write(message: str, patience: float) -> None:
    with suppress(OSError, ValueError):
        sys.stderr.flush()
        descriptor = sys.stderr.fileno()
        # Writable means that a pipe takes a page, which is more than a message has.
        if select.select([], [descriptor], [], patience)[1]:
            os.write(descriptor, message.encode(errors="backslashreplace"))


def fail(error: AgtoolError) -> None:
    """Report `error` on stderr: what happened, then what to do next."""
    say(f"error: {error.message}" + (f"\n{error.hint}" if error.hint else ""))
