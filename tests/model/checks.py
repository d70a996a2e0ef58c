"""What the model is asked: of each engine that nothing goes wrong, of each mutant that it does."""

from collections.abc import Sequence
from typing import NamedTuple


class Check(NamedTuple):
    """A question to the model that takes all its states.

    Attributes:
        title: for people.
        defines: what is defined for lock.pml.
        cycles: whether it is asked for an endless run, instead of a violation.
    """

    title: str
    defines: Sequence[str]
    cycles: bool = False


class Mutant(NamedTuple):
    """The model without one of the measures of safety, for which a counter-example must be found.

    Attributes:
        name: as defined for lock.pml.
        without: what is taken away, for people.
        where: where it is in the code.
        defines: what else is defined.
    """

    name: str
    without: str
    where: str
    defines: Sequence[str] = ()


CHECKS = (
    Check("PostgreSQL", ["RUNS=2", "FAULTS=2"]),
    Check("MySQL, MariaDB", ["RUNS=2", "FAULTS=2", "MYSQL"]),
    Check("the same, in an empty database", ["RUNS=2", "FAULTS=2", "MYSQL_EMPTY"]),
    Check("SQLite", ["RUNS=2", "FAULTS=2", "SQLITE"]),
    Check("PostgreSQL, --attempts 1", ["RUNS=2", "FAULTS=2", "ATTEMPTS=1"]),
    Check("PostgreSQL, three invocations", ["RUNS=3", "FAULTS=1"]),
    Check("MySQL, three invocations", ["RUNS=3", "FAULTS=1", "MYSQL"]),
    Check("SQLite, three invocations", ["RUNS=3", "FAULTS=1", "SQLITE"]),
    Check("PostgreSQL: each run ends", ["RUNS=2", "FAULTS=2"], cycles=True),
    Check("MySQL: each run ends", ["RUNS=2", "FAULTS=1", "MYSQL"], cycles=True),
    Check("SQLite: each run ends", ["RUNS=2", "FAULTS=2", "SQLITE"], cycles=True),
)

MUTANTS = (
    Mutant(
        "NO_KEEPER",
        "the keeper ends the command when agtool is dead or silent",
        "core/process/keeper.py",
    ),
    Mutant(
        "NO_PATIENCE",
        "who gets the lock waits until an earlier command is dead",
        "acquire.py, _take_over",
    ),
    Mutant(
        "DIE=2",
        "it waits for as long as that can take",
        "model.py, time_to_die",
    ),
    Mutant(
        "NO_STOPPING",
        "it stops what a dead command has left on the server",
        "leftovers.py, end_statements",
    ),
    Mutant(
        "NO_FENCE",
        "a run marks the key by the session that holds the lock, and only by that",
        "engines/*/lock.py, finish",
    ),
    Mutant(
        "NO_SECOND_LOOK",
        "it looks under the lock whether the key is done",
        "engines/*/backend.py, attempt",
    ),
    Mutant(
        "NO_START",
        "a run records that it begins, before it does",
        "acquire.py, record_start",
    ),
    Mutant(
        "WALL_CLOCK",
        "time is measured by a clock that does not jump",
        "time.monotonic() everywhere",
    ),
    Mutant(
        "UNGUARDED_END",
        "a run without the lock does not change a record that says done",
        "engines/runs.py, set_end",
    ),
)
