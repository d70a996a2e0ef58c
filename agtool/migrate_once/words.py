"""The words with which an agtool was started: whether it is one, and what --status needs of them.

Pure. A container's command has them, and so has /proc.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath

FOLDER = "/opt/agtool-bin"
"""Where `inject` mounts the volume with agtool's folder."""

LAUNCHER = f"{FOLDER}/agtool/agtool"
"""The program, by either method: in the image it lies in a folder of the same name."""

PROGRAMS = ("agtool", "/agtool/agtool", LAUNCHER)
"""Where it may be in a container that does not say it: on PATH, in its own image, injected."""

_NAME = "migrate-once"


def split(words: Sequence[str]) -> tuple[list[str], list[str]] | None:
    """What starts agtool, and the arguments of `migrate-once`; None: that is not what it is.

    The first part may hold another program before it, such as tini, or Python.
    """
    for at, word in enumerate(words):
        if word == _NAME and _is_agtool(words[:at]):
            return list(words[:at]), list(words[at + 1 :])
        if at and words[at - 1] in ("-c", "-ec", "-lc"):  # a script, which only a shell can read
            return None
    return None


def _is_agtool(before: Sequence[str]) -> bool:
    """Whether agtool stands at the end of the words, or before options of its own."""
    own = list(before)
    while own and own[-1].startswith("--"):
        own.pop()
    named = PurePosixPath(own[-1]).name if own else ""
    # A folder's own agtool is started by its loader, with its code behind that.
    return named == "agtool" or any(
        PurePosixPath(word).name == "agtool" and "/lib/loader/" in word for word in own
    )


def for_status(arguments: Sequence[str], takes_value: Mapping[str, bool]) -> dict[str, str | None]:
    """The options of an agtool, up to its COMMAND; of one that stands there twice, the last.

    Args:
        arguments: of `migrate-once`.
        takes_value: by the names of all its options, whether a value follows.

    Returns:
        Their values by their names; None: it has none.
    """
    return dict(_options(arguments, takes_value))


def _options(
    arguments: Sequence[str], takes_value: Mapping[str, bool]
) -> Iterator[tuple[str, str | None]]:
    rest = iter(arguments)
    for word in rest:
        if word == "--" or not word.startswith("-"):
            return
        name, sign, value = word.partition("=")
        if sign or not takes_value.get(name, False):
            yield name, value if sign else None
        else:
            yield name, next(rest, "")
