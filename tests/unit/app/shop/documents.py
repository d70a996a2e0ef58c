"""What the commands print for programs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from agtool.core.finding import Finding


@dataclass(frozen=True)
class Apple:
    """An apple.

    Attributes:
        colour: of most of it; a word
            that a person uses.
        weight: in grams.
    """

    colour: Literal["red", "green"]
    weight: float
    eaten_at: datetime | None = None
    """When it was eaten; null: it was not."""


@dataclass(frozen=True)
class Sold:
    """What was sold."""

    apples: tuple[Apple, ...]
    prices: dict[str, int]
    problems: list[Finding]


@dataclass(frozen=True)
class Nothing:
    """That nothing was sold.

    Attributes:
        why: in words.
    """

    why: str
