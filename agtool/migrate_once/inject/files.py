"""Manifests from files, folders and stdin; and back into their files, all of them or none."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from agtool.core.errors import ConfigurationError, UsageError
from agtool.core.files import rewrite
from agtool.migrate_once.inject.manifests import File

STDIN = "-"
_ENDINGS = (".yaml", ".yml", ".json")


def load(names: Sequence[str]) -> list[File]:
    """The files of these names; `-`, and no name, is stdin, and of a folder all manifests.

    Raises:
        UsageError: stdin is a terminal, and no file is named.
        ConfigurationError: one cannot be read.
    """
    if not names and sys.stdin.isatty():
        raise UsageError(
            "there is no FILE, and standard input is a terminal",
            hint="Name a file or a folder, or: helm template ... | agtool migrate-once inject ...",
        )
    paths = list(dict.fromkeys(each for name in names or [STDIN] for each in _paths(name)))
    return [File("stdin" if path == STDIN else path, _text(path)) for path in paths]


def _paths(name: str) -> Iterator[str]:
    if name == STDIN or not Path(name).is_dir():
        yield name
        return
    found = False
    for folder, folders, files in os.walk(name):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        for each in sorted(files):
            if each.endswith(_ENDINGS) and not each.startswith("."):
                found = True
                yield str(Path(folder) / each)
    if not found:
        raise ConfigurationError(
            f"there is no manifest in the folder {name}",
            hint=f"Their names end with {', '.join(_ENDINGS)}.",
        )


def _text(path: str) -> str:
    try:
        data = sys.stdin.buffer.read() if path == STDIN else Path(path).read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"cannot read {path}: {error.strerror}", hint="Name a file, a folder, or - for stdin."
        ) from error
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(
            f"{'stdin' if path == STDIN else path} is not text in UTF-8 (line {line})",
            hint="Convert it, such as with iconv.",
        ) from error


def write(files: Sequence[tuple[File, str]]) -> list[str]:
    """Write new texts into their files; a link stays a link, and rights stay. The names.

    Raises:
        ConfigurationError: one cannot be written; the files before it are written again as they
            were.
    """
    done: list[File] = []
    for file, text in files:
        try:
            rewrite(Path(file.name), text.encode())
        except OSError as error:
            # Backwards: on a full disk each then has the room that it had before.
            changed = [each.name for each in reversed(done) if not _restored(each)]
            raise ConfigurationError(
                f"cannot write {file.name}: {error.strerror}",
                hint=f"These are changed already: {', '.join(changed)}."
                if changed
                else "Nothing was changed.",
            ) from error
        done.append(file)
    return [file.name for file, _ in files]


def _restored(file: File) -> bool:
    try:
        rewrite(Path(file.name), file.text.encode())
    except OSError:
        return False
    return True


_STARTED = "---"


def joined(texts: Sequence[str]) -> bytes:
    """Texts behind each other, as one stream of documents; one alone stays as it is."""
    made = texts[0] if texts else ""
    for each in texts[1:]:
        text = each.removeprefix("\ufeff")
        made += "" if not made or made.endswith("\n") else "\n"
        lines = (line for line in text.splitlines() if line.strip() and line[0] not in "#%")
        made += text if next(lines, _STARTED).startswith(_STARTED) else f"{_STARTED}\n{text}"
    return made.encode()
