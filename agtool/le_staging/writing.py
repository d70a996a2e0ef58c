"""Files of agtool's own; what cannot be written is told with its path, and with what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agtool.core.errors import ConfigurationError

_HINT = "Free some space, or correct the permissions."


@contextmanager
def writing(path: Path, *, hint: str = _HINT) -> Iterator[None]:
    """Raise an OSError from inside as ConfigurationError."""
    try:
        yield
    except OSError as error:
        raise ConfigurationError(f"cannot write {path}: {error.strerror}", hint=hint) from error


def own_folder(path: Path) -> None:
    """Make a folder that only its owner may enter, and those above it that are missing.

    Whatever the umask is: with 000 anybody could replace what lies in it. Raises OSError.
    """
    _make(path, 0o700)  # as the XDG Base Directory Specification says
    path.chmod(0o700)


def _make(path: Path, mode: int) -> None:
    for missing in reversed([place for place in (path, *path.parents) if not place.exists()]):
        missing.mkdir(mode=mode, exist_ok=True)


def write(path: Path, content: str | bytes, *, mode: int = 0o600, hint: str = _HINT) -> None:
    """Write a file and, if need be, its folder. Raises ConfigurationError."""
    with writing(path, hint=hint):
        if mode == 0o600:
            own_folder(path.parent)
        else:
            _make(path.parent, 0o755)
        from agtool.core.files import write_atomically

        content = content.encode() if isinstance(content, str) else content
        write_atomically(path, content, mode=mode)
