"""The parts of a round of chaos: its servers, its replicas, and what is known of them."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg2

from tests.servers.pgbouncer import PgBouncer
from tests.servers.postgresql import PostgreSQL
from tests.servers.proxy import TcpProxy

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

GRACE = 1.0
"""Seconds of --kill-grace."""


@dataclass(frozen=True)
class Plan:
    """What one replica's command does; the worker gets it as JSON. Times in seconds."""

    folder: str
    url: str
    site_packages: str
    seconds: float
    sql_seconds: float
    transaction: bool
    ignores_term: bool
    fails: bool
    grandchild_seconds: float
    waits: bool

    def as_json(self) -> str:
        """For the command line."""
        return json.dumps(asdict(self))


@dataclass
class Replica:
    """One agtool, and what may come of it."""

    number: int
    plan: Plan
    url: str
    process: subprocess.Popen[bytes]
    pid: int
    pidfd: int
    parent: int | None
    stderr: Path
    struck: bool = False
    """Whether agtool or its keeper has been killed already: both is a fault of its own."""
    codes: set[int] = field(default_factory=set)
    """Exit codes that faults have made possible."""
    code_unknown: bool = False

    def alive(self) -> bool:
        """Whether agtool has not ended."""
        return not select.select([self.pidfd], [], [], 0)[0]

    def send(self, number: signal.Signals) -> bool:
        """Send agtool a signal; whether it was there to get it."""
        try:
            signal.pidfd_send_signal(self.pidfd, number)
        except ProcessLookupError:
            return False
        return self.alive() or number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)

    def keeper(self) -> int | None:
        """The process id of agtool's keeper, while it has one."""
        return next(iter(children(self.pid)), None)

    def command(self) -> int | None:
        """The process id of the command, while it runs."""
        keeper = self.keeper()
        return None if keeper is None else next(iter(children(keeper)), None)

    def exit_code(self) -> int | None:
        """The exit code, 128+N for a signal; None when its parent took it along."""
        code = self.process.wait()
        if self.code_unknown:
            return None
        return code if code >= 0 else 128 - code


def children(pid: int) -> list[int]:
    """The process ids of the children of a process."""
    found: list[int] = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):  # it ended meanwhile
            found += map(int, path.read_text().split())
    return found


def start_replica(
    number: int,
    plan: Plan,
    *,
    url: str,
    options: Sequence[str],
    wrapped: bool,
    folder: Path,
    env: Mapping[str, str],
) -> Replica:
    """Start one agtool with the worker as its command. wrapped: as the child of a shell."""
    stderr = folder / f"r{number}.stderr"
    worker = Path(__file__).with_name("chaos_worker.py")
    argv = [sys.executable, "-m", "agtool", "migrate-once", "--kill-grace", f"{GRACE:.0f}s"]
    argv += [*options, "--", sys.executable, "-I", "-S", str(worker), plan.as_json()]
    if wrapped:
        # With a command after it, the shell forks and waits.
        argv = ["/bin/sh", "-c", '"$@"; exit $?', "sh", *argv]
    with stderr.open("wb") as log:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env={
                **env,
                "AGTOOL_DATABASE_URL": url,
                "CHAOS_REPLICA": str(number),
                # Short, since it comes back in application_name, which has 63 bytes.
                "POD_NAME": f"r{number}",
            },
        )
    pid = process.pid
    while wrapped and pid == process.pid and process.poll() is None:
        pid = next(iter(children(process.pid)), pid)
    return Replica(
        number=number,
        plan=plan,
        url=url,
        process=process,
        pid=pid,
        pidfd=os.pidfd_open(pid),
        parent=process.pid if wrapped else None,
        stderr=stderr,
    )


@dataclass
class Scene:
    """Where a round takes place, and its record."""

    server: PostgreSQL
    database: str
    folder: Path
    proxy: TcpProxy
    bouncer: PgBouncer | None
    replicas: list[Replica] = field(default_factory=list)
    timeline: list[tuple[int, str]] = field(default_factory=list)
    codes: set[int] = field(default_factory=set)
    """Exit codes that faults have made possible for every replica."""
    signals: list[tuple[str, int]] = field(default_factory=list)
    _monitor: Connection | None = None

    def note(self, text: str) -> None:
        """Put something on record."""
        self.timeline.append((time.monotonic_ns(), text))

    def query(self, statement: str, *parameters: object) -> list[tuple[object, ...]]:
        """Ask the server directly, as superuser; nothing while it is down."""
        try:
            if self._monitor is None:
                self._monitor = self.server.connect(self.database)
            cursor = self._monitor.cursor()
            cursor.execute(statement, parameters or None)
            return cursor.fetchall()
        except psycopg2.Error:
            self.close()
            return []

    def close(self) -> None:
        """Give back the connection."""
        if self._monitor is not None:
            with closing(self._monitor):
                self._monitor = None

    def holders(self) -> list[tuple[int, Replica]]:
        """The server's process ids of the lock's session (at most one), and whose it is."""
        rows = self.query(
            # A holder has two such locks: one says that it is held, the other by whom.
            "SELECT DISTINCT pid, application_name FROM pg_locks JOIN pg_stat_activity USING (pid) "
            "WHERE locktype = 'advisory' AND granted "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        found = []
        for pid, name in rows:
            match = re.search(r" r(\d+) ", str(name))
            if match and isinstance(pid, int):
                found += [(pid, r) for r in self.replicas if r.number == int(match[1])]
        return found
