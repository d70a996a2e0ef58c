"""Where things lie: the cache with the programs, and a folder for each cluster that runs."""

import os
from pathlib import Path


def cache() -> Path:
    """The folder of everything that is here: $XDG_CACHE_HOME/agtool/cluster or under ~/.cache."""
    named = os.environ.get("XDG_CACHE_HOME")
    return (Path(named) if named else Path.home() / ".cache") / "agtool" / "cluster"


def instances() -> Path:
    """The folder that has a folder for each cluster."""
    return cache() / "instances"
