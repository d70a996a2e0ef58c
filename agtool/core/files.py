"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path


def write_atomically(path: Path, content: bytes, *, mode: int) -> None:
    """Make `path` hold `content`, or leave it as it was. Raises OSError."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.chmod(temporary, mode)  # noqa: PTH101
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:  # Ctrl-C too
        with suppress(OSError):
            temporary.unlink()
        raise


def rewrite(path: Path, content: bytes) -> None:
    """Make a file hold `content`, or leave it as it was. Raises OSError.

    A link stays a link, and the file that it leads to keeps its mode.
    """
    path = path.resolve()
    write_atomically(path, content, mode=stat.S_IMODE(path.stat().st_mode))
