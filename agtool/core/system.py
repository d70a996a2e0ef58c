"""What some commands need of the operating system."""

from __future__ import annotations

import sys

from agtool.core.errors import ConfigurationError


def require_unix(command: str) -> None:
    """Raise ConfigurationError on Windows, which has not what it needs."""
    if sys.platform == "win32":
        raise ConfigurationError(
            f"agtool {command} does not run on Windows itself",
            hint="Run it in the Windows Subsystem for Linux (WSL). The commands `ci-nodepool` and "
            "`le-staging verify` need nothing of that.",
        )
