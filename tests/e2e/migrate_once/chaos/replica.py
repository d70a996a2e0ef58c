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
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.e2e.migrate_once.chaos.engines import Lane
from tests.servers.pgbouncer import PgBouncer
from tests.servers.proxy import TcpProxy

GRACE = 1.0
"""Seconds of --kill-grace."""


@dataclass(frozen=True)
class Plan:
    """What one replica's command does; the worker gets it as JSON. Times in seconds."""

    folder: str
    engine: str
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
    """Whether nobody is left to tell it."""
    any_code: bool = False
    """Whether a fault has made any of them possible."""
    clock: Path | None = None
    """The file that says what its clock shows, if it has one of its own."""
    steps: list[int] = field(default_factory=lambda: [0])
    """How far ahead of all others' its clock has been, in nanoseconds."""
    named: bool = False
    """Whether it looks the server's name up."""

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

    def handles(self, number: signal.Signals) -> bool:
        """Whether agtool is there and has a handler for the signal."""
        with suppress(OSError):  # it ended meanwhile
            status = Path(f"/proc/{self.pid}/status").read_text()
            caught = re.search(r"^SigCgt:\s*(\w+)$", status, re.MULTILINE)
            return caught is not None and bool(int(caught[1], 16) >> number - 1 & 1)
        return False

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
    clock: Path | None = None,
    hosts: Path | None = None,
) -> Replica:
    """Start one agtool with the worker as its command.

    wrapped: as the child of a shell. clock: what libfaketime reads its clock from. hosts: what
    nss_wrapper reads names from.
    """
    stderr = folder / f"r{number}.stderr"
    worker = Path(__file__).with_name("worker.py")
    # With tracebacks, which stay in the folder that a violation keeps.
    argv = [sys.executable, "-m", "agtool", "--debug", "migrate-once"]
    argv += ["--kill-grace", f"{GRACE:.0f}s"]
    # The command tells the time to the verdict, so it has the real clock. A SIGINT while its Python
    # starts would be any exit code; the worker takes it as soon as it can.
    argv += [*options, "--", "env", "-u", "LD_PRELOAD", "--block-signal=INT"]
    argv += [sys.executable, "-I", "-S", str(worker), plan.as_json()]
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
                **_preloaded(clock, hosts),
                "AGTOOL_DATABASE_URL": url,
                # By this a run is known everywhere: no replica has more than one. Short, since it
                # comes back in application_name, which has 63 bytes.
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
        clock=clock,
        named=hosts is not None,
    )


CLOCK = "libfaketime.so.1"
NAMES = "libnss_wrapper.so"
HOST = "database.invalid"
"""What the server is called by those who look it up."""


def library(name: str) -> Path | None:
    """Where a library for LD_PRELOAD is, if it is installed."""
    return next(Path("/usr/lib").glob(f"*-linux-gnu/{name}"), None) or next(
        Path("/usr/lib").glob(f"*-linux-gnu/faketime/{name}"), None
    )


def _preloaded(clock: Path | None, hosts: Path | None) -> dict[str, str]:
    env = {}
    if clock is not None:
        env = {
            "LD_PRELOAD": str(library(CLOCK)),
            "FAKETIME_TIMESTAMP_FILE": str(clock),
            "FAKETIME_NO_CACHE": "1",
            # What steps is the clock of the day.
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
    if hosts is not None:
        env = {"LD_PRELOAD": str(library(NAMES)), "NSS_WRAPPER_HOSTS": str(hosts)}
    return env


@dataclass
class Scene:
    """Where a round takes place, and its record. proxy: None where there is no server."""

    lane: Lane
    folder: Path
    proxy: TcpProxy | None
    bouncer: PgBouncer | None
    hosts: Path | None
    replicas: list[Replica] = field(default_factory=list)
    timeline: list[tuple[int, str]] = field(default_factory=list)
    codes: set[int] = field(default_factory=set)
    """Exit codes that faults have made possible for every replica."""
    signals: list[tuple[str, int]] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Put something on record."""
        self.timeline.append((time.monotonic_ns(), text))

    def url(self, *, proxied: bool, named: bool = False) -> str:
        """The database's, maybe by way of the proxy, maybe with a name that is looked up."""
        if self.proxy is None:
            return self.lane.url()
        entrance: TcpProxy | PgBouncer | None = self.proxy if proxied else self.bouncer
        host, port = (entrance.host, entrance.port) if entrance else self.lane.address or ("", 0)
        return self.lane.url(HOST if named else host, port)

    def set_names(self, *, known: bool) -> None:
        """Let the server's name be found, or not."""
        if self.hosts is not None:
            text = f"127.0.0.1 {HOST}\n" if known else ""
            self.hosts.write_text(text)
            # nss_wrapper reads it again when it has another second.
            self.hosts.chmod(0o644)
            stamp = self.hosts.stat().st_mtime_ns + len(self.timeline) * 1_000_000_000
            os.utime(self.hosts, ns=(stamp, stamp))

    def holders(self) -> list[tuple[int, Replica]]:
        """The lock's session (at most one), and whose it is; SQLite has no sessions."""
        found = []
        for session, name in self.lane.holders():
            # PostgreSQL tells the number of the replica, the others its process.
            match = re.search(r" r(\d+) ", name)
            found += [
                (session, replica)
                for replica in self.replicas
                if (match and replica.number == int(match[1])) or name == f"process {replica.pid} "
            ]
        return found[:1]
