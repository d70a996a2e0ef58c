"""The self-contained folder, if this agtool is one (see bundle/): known by what, lacks what."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from agtool.core.errors import UsageError

SUMS = "lib/SHA256SUMS"
"""Lies in every such folder, and tells one from another."""


def root() -> Path | None:
    """The folder from which this agtool runs; None: it is installed in another way."""
    path = Path(sys.prefix)
    return path if (path / SUMS).is_file() else None


def is_partial() -> bool:
    """Whether it has migrate-once only, and lacks what the other commands need."""
    return root() is not None and importlib.util.find_spec("agtool.core.kube") is None


def lacks(command: str) -> UsageError:
    """The error for a command, or a part of one, that the folder does not have."""
    return UsageError(
        f"this agtool cannot run `{command}`: it is the self-contained folder, which has only what "
        "migrate-once needs to run a command",
        hint="For everything else take the archive agtool-full, or install agtool with pip.",
    )
