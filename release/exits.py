"""The exit codes of a command, each with its meaning, as the code of `core` has them."""

from __future__ import annotations

from agtool.core import errors
from agtool.core.errors import AgtoolError
from release.described import Described

_OWN = {
    errors.TIMED_OUT: "agtool waited too long.",
    errors.WRAPPER_FAILED: "agtool failed by itself, also for a usage error.",
    errors.CANNOT_EXECUTE: "COMMAND was found and cannot be run.",
    errors.NOT_FOUND: "COMMAND was not found.",
}

_PIPE_CLOSED = "The reader of the output went away."
_NEGATIVE = (
    "The answer is no: something is not as it should be, or the person who was asked said no."
)


def exit_codes(command: Described) -> dict[str, str]:
    """The codes with which it can end."""
    kinds = {kind.exit_code: kind for kind in AgtoolError.__subclasses__() if _is_general(kind)}
    if command.wraps_command:
        return {
            "N": "That of COMMAND.",
            **{str(code): meaning for code, meaning in _OWN.items()},
            "128+N": "Signal N has ended COMMAND, or agtool got it.",
            str(errors.PIPE_CLOSED): _PIPE_CLOSED,
        }
    found = {"0": "It is done; also: there was nothing to do."}
    for code, kind in sorted(kinds.items()):
        meaning = (kind.__doc__ or "").partition("\n")[0]
        found[str(code)] = _NEGATIVE if code == 1 else meaning
    return {
        **found,
        str(errors.BUG): "A bug in agtool.",
        str(errors.INTERRUPTED): "Ctrl-C.",
        str(errors.PIPE_CLOSED): _PIPE_CLOSED,
    }


def _is_general(kind: type[AgtoolError]) -> bool:
    return kind.__module__ == errors.__name__
