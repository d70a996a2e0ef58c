"""What cannot be written is told with its path, and with what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agtool.core.errors import ConfigurationError


@contextmanager
def writing(
    path: Path, *, hint: str = "Free some space, or correct the permissions."
) -> Iterator[None]:
    """Raise an OSError from inside as ConfigurationError."""
    try:
        yield
    except OSError as error:
        raise ConfigurationError(f"cannot write {path}: {error.strerror}", hint=hint) from error
