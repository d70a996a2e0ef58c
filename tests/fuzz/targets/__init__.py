"""A module for each parser, with `check(data: bytes)`."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

Check = Callable[[bytes], None]


def names() -> list[str]:
    """Of all targets."""
    return sorted(path.stem for path in Path(__file__).parent.glob("[a-z]*.py"))


def target(name: str) -> Check:
    """The check of a target."""
    check: Check = import_module(f"{__name__}.{name}").check
    return check
