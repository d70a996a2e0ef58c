"""Files of agtool's own; what cannot be written is told with its path, and with what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agtool.core.errors import ConfigurationError
from agtool.core.files import write_atomically

_HINT = "Free some space, or correct the permissions."


@contextmanager
def writing(path: Path, *, hint: str = _HINT) -> Iterator[None]:
    """Raise an OSError from inside as ConfigurationError."""
    try:
        yield
    except OSError as error:
        raise ConfigurationError(f"cannot write {path}: {error.strerror}", hint=hint) from error


def write(path: Path, content: str | bytes, *, mode: int = 0o600, hint: str = _HINT) -> None:
    """Write a file and, if need be, its folder. Raises ConfigurationError."""
    with writing(path, hint=hint):
        path.parent.mkdir(mode=0o700 if mode == 0o600 else 0o777, parents=True, exist_ok=True)
        content = content.encode() if isinstance(content, str) else content
        write_atomically(path, content, mode=mode)
