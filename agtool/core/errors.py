"""Failures that agtool can explain, each with its exit code, a stable code word and a hint."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agtool.core.finding import Finding

# Exit codes; those of a shell and of timeout(1) where these have one.
BUG = 70  # nobody foresaw the failure (EX_SOFTWARE of sysexits.h)
TIMED_OUT = 124  # a wrapping command waited too long
WRAPPER_FAILED = 125  # a wrapping command failed by itself
CANNOT_EXECUTE = 126  # the wrapped command was found but cannot be run
NOT_FOUND = 127  # the wrapped command was not found
INTERRUPTED = 130  # after Ctrl-C
PIPE_CLOSED = 141  # the reader of our output went away (SIGPIPE)


class AgtoolError(Exception):
    """What happened, to what, and (hint) what to do next; never holds a secret.

    Attributes:
        exit_code: the status of the process when this error ends it.
        code: a stable word for programs.
        subject: the object that it is about, such as `node worker-1`; may be empty.
    """

    exit_code = BUG
    code = "bug"

    def __init__(self, message: str, *, hint: str = "", subject: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.subject = subject

    def finding(self) -> Finding:
        """The same as data."""
        from agtool.core.finding import Finding

        return Finding(self.code, self.message, self.hint, self.subject)


def unexpected(error: Exception) -> AgtoolError:
    """What nobody foresaw, as an error that can be reported."""
    return AgtoolError(
        f"unexpected {type(error).__name__}: this is a bug in agtool",
        hint="Run again with `agtool --debug ...` to see the traceback, and report it.",
    )


class DeclinedError(AgtoolError):
    """The person was asked and said no; the message says what was left undone."""

    exit_code = 1
    code = "declined"


class UsageError(AgtoolError):
    """The command line makes no sense."""

    exit_code = 2
    code = "usage"


def without_effect(option: str, why: str, hint: str = "") -> UsageError:
    """The error for an option that would change nothing.

    Args:
        why: such as `with --status`.
        hint: what else to do than to leave it out.
    """
    return UsageError(f"{option} has no effect {why}", hint=hint or f"Leave out {option}.")


class ConfigurationError(AgtoolError):
    """A setting, a file or an environment variable is missing or wrong."""

    exit_code = 3
    code = "configuration"


class UnreachableError(AgtoolError):
    """Something on the network could not be reached, or gave no answer that helps."""

    exit_code = 4
    code = "unreachable"


class DeniedError(AgtoolError):
    """The other side refused what it was asked for, such as for a missing permission."""

    exit_code = 5
    code = "denied"
