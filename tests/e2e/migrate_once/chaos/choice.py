"""What chance decides about a round before it begins."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from tests.e2e.migrate_once.chaos.faults import FAULTS, possible
from tests.model.trace import AT_MOST


@dataclass(frozen=True)
class Choice:
    """What chance decided about a round before it began.

    Attributes:
        engine: one of ENGINES.
        faults: with their numbers, which stay when others are left out.
        replicas: without the last one.
        traced: whether it is small enough for the model of the lock, and held against it.
    """

    engine: str
    seed: int
    number: int
    faults: tuple[tuple[int, str], ...]
    replicas: int
    traced: bool = False

    @property
    def alone(self) -> bool:
        """Whether no other round can go on beside it."""
        return self.engine != "sqlite" and any(FAULTS[name].alone for _, name in self.faults)

    def chance(self, *of: object) -> random.Random:
        """What decides about one part of it, whatever becomes of the others."""
        return random.Random(f"{self.engine}:{self.seed}:{self.number}:{of}")  # noqa: S311

    def __str__(self) -> str:
        """What repeats it."""
        keep = " ".join(str(number) for number, _ in self.faults)
        return (
            f'make chaos ENGINES={self.engine} SEED={self.seed} FIRST={self.number} KEEP="{keep}"'
        )


def choose(engine: str, seed: int, number: int, only: Sequence[str] = ()) -> Choice:
    """The round of that number, always the same one."""
    chance = Choice(engine, seed, number, (), 0).chance("faults")
    weights = {n: f.weight for n, f in possible(engine).items() if not only or n in only}
    modelled = [name for name in weights if FAULTS[name].modelled]
    if modelled and chance.random() < 0.1:
        one = chance.choice(modelled)
        return Choice(engine, seed, number, ((0, one),), AT_MOST - 1, traced=True)
    count = chance.choice((1, 1, 2, 2, 3, 4))
    names = chance.choices(list(weights), list(weights.values()), k=count) if weights else ()
    # The last one makes it 3 to 10.
    replicas = chance.choice((2, 3, 3, 3, 4, 4, 5, 6, 7, 9))
    return Choice(engine, seed, number, tuple(enumerate(names)), replicas)
