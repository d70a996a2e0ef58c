"""Failures that agtool can explain, each with its exit code, a stable code word and a hint."""

from __future__ import annotations

TIMED_OUT = 124
"""Exit code of a wrapping command that waited too long, as in timeout(1)."""

WRAPPER_FAILED = 125
"""Exit code of a wrapping command's own failures, as in timeout(1) and docker."""

CANNOT_EXECUTE = 126
"""Exit code when the wrapped command was found but cannot be run, as in a shell."""

NOT_FOUND = 127
"""Exit code when the wrapped command was not found, as in a shell."""

INTERRUPTED = 130
"""Exit code after Ctrl-C, as in a shell."""

BUG = 70
"""Exit code of a failure that nobody foresaw (EX_SOFTWARE of sysexits.h)."""


class AgtoolError(Exception):
    """What happened, to what, and (hint) what to do next; never holds a secret.

    Attributes:
        exit_code: the status of the process when this error ends it.
        word: a stable word for programs, the `code` of an error in JSON.
        json_command: the command whose `--output json` this error must respect, else empty.
    """

    exit_code = BUG
    word = "bug"

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.json_command = ""


def unexpected(error: Exception) -> AgtoolError:
    """What nobody foresaw, as an error that can be reported."""
    return AgtoolError(
        f"unexpected {type(error).__name__}: this is a bug in agtool",
        hint="Run again with `agtool --debug ...` to see the traceback, and report it.",
    )


class UsageError(AgtoolError):
    """The command line makes no sense."""

    exit_code = 2
    word = "usage"


class ConfigurationError(AgtoolError):
    """A setting, a file or an environment variable is missing or wrong."""

    exit_code = 3
    word = "configuration"


class UnreachableError(AgtoolError):
    """Something on the network could not be reached."""

    exit_code = 4
    word = "unreachable"


class DeniedError(AgtoolError):
    """The other side refused: a missing permission, or a conflict."""

    exit_code = 5
    word = "denied"
