"""agtool with all it needs in one folder, and an image of that, for images that have no Python.

What must hold, and where it is seen to:

* It takes nothing from where it lies and leaves nothing to the command: `launcher.c`.
* The same commit gives the same bytes: everything is pinned by its hash (`debian`, `wheels`), what
  compiles and compresses is pinned too (`pause/build.py`, and the folder's own Python), and
  `agtool.pause.image` writes nothing of the machine.
* What is inside can be told: `contents` lists it with versions and licences (CycloneDX).

Read in this order: folder (what goes where), selection (and what does not), debian and wheels
(from where), launcher.c and start.py (how it starts), contents, and __main__ (`make bundle`).
"""

from __future__ import annotations

import os
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent

ARCHITECTURES = ("amd64", "arm64")
"""As the label kubernetes.io/arch names them; Debian does too."""

PYTHON = "python3.11"
"""Debian 12's."""


def cache() -> Path:
    """Where downloads are kept, each under its hash."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home, "agtool", "bundle")
