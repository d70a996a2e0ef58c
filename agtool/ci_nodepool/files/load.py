"""Files from the disk: those that are named, and those in folders that may hold a runner."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from agtool.ci_nodepool.files.text import File
from agtool.core.errors import ConfigurationError
from agtool.core.yamltext import NotYaml

STDIN = "-"
_ENDINGS = (".yaml", ".yml", ".json", ".toml")
_WORDS = ("runner", "gitlab")
"""One of these is in every file that has to do with a runner."""


def load(names: Sequence[str]) -> Iterator[File]:
    """The files of these names; `-` is stdin, and of a folder those that may hold a runner.

    One after the other: a folder's manifests need not be in memory all at once.

    Raises:
        ConfigurationError: one cannot be read.
    """
    for name in names:
        yield from _load(name)


def _load(name: str) -> Iterator[File]:
    if name == STDIN:
        yield File("stdin", _text("stdin", sys.stdin.buffer.read()))
    elif Path(name).is_dir():
        for folder, folders, files in os.walk(name):
            folders[:] = sorted(each for each in folders if not each.startswith("."))
            for each in sorted(files):
                # Hidden ones are of editors and other tools; a pipe would never end.
                if each.startswith(".") or not each.endswith(_ENDINGS):
                    continue
                path = Path(folder) / each
                if _is_regular(path) and (file := _in_folder(path)):
                    yield file
    else:
        yield File(name, _text(name, _read(Path(name))))


def _is_regular(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a folder that may be listed only: who reads the file says so
        return True


def _in_folder(path: Path) -> File | None:
    """A file that nobody named: what is not one of ours is left out."""
    text = _read(path).decode(errors="replace")
    if not any(word in text for word in _WORDS):
        return None
    if path.suffix == ".toml" and "runners" not in text:  # a pyproject.toml, say
        return None
    file = File(str(path), text)
    if path.suffix != ".toml" and "{{" in text:
        try:
            file.documents  # noqa: B018  # only whether there are any matters
        except NotYaml:  # a chart's template, say, which is not YAML before it is rendered
            return None
    return file


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"cannot read {path}: {error.strerror}", hint="Name a file, a folder, or - for stdin."
        ) from error


def _text(name: str, data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{name} is not text in UTF-8") from error
