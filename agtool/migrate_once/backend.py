"""The port: what every database engine does for `migrate-once`, and how it fails.

The folders of `engines` are its three implementations, in the same shape.

Not with postponed annotations: a NamedTuple would compile them at each start.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from agtool.core.errors import UnreachableError
from agtool.migrate_once.model import Attempt, End, Situation, Unfinished

if TYPE_CHECKING:
    from agtool.core.finding import Finding
    from agtool.core.process.tree import Process
    from agtool.migrate_once.documents import Server, Status


class NotYet(UnreachableError):
    """The database cannot serve us now but may soon: starting, full, not resolvable yet."""


class LockLost(Exception):
    """The lock is gone, or can no longer be proven to be held."""


class AlreadyDone(NamedTuple):
    """The key of this attempt has been finished before."""


class Exhausted(NamedTuple):
    """The key has failed as often as the attempt allows.

    failed_with: the exit code of the last failure; None: it is not known.
    """

    failures: int
    place: str
    failed_with: int | None


class Session(NamedTuple):
    """A session at work on the server.

    Attributes:
        place: what the server calls it; with `since` it names its present work.
        account: who logged in.
        application: what it calls itself; may be empty.
        since: when its transaction or statement began, for people; empty if that is not known.
        refused: whether the server does not let us end it.
    """

    place: str
    account: str
    application: str
    since: str
    refused: bool = False

    def __str__(self) -> str:
        name = f" ({self.application})" if self.application else ""
        since = f", at work since {self.since}" if self.since else ""
        return f"session {self.place} of {self.account}{name}{since}"


class Busy(NamedTuple):
    """Somebody else holds the lock. situation: only if a look at it was asked for."""

    situation: Situation | None


class Survey(NamedTuple):
    """What a server says of itself and of our rights on it.

    Attributes:
        creates: what agtool would create there, for people.
        problems: why a run would fail; of one that could not, why it might later: warnings.
    """

    server: "Server"
    creates: list[str]
    problems: "list[Finding]"
    warnings: "list[Finding]"


class Lock(Protocol):
    """A lock that is held. Used by one thread at a time; every method may block.

    Attributes:
        pooled: whether a pooler passes sessions on: one of ours may be another client's by now.
        keep_open: a descriptor; while any process holds it open, the lock stays (a crash aside).
        watch: descriptors that become readable when the lock may have been lost.
        horizon: for `Backend.strangers`: all of the command's sessions that are older are known.
    """

    pooled: bool
    keep_open: int
    watch: Sequence[int]

    @property
    def horizon(self) -> float: ...

    def check(self, command: int | None = None) -> None:
        """Prove that the lock is held: a round trip to the server.

        command: the command's process id while it runs; an engine that can do so here records the
        sessions of its process tree, for `stop_statements`.

        Raises:
            LockLost: it is not.
        """

    def unfinished(self) -> list[Unfinished]:
        """Earlier runs that have not said that they have ended; they may still be dying.

        Raises:
            LockLost: as for `check`.
        """

    def exhausted(self) -> Exhausted | None:
        """Whether the attempt's key has failed as often as that allows; None: it has not.

        Raises:
            LockLost: as for `check`.
        """

    def observe(self, command: int) -> "list[Finding]":
        """Look at the sessions of the command's process tree, and at who waits for ours.

        Called about every second by a thread of its own, so that nothing here can cost the lock.
        It connects by itself, and only if there is something to look at. Returns what is new.

        Raises:
            AgtoolError, LockLost: it cannot be seen now.
        """

    def stop_statements(self, run_ids: Sequence[str]) -> list[Session]:
        """As `Backend.stop_statements`, by the lock's own session.

        So it needs no new one, which may be refused by the time that a command has ended: its
        password has changed, or no connection is left.

        Raises:
            LockLost: as for `check`.
            AgtoolError: the server does not let us look.
        """

    def strangers(self, run_ids: Sequence[str], waited: float) -> list[Session]:
        """As `Backend.strangers`, by the lock's own session.

        Raises:
            LockLost, AgtoolError: as for `stop_statements`.
        """

    def finish(self, end: End) -> str | None:
        """Record how the run ended and release the lock.

        What the command has done to our table is mended for it. Returns None when the record is
        there, else for people why there is none, and the lock is released all the same.

        Raises:
            LockLost: as for `check`; nothing is recorded.
        """

    def release(self) -> None:
        """Let go without recording anything; never raises."""


class Backend(Protocol):
    """One database. Methods connect by themselves and leave no connection behind.

    Attributes:
        lock_name: what the lock is called, for people.
        warnings: what the user should know before relying on this.

    Raises, all of them:
        NotYet: try again later.
        AgtoolError: it will not get better by waiting.
    """

    lock_name: str
    warnings: Sequence[str]

    def attempt(self, attempt: Attempt, *, look: bool) -> Lock | AlreadyDone | Exhausted | Busy:
        """Try for the lock once, without waiting for it. Creates the tables if missing.

        look: also leave a sign of life, and see who holds the lock.
        """

    def look(self, attempt: Attempt) -> AlreadyDone | Exhausted | Situation:
        """Whether the attempt's key is done, else who runs; reads, and nothing else.

        Needs no right but to read the runs, and none before there are any.
        """

    def survey(self) -> Survey:
        """The server, our rights and what limits us; reads, and takes no lock."""

    def is_held_by(self, processes: "Sequence[Process]") -> bool:
        """Whether one of these processes holds the lock, whatever account it or we use."""

    def record_start(self, attempt: Attempt, patience: float) -> None:
        """Make known to all that this run has begun.

        Called while holding the lock and before the command starts. patience: seconds after
        the loss of the lock in which this run's command is dead.
        """

    def record_lost(self, run_id: str, exit_code: int | None, *, counts: bool = True) -> None:
        """Record the end of a run that could not do so with `Lock.finish`; counts: as in End."""

    def stop_statements(self, run_ids: Sequence[str]) -> list[Session]:
        """Stop what the commands of these runs, dead or dying, still execute on the server.

        Returns what was found, some of which may have ended since; empty means that none is left.
        """

    def strangers(
        self, run_ids: Sequence[str], waited: float, horizon: float = 0.0
    ) -> list[Session]:
        """Sessions at work that may be of these runs: nothing tells them apart from others'.

        They are waited for, and not ended: on the account and in the database of the URL, at work
        since the first of the runs began or later, and for the last `waited` seconds at least.
        horizon: a lock's; then only sessions that are not older.
        """

    def environment(self, attempt: Attempt) -> dict[str, str]:
        """Variables for the command, by which its sessions can be recognised."""

    def status(self, limit: int, attempt: Attempt | None = None) -> "Status":
        """The holder, the waiters and the latest `limit` ended runs.

        attempt: of whose key is told as well.
        """
