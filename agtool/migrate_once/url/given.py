"""What a person may give instead of a URL, and reading a file that holds a part of it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from agtool.core.errors import ConfigurationError


class Parts(NamedTuple):
    """The options that give a part of it each."""

    engine: str | None = None
    host: str | None = None
    port: int | None = None
    user: str | None = None
    password_file: Path | None = None
    database: str | None = None


def read_file(file: Path, what: str) -> str:
    """The text in a file, such as a mounted Secret.

    Raises:
        ConfigurationError: it cannot be read.
    """
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigurationError(
            f"cannot read the {what} from {file}: {reason}",
            hint="Check that the Secret is mounted there and that this user may read it.",
        ) from error
