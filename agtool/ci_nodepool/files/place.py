"""Where in a file a string stands, perhaps within a string, and a new text in its place. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import NamedTuple

from agtool.ci_nodepool.files.text import Document, File, Scalar, documents
from agtool.ci_nodepool.runner.placement import CannotPatch
from agtool.core.yamltext import NotYaml, Path


class Hop(NamedTuple):
    """From a YAML text to a string in it: the number of its document, and the path there."""

    document: int
    path: Path


Place = tuple[Hop, ...]
"""Of a string in a file: a hop, and of a string in that string another one; () is all of it."""


def line_of(file: File, place: Place, offset: int) -> int:
    """The line in the file, from 1, of an offset in the string at a place."""
    if not place:
        return file.text.count("\n", 0, offset) + 1
    scalar = file.documents[place[0].document].scalar(place[0].path)
    if scalar is None:
        return 1
    inner = line_of(File(file.name, scalar.value), place[1:], offset)
    # In a quoted string or a folded block lines are not lines.
    return scalar.line + (inner if scalar.style == "|" else 1)


def replaced(text: str, place: Place, new: str) -> str:
    """The text of a file with a new string at a place, and nothing else changed.

    Raises:
        CannotPatch: that cannot be proved.
    """
    if not place:
        return new
    if text.startswith("\ufeff"):  # places are counted without it, where PyYAML is in C
        return text[:1] + replaced(text[1:], place, new)
    before = list(documents(text))
    scalar = before[place[0].document].scalar(place[0].path)
    if scalar is None:
        raise CannotPatch("the configuration is not a string of its own in this file")
    inner = replaced(scalar.value, place[1:], new)
    if inner == scalar.value:
        return text
    made = text[: scalar.start] + _written(text, scalar, inner) + text[scalar.end :]
    _prove(before, made, place[0], inner)
    return made


def _written(text: str, scalar: Scalar, value: str) -> str:
    """The string as it was written: a block as a block, with its indentation."""
    if scalar.style not in ("|", ">"):
        return json.dumps(value, ensure_ascii=False)
    old = text[scalar.start : scalar.end]
    header, _, body = old.partition("\n")
    newline = "\r\n" if header.endswith("\r") else "\n"
    lines = [line for line in body.split("\n") if line.strip()]
    indent = min((len(line) - len(line.lstrip(" ")) for line in lines), default=scalar.column + 2)
    said = re.search(r"\d", header.split("#")[0])
    if said:  # the text's own first line begins with spaces
        indent = scalar.column + int(said[0])
    if scalar.style == ">":
        header = header.replace(">", "|", 1)
    # What follows a block, blank lines and the next key's indentation, stays as it was.
    trailing = _TRAILING.search(old)
    made = [f"{' ' * indent}{line}" if line else line for line in value.split("\n")]
    if scalar.style == "|":
        made = _kept(scalar.value.split("\n"), body.split("\n"), value.split("\n"), made)
    while made and not made[-1].strip():
        made.pop()
    body = newline.join(line.rstrip("\r") for line in made)
    return f"{header.rstrip()}{newline}{body}{trailing[0] if trailing else ''}"


_TRAILING = re.compile(r"\r?(?:\n[ \t\r]*)*\Z")


def _kept(
    before: Sequence[str], written: Sequence[str], after: Sequence[str], made: Sequence[str]
) -> list[str]:
    """The lines of a block as they will be: those that stay as they were written.

    The text may have any spaces in a line that is empty.

    Args:
        before: the lines of the string, and written: of its text.
        after: the lines of the new string, and made: as they would be written.
    """
    old = iter(zip(before, written, strict=False))
    now = next(old, None)
    lines = []
    for line, anew in zip(after, made, strict=True):
        if now and now[0] == line:
            lines.append(now[1])
            now = next(old, None)
        else:
            lines.append(anew)
    return lines


def _prove(before: Sequence[Document], made: str, hop: Hop, value: str) -> None:
    """Raise CannotPatch unless the new text means the old one with this string."""
    try:
        after = list(documents(made))
    except NotYaml as error:
        raise CannotPatch(f"the edited file would not be YAML: {error}") from error
    expected = [each.data for each in before]
    there = expected[hop.document]
    for step in hop.path[:-1]:
        there = there[step]
    there[hop.path[-1]] = value
    if expected != [each.data for each in after]:
        if re.search(r"(?<![\w\"'])[&*][\w-]", made):
            raise CannotPatch(
                "the file has anchors (&NAME, *NAME), and the configuration of one runner cannot "
                "be changed without another place",
                hint="Write runners.config of this runner out, without an anchor.",
            )
        raise CannotPatch(
            "no way was found to write the new configuration into this file that leaves all else "
            "as it is",
            hint="Write runners.config as a block: config: |",
        )
