"""Writing: results to stdout, everything else to stderr, whatever becomes of their readers."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agtool.core.errors import AgtoolError, ConfigurationError, DeclinedError
from agtool.core.log import Level, Log, Message, formatted

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

View = Iterable["str | bytes | RenderableType"]
"""What people read: lines, and tables or trees of rich; bytes are written as they are. A generator
is run when it is shown."""

_ENDLESS = 10_000
"""Columns of output that no terminal shows: nothing is folded or cut there."""


class Cursor:
    """Where the terminal's cursor is.

    Attributes:
        leave: what takes it to a line of its own, where the last that was shown has not ended.
    """

    leave = ""


class OutputError(ConfigurationError):
    """Nothing can be written to stdout, so that it is told on stderr, whatever --output says."""


@contextmanager
def _stdout() -> Iterator[None]:
    """A reader that went away is for the boundary; a disk that is full is an error."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal that knows only ASCII
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError as error:
        raise BrokenPipeError from error  # without its number, at which Typer would end us with 1
    except OSError as error:
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  # what is left
        raise OutputError(f"cannot write the output: {error.strerror}") from error


def print_json(value: Mapping[str, Any]) -> None:
    """Print one JSON document on stdout."""
    import json

    with _stdout():
        sys.stdout.write(json.dumps(value, indent=2) + "\n")


def print_view(view: View) -> None:
    """Print what people read on stdout; coloured on a terminal only, NO_COLOR honoured."""
    with _stdout():
        for part in view:
            if isinstance(part, str):
                sys.stdout.write(part + "\n")
            elif isinstance(part, bytes):
                sys.stdout.flush()
                sys.stdout.buffer.write(part)
            else:
                _console(getattr(part, "min_width", 0) or 0).print(part)


def _console(narrowest: int) -> Console:
    """Where rich prints; at least so many columns wide, since rich cuts what is wider."""
    from rich.console import Console

    class Stdout(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # rich would end us with 1

    console = Stdout(file=sys.stdout, highlight=False)
    console.width = max(console.width, narrowest) if sys.stdout.isatty() else _ENDLESS
    return console


def say(
    text: str, code: str = "note", *, level: Level = "info", hint: str = "", **fields: object
) -> None:
    """Write a message of agtool's own to stderr: what is so, and what to do next.

    A reader that went away (closed pipe, vanished terminal, full disk) or does not read (full
    pipe, Ctrl-S) must not hold up those who guard a command: after a second it is dropped.

    Args:
        code: a stable word, and fields: values, for the programs that read JSON lines.
    """
    leave, Cursor.leave = Cursor.leave, ""
    write_to_stderr(leave + formatted(Message(text, code, level, hint, fields)))


def write_to_stderr(message: str, *, patience: float = 1.0) -> None:
    """Write to stderr as it is, if somebody takes it within `patience` seconds."""
    with suppress(OSError, ValueError):
        sys.stderr.flush()
        descriptor = sys.stderr.fileno()
        # Writable means that a pipe takes a page, which is more than a message has.
        if select.select([], [descriptor], [], patience)[1]:
            os.write(descriptor, message.encode(errors="backslashreplace"))


def fail(error: AgtoolError, **fields: object) -> None:
    """Report `error` on stderr: what happened, then what to do next."""
    level: Level = "info" if isinstance(error, DeclinedError) else "error"
    if error.subject:
        fields["subject"] = error.subject
    say(error.message, error.code, level=level, hint=error.hint, **fields)


def write_traceback(code: str) -> None:
    """Write where the error that is being handled came from to stderr."""
    import traceback

    if Log.as_json:
        say("the traceback", code, level="error", traceback=traceback.format_exc())
    else:
        traceback.print_exc()
