"""What the command does on PostgreSQL, seen beside the lock by short connections of their own.

The lock's own session must not look: a SELECT is a snapshot in its transaction, and CREATE INDEX
CONCURRENTLY waits for the end of every transaction that had one.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from datetime import datetime, timezone
from typing import TYPE_CHECKING, NamedTuple

from psycopg2.errors import InsufficientPrivilege, LockNotAvailable

from agtool.core.errors import AgtoolError
from agtool.core.finding import Finding
from agtool.core.process.connections import Connection, connections_of
from agtool.core.process.tree import descendants
from agtool.migrate_once.backend import NotYet
from agtool.migrate_once.engines.postgresql import signs
from agtool.migrate_once.engines.postgresql.session import savepoint
from agtool.migrate_once.engines.postgresql.statements import IDENTITY, TAG, act_as_login
from agtool.migrate_once.engines.postgresql.tables import MISSING, Tables
from agtool.migrate_once.engines.sign import Sign
from agtool.migrate_once.findings import not_seen
from agtool.migrate_once.model import Attempt

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

_LOOK = 3.0
"""Seconds between two looks at who waits: CREATE DATABASE gives up after five."""

BRIEF = 2
"""Seconds for a connection that is made to look; libpq knows no shorter time."""

Connect = Callable[["str | None"], "AbstractContextManager[Cursor]"]
"""A short transaction on a connection of its own, to this database or to that of the URL."""


class Place(NamedTuple):
    """The two ends of the lock's connection.

    Attributes:
        pid: of its session, as the server calls it.
        client: our address as the server sees it; None: a Unix socket, or a pooler or a network
            in between has changed our port, so that no connection of ours is recognised there.
        own: our connection, as this machine sees it; None: a Unix socket.
        pooled: whether it is a pooler's.
        began: when the lock's transaction began, in seconds of the server's clock.
    """

    pid: int
    client: str | None
    own: Connection | None
    pooled: bool
    began: float


class Observer:
    """Looks at the sessions of one command, and remembers them.

    Attributes:
        known: its sessions, as `IDENTITY`.
    """

    def __init__(
        self,
        place: Place,
        *,
        tables: Tables,
        attempt: Attempt,
        patience: float,
        lock: str,
        database: str,
        connect: Connect,
    ) -> None:
        self.place = place
        self.known: frozenset[str] = frozenset()
        self._tables = tables
        self._attempt = attempt
        self._patience = patience
        self._lock = lock
        self._database = database
        self._connect = connect
        self._seen: set[Connection] = set()
        self._next = time.monotonic() + _LOOK
        self._unseen: set[int] = set()
        self._told: set[str] = set()
        # The server's clock at a moment of ours; and when all that the command had was known.
        self._clock = (place.began, time.monotonic())
        self._complete_at = 0.0

    @property
    def complete_until(self) -> float:
        """No session that was made before this moment of the server is unknown; 0: none is known.

        A second is taken off for what was on its way.
        """
        server, ours = self._clock
        return max(0.0, server + self._complete_at - ours - 1.0) if self._complete_at else 0.0

    def look(self, command: int) -> list[Finding]:
        """See `Lock.observe`."""
        now = time.monotonic()
        connections = self._connections(command)
        if connections == self._seen and now < self._next:
            if self.place.client and not self._unseen:
                self._complete_at = now
            return []
        try:
            findings = self._look(now, connections)
        except NotYet:
            if time.monotonic() - now < BRIEF:
                raise
            return self._waiting_for_database()
        self._next = time.monotonic() + _LOOK
        return findings

    def _look(self, now: float, connections: set[Connection]) -> list[Finding]:
        noted = self.known
        with self._connect(None) as cursor:
            act_as_login(cursor)
            cursor.execute("SELECT extract(epoch FROM clock_timestamp())")
            (server,) = cursor.fetchone() or (0.0,)
            self._clock = (float(server), time.monotonic())
            findings = self._waiting(cursor)
            self._seen = connections
            if self.place.client:
                unseen = self._recognise(cursor, connections)
                if not unseen:
                    self._complete_at = now
                # One that has none yet is looked for again at once, and after that now and then.
                new = unseen - self._unseen
                self._seen = {one for one in connections if one.port not in new}
                findings += self._unseen_twice(unseen)
        self._sign_if_forgotten()
        if self.known != noted:
            self._note()
        return findings

    def _connections(self, command: int) -> set[Connection]:
        """Those of the command to the server; it has inherited the lock's own."""
        own = self.place.own
        if own is None:
            return set()
        found = connections_of([command, *descendants(command)]) - {own}
        return {one for one in found if one[1:] == own[1:]}

    def _recognise(self, cursor: Cursor, connections: set[Connection]) -> set[int]:
        """Know the sessions of the connections; returns the ports for which there is none.

        What was known before stays known as long as it is there: when a process dies, its
        connection is gone, and its session may go on.
        """
        ports = {one.port for one in connections}
        cursor.execute(
            f"SELECT {IDENTITY}, client_port FROM pg_stat_activity "
            f"WHERE client_addr = %s AND client_port = ANY(%s) OR {IDENTITY} = ANY(%s)",
            (self.place.client, list(ports), list(self.known)),
        )
        found = cursor.fetchall()
        self.known = frozenset(identity for identity, _ in found)
        # The tag of another role's session is shown, and nothing else.
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE %s "
            "AND client_port IS NULL",
            (f"{TAG}{self._attempt.run_id}%",),
        )
        (tagged,) = cursor.fetchone() or (0,)
        unseen = ports - {port for _, port in found}
        return unseen if len(unseen) > tagged else set()

    def _unseen_twice(self, ports: set[int]) -> list[Finding]:
        """One finding, of connections that had no session at two looks: a new one has none yet."""
        again, self._unseen = ports & self._unseen, ports
        if not again or "unseen" in self._told:
            return []
        self._told.add("unseen")
        return [not_seen(sorted(again), "pg_read_all_stats and pg_signal_backend")]

    def _sign_if_forgotten(self) -> None:
        """Leave a sign if the command has dropped or replaced the table with the record of its run.

        A successor would know of nobody to wait for, if the lock was lost now.
        """
        tables, run_id = self._tables, self._attempt.run_id
        if tables.sign is not None:
            return
        with self._connect(None) as cursor:
            cursor.execute("SET LOCAL lock_timeout = 200")
            try:
                with savepoint(cursor):
                    if tables.runs.is_recorded(cursor, run_id):
                        return
            except MISSING:
                pass
            except (LockNotAvailable, InsufficientPrivilege):
                return  # who holds the table has not dropped it yet
            began = datetime.fromtimestamp(self.place.began, timezone.utc)
            sign = Sign.of(tables.advisory_name, self._attempt, self._patience, began, 0)
            number = signs.write(cursor, sign)
        tables.sign = number

    def _note(self) -> None:
        """For a successor. The command may have dropped the table, or hold it: then not."""
        sessions, tables = " ".join(sorted(self.known)), self._tables
        with self._connect(None) as cursor:
            cursor.execute("SET LOCAL lock_timeout = 1000")
            if tables.sign is not None:
                signs.note_sessions(cursor, tables.sign, tables.advisory_name, sessions)
                return
            cursor.execute("SELECT to_regclass(%s)", (tables.runs.table,))
            if cursor.fetchone() != (None,):
                tables.runs.note_sessions(cursor, self._attempt.run_id, sessions)

    def _waiting(self, cursor: Cursor) -> list[Finding]:
        """Whose statements wait for the lock's session."""
        cursor.execute(
            "SELECT pid, application_name, query FROM pg_stat_activity "
            # Only of those that wait: the function stops all locking for a moment.
            "WHERE pid IN (SELECT pid FROM pg_locks WHERE NOT granted) "
            "AND %s = ANY(pg_blocking_pids(pid))",
            (self.place.pid,),
        )
        waiting = self._new(cursor.fetchall(), _RELEASED_AT_THE_END[self._lock])
        return waiting + self._emptying(cursor)

    def _emptying(self, cursor: Cursor) -> list[Finding]:
        """Whose statements wait until no session is in our database.

        Known by their lock on it: statements of another role are not shown to us.
        """
        cursor.execute(
            "SELECT pid, application_name, query FROM pg_stat_activity WHERE pid IN ("
            "SELECT pid FROM pg_locks WHERE granted AND locktype = 'object' "
            "AND classid = 'pg_database'::regclass AND mode = ANY(%s) "
            "AND objid = (SELECT oid FROM pg_database WHERE datname = %s))",
            (_KEEPS_OUT, self._database),
        )
        return self._new(cursor.fetchall(), _IN_THE_DATABASE)

    def _waiting_for_database(self) -> list[Finding]:
        """As `_emptying`, when no new session gets into our database: it waits in its turn."""
        name = self._database
        try:
            with self._connect("postgres") as cursor:
                act_as_login(cursor)
                return self._emptying(cursor)
        except NotYet:
            raise  # nothing can be reached
        except AgtoolError:
            # That one is not for us. But nothing else lets nobody into ours, except a pooler.
            if self.place.pooled or "database" in self._told:
                return []
            self._told.add("database")
            message = (
                f"database {name} takes no new session, as while CREATE DATABASE ... TEMPLATE or "
                "DROP DATABASE waits for agtool's to leave it"
            )
            return [Finding("blocked", message, _IN_THE_DATABASE)]

    def _new(self, rows: Iterable[tuple[object, str, str]], way_out: str) -> list[Finding]:
        findings = []
        for pid, application, query in rows:
            statement = _one_line(query or "")
            if f"{pid} {statement}" not in self._told:
                self._told.add(f"{pid} {statement}")
                name = f" ({application})" if application else ""
                message = f"session {pid}{name} waits for agtool's own session: {statement}"
                findings.append(Finding("blocked", message, way_out))
        return findings


_KEEPS_OUT = ["ShareLock", "ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock"]
"""Locks on a database with which nobody can connect to it (InitPostgres takes RowExclusiveLock).

CREATE DATABASE ... TEMPLATE, DROP DATABASE and ALTER DATABASE ... RENAME or SET TABLESPACE have
one for the five seconds in which they wait until no other session is in the database
(CountOtherDBBackends in procarray.c).
"""

_RELEASED_AT_THE_END = {
    "table": "What it waits for is released when COMMAND has ended. If the statement is COMMAND's, "
    "agtool must not lock a table: leave out --lock table.",
    "advisory": "What it waits for is released when COMMAND has ended. If the statement is "
    "COMMAND's, run it outside of agtool.",
}

_IN_THE_DATABASE = (
    "No session may be in that database for it, and agtool's is until COMMAND has ended. Give "
    "agtool the URL of another database of the server, such as postgres, and COMMAND this one in a "
    "variable of its own."
)


def _one_line(query: str) -> str:
    """A statement for a message: short, and without a password."""
    if query == "<insufficient privilege>":
        return "its statement is not shown to agtool's role"
    query = re.sub(r"(?i)(\bpassword\s*(?:=\s*)?E?)'(?:[^']|'')*'", r"\1'***'", query)
    query = " ".join(query.split())
    return query if len(query) <= 200 else f"{query[:199]}\N{HORIZONTAL ELLIPSIS}"
