"""Files that are written whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from io import FileIO

_NO_PLACE = (errno.EBUSY, errno.EACCES, errno.EPERM, errno.EROFS)
"""No other file can take its place: it is mounted by itself, as into a container, or is another
user's, or its folder takes none."""


def write_atomically(
    path: Path, content: bytes, *, mode: int, owner: tuple[int, int] | None = None
) -> None:
    """Make `path` hold `content`, or leave it as it was. Raises OSError.

    owner: the ids of a user and a group; None: we are.
    """
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            if owner is not None and hasattr(os, "chown"):
                os.chown(temporary, *owner)
            os.chmod(temporary, mode)  # noqa: PTH101
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:  # Ctrl-C too
        with suppress(OSError):
            temporary.unlink()
        raise


def rewrite(path: Path, content: bytes) -> None:
    """Make a file hold `content`, or leave it as it was. Raises OSError.

    A link stays a link, and the file that it leads to keeps its mode and its owner.
    """
    path = path.resolve()
    was = path.stat()
    owner = (was.st_uid, was.st_gid)
    try:
        write_atomically(path, content, mode=stat.S_IMODE(was.st_mode), owner=owner)
    except OSError as error:
        if error.errno not in _NO_PLACE:
            raise
        _write_in_place(path, content)


def _write_in_place(path: Path, content: bytes) -> None:
    """As `rewrite`, but for a crash of the machine or SIGKILL, which may leave a part."""
    with path.open("r+b", buffering=0) as file:
        before = file.read()
        try:
            _fill(file, content)
        except BaseException:  # Ctrl-C too
            _fill(file, before)  # there was room for it
            raise


def _fill(file: FileIO, content: bytes) -> None:
    file.seek(0)
    left = memoryview(content)
    while left:
        left = left[file.write(left) :]
    file.truncate()
    os.fsync(file.fileno())
