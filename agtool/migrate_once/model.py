"""Pure facts and decisions: who holds the lock, how long to wait, how an invocation ended.

Not with postponed annotations: a NamedTuple would compile them at each start.
"""

import os
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from agtool.core.errors import UsageError

if TYPE_CHECKING:
    from agtool.core.finding import Finding
    from agtool.migrate_once.documents import Run

HEARTBEAT = 1.0
"""Seconds between two proofs that the lock is still held."""

REPLY = 5.0
"""Seconds that the database may take to answer one, if it answered the one before at once."""

NOTICE = HEARTBEAT + REPLY
"""Seconds after the loss of the lock in which its holder has noticed, at the latest."""

MARGIN = 5.0
"""Seconds on top, for killing, scheduling and clocks."""

SEEN = 15.0
"""Seconds after its last sign of life in which a waiter counts as waiting."""

LOOK = 5.0
"""Seconds between two signs of life of a waiter, which are also its looks at the holder."""


def time_to_die(grace: float) -> float:
    """Seconds after losing the lock in which a holder's command is dead.

    It notices (NOTICE), ends the command with SIGTERM and, after `grace`, SIGKILL. This is also
    how long a server is told to keep the lock of a silent client, and how long a successor
    waits for a predecessor that has not said that it has ended.
    """
    return NOTICE + grace + MARGIN


def poll_interval(waited: float, waiters: int | None) -> float:
    """Seconds until the next try for the lock, before jitter.

    A tenth of a second at first; then one per cent of the time already waited, so that a long
    migration is delayed by about that share at most, and with many waiters longer, so that
    together they try no more than fifty times a second. Never above two seconds. Where nothing
    tells how many wait (None), ten are assumed.
    """
    waiters = 10 if waiters is None else waiters
    return min(2.0, max(0.1, waited * 0.01, waiters * 0.02))


def look_interval(waited: float) -> float:
    """Seconds until the next look at a key of somebody who only waits, before jitter.

    As long as the wait so far, within one and ten seconds; later a twentieth of the wait, at most
    half a minute. Nobody can count those who only read, so that a few hundred of them must be cheap
    by themselves: 500 pods connect fifty times a second after some seconds, and seventeen times
    after ten minutes.
    """
    return max(1.0, min(10.0, waited), min(30.0, waited * 0.05))


_IDENTIFIER = r'(?:[A-Za-z_][A-Za-z0-9_$]*|"[^"%\0\ud800-\udfff]+")'


class TableName(NamedTuple):
    """A table, in a schema (in MySQL's words: a database) or in the default one."""

    schema: str | None
    table: str

    @classmethod
    def parse(cls, text: str) -> "TableName":
        """`[SCHEMA.]TABLE`; a part with other than letters, digits, _ and $ in double quotes.

        Unquoted parts are folded to lower case, as PostgreSQL does.

        Raises:
            UsageError: not such a name, or too long to have a companion table.
        """
        match = re.fullmatch(rf"(?:({_IDENTIFIER})\.)?({_IDENTIFIER})", text)
        if match is None:
            raise UsageError(
                f"{text!r} is not a valid name of a table",
                hint='Write TABLE or SCHEMA.TABLE, such as agtool.install_locks or "My-App".locks.',
            )
        schema, table = (
            part and (part[1:-1] if part.startswith('"') else part.lower())
            for part in match.groups()
        )
        if len(table.encode()) > 58 or len((schema or "").encode()) > 63:
            raise UsageError(
                f"the name of the table {text!r} is too long",
                hint="It may have 58 bytes, because a second table has the same name with _runs.",
            )
        return cls(schema, table)

    @property
    def runs(self) -> "TableName":
        """The companion table that records the runs."""
        return TableName(self.schema, f"{self.table}_runs")

    def quoted(self, quote: str) -> str:
        """For SQL, with the engine's quotation mark, which is doubled inside a name."""
        return ".".join(
            quote + part.replace(quote, quote * 2) + quote
            for part in (self.schema, self.table)
            if part
        )

    def __str__(self) -> str:
        return ".".join(part for part in (self.schema, self.table) if part)


def new_run_id() -> str:
    """Sixty-four random bits, as text."""
    return os.urandom(8).hex()


class Attempt(NamedTuple):
    """One replica's wish to run the command.

    Attributes:
        name: of the command, --name.
        key: that is done when the command has succeeded, --key; None: none.
        place: the replica, for people: its pod's name, or its host's.
        run_id: of the run that this becomes.
        attempts: after how many failures of the key the command is not run any more; None: never.
        retry: whether these are counted from zero, beginning with this run.
    """

    name: str
    key: str | None
    place: str
    run_id: str
    attempts: int | None = None
    retry: bool = False


class Unfinished(NamedTuple):
    """A run that has begun; `patience` seconds after it lost the lock its command is dead.

    Attributes:
        run_id, place: empty, if nothing tells whether there is such a run.
    """

    run_id: str
    place: str
    patience: float


class End(NamedTuple):
    """How a run ended.

    Attributes:
        state: done, failed or lost.
        exit_code: with which agtool ends, or the command's; None: it is not known.
        waited, ran: seconds, for a record that has to be made anew.
        counts: whether it is a failure of the command, if it is not done: not if agtool was told to
            end, nor if the command was never started.
    """

    state: str
    exit_code: int | None
    waited: float
    ran: float
    counts: bool = True


class Situation(NamedTuple):
    """What a waiter can know of the others; None: nothing tells it."""

    holder: "Run | None"
    waiters: int | None


class Outcome(NamedTuple):
    """How an invocation ended. Fields as in documents.Outcome, and the exit code to end with."""

    outcome: str
    exit_code: int
    run_id: str
    waited_seconds: float
    ran_seconds: float | None = None
    started_at: str | None = None
    signal: str | None = None
    reason: str | None = None
    marked_done: bool = False
    failures: int | None = None
    failed_with: int | None = None
    warnings: "Sequence[Finding]" = ()
