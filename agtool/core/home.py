"""The user's home folder, which a user without an entry in passwd may not have."""

from pathlib import Path

from agtool.core.errors import ConfigurationError


def home(*, hint: str = "Set HOME.") -> Path:
    """The user's home folder. Raises ConfigurationError when there is none."""
    try:
        return Path.home()
    except RuntimeError as error:
        raise ConfigurationError("no home folder was found", hint=hint) from error
