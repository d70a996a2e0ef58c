"""A lock that is lost, and an agtool that is killed: what ends, when, and in which order.

The command is chaos/worker.py: its last beat tells when its process tree died. All times are of
time.monotonic(), which is the same for all processes.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg2
import pytest

from agtool.migrate_once.model import MARGIN, NOTICE, REPLY, time_to_die
from tests.conftest import Database, needed
from tests.e2e.conftest import Agtool, Running, clean_environment, wait_until
from tests.e2e.migrate_once.chaos.replica import Plan, children
from tests.e2e.migrate_once.chaos.verdict import SECOND, Run, Work, read_work, runs
from tests.servers.network import NetworkNamespace
from tests.servers.postgresql import PostgreSQL
from tests.servers.proxy import TcpProxy

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

GRACE = 1.0
SLACK = 10.0
"""Seconds that a busy machine may add to anything; less than `time_to_die` of a dead one."""

WORKER = Path(__file__).with_name("chaos") / "worker.py"

STUBBORN = Plan(
    folder="",
    engine="postgresql",
    url="",
    site_packages=str(Path(psycopg2.__file__).parents[1]),
    seconds=90,
    sql_seconds=90,
    transaction=False,
    ignores_term=True,
    fails=False,
    grandchild_seconds=0,
    waits=False,
)
"""A command that works for longer than any test, ignores SIGTERM and has a statement running."""

BRIEF = replace(STUBBORN, seconds=0.1, sql_seconds=0.01, ignores_term=False)


class Stage:
    """A database with the worker's table, seen by a superuser, and agtools that use it."""

    def __init__(self, server: PostgreSQL, database: str, user: str, folder: Path) -> None:
        self.server = server
        self.beats = folder / "beats"
        self.beats.mkdir()
        self.url = server.url(database, user=user)
        self.connection: Connection = server.connect(database)
        self.ask("CREATE TABLE work (run text, note text); SELECT 1")
        self.ask(f"ALTER TABLE work OWNER TO {user}; SELECT 1")

    def ask(self, query: str) -> list[tuple[object, ...]]:
        """The rows of a query."""
        cursor = self.connection.cursor()
        cursor.execute(query)
        return cursor.fetchall()

    def command(self, plan: Plan, url: str | None = None) -> list[str]:
        """The command line of a worker."""
        plan = replace(plan, folder=str(self.beats), url=url or self.url)
        return [sys.executable, "-I", "-S", str(WORKER), plan.as_json()]

    def start(
        self,
        agtool: Agtool,
        plan: Plan,
        number: int = 1,
        *,
        key: str = "one",
        url: str | None = None,
    ) -> Running:
        """Start a replica; `number` tells its work from that of others. url: for agtool only."""
        return agtool.start(
            *("migrate-once", "--kill-grace", f"{GRACE:.0f}s", "--key", key, "--"),
            *self.command(plan),
            url=url or self.url,
            env={"POD_NAME": f"r{number}"},
        )

    def by(self, proxy: TcpProxy) -> str:
        """The URL by way of a proxy."""
        return self.url.replace(f":{self.server.port}/", f":{proxy.port}/")

    def work(self, number: int = 1) -> list[Work]:
        """What the processes of a replica's command have done so far."""
        return [work for work in read_work(self.beats) if work.run_id == f"r{number}"]

    def run(self, number: int = 1) -> Run:
        """The only run of a replica."""
        (run,) = runs(self.work(number))
        return run

    def wait_for_work(self, number: int = 1, processes: int = 1) -> None:
        """Return when the replica's processes work and its long statement runs."""
        wait_until(lambda: len(self.work(number)) >= processes, f"replica {number} works")
        wait_until(lambda: self.statements() > 0, "its statement runs")

    def statements(self) -> int:
        """How many statements of commands run on the server."""
        query = (
            "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'agtool:%' "
            "AND query LIKE '%pg_sleep%' AND state = 'active' AND datname = current_database()"
        )
        return len(self.ask(query))

    def lock_session(self) -> int | None:
        """The server's process that holds the lock."""
        rows = self.ask(
            "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND database = "
            "(SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        return int(str(rows[0][0])) if rows else None

    def wait_for_release(self, session: int, seconds: float = 60) -> float:
        """When the server freed the lock that this session held."""
        give_up = time.monotonic() + seconds
        while self.lock_session() == session:
            assert time.monotonic() < give_up, "the lock is still held"
            time.sleep(0.002)
        return time.monotonic()

    def state(self, run_id: str) -> object:
        """What the runs table says of a run."""
        query = f"SELECT state FROM agtool.install_locks_runs WHERE place LIKE '{run_id} (%'"
        return self.ask(query)[0][0]

    def rows(self, run_id: str) -> list[object]:
        """What a run has committed."""
        return [row[0] for row in self.ask(f"SELECT note FROM work WHERE run = '{run_id}'")]

    def session(self) -> int:
        """The server's process that holds the lock, which somebody must."""
        session = self.lock_session()
        assert session is not None
        return session


@pytest.fixture
def stage(database: Database, tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(database.server, database.name, database.name, tmp_path)
    with closing(stage.connection):
        yield stage


def keeper_of(agtool: Running) -> int:
    (keeper,) = children(agtool.pid)
    return keeper


def seconds_of(nanoseconds: int) -> float:
    return nanoseconds / SECOND


def assert_lost(stage: Stage, run_id: str) -> None:
    """No marker, and nothing of the command is left on the server or committed late."""
    assert stage.state(run_id) == "lost"
    assert stage.statements() == 0
    assert stage.rows(run_id) == ["begin"]


def test_a_terminated_lock_session_ends_a_command_that_ignores_sigterm(
    stage: Stage, agtool: Agtool
) -> None:
    holder = stage.start(agtool, STUBBORN)
    stage.wait_for_work()
    struck = time.monotonic()
    stage.ask(f"SELECT pg_terminate_backend({stage.session()})")
    holder.wait_for("the lock was lost")
    # The socket tells: not the silence, which counts after so many seconds.
    assert time.monotonic() - struck < REPLY
    assert holder.wait().exit_code == 125
    died = seconds_of(stage.run().end)
    assert struck + GRACE - 0.1 < died < struck + GRACE + SLACK
    assert_lost(stage, stage.run().run_id)


def test_dropped_packets_end_the_command_before_the_server_frees_the_lock(
    folder: Path, tmp_path: Path, network_namespace: NetworkNamespace
) -> None:
    with needed(), PostgreSQL(folder, listen="*") as server:
        stage = Stage(server, "app", "app", tmp_path)
        url = server.url(host=network_namespace.host)
        with closing(stage.connection):
            agtool = network_namespace.run(
                [
                    *(sys.executable, "-m", "agtool", "migrate-once", "--key", "one"),
                    *("--kill-grace", f"{GRACE:.0f}s", "--", *stage.command(STUBBORN, url)),
                ],
                env=clean_environment({"AGTOOL_DATABASE_URL": url, "POD_NAME": "r1"}),
            )
            stage.wait_for_work()
            session = stage.session()
            network_namespace.drop()
            dropped = time.monotonic()
            assert agtool.stderr is not None
            text = b""
            while b"the lock was lost" not in text:
                left = dropped + 60 - time.monotonic()
                assert select.select([agtool.stderr], [], [], max(0, left))[0], text
                more = os.read(agtool.stderr.fileno(), 65536)
                assert more, text
                text += more
            noticed = time.monotonic() - dropped
            freed = stage.wait_for_release(session) - dropped
            assert agtool.wait(60) == 125
            died = seconds_of(stage.run().end) - dropped
            figures = f"noticed {noticed:.1f} s, dead {died:.1f} s, freed {freed:.1f} s"
            # The machine may be late, so the bounds have room; the order has none.
            assert noticed < NOTICE + MARGIN, figures
            assert died < NOTICE + GRACE + MARGIN, figures
            assert died < freed, figures
            assert time_to_die(GRACE) - 3 < freed < time_to_die(GRACE) + 10, figures
            assert stage.state(stage.run().run_id) == "running", "it could not say anything"
            # A successor waits for the patience of the silent one, and stops its statement.
            network_namespace.restore()
            first = stage.run().run_id
            successor = network_namespace.run(
                [
                    *(sys.executable, "-m", "agtool", "migrate-once", "--key", "one"),
                    *("--kill-grace", f"{GRACE:.0f}s", "--", *stage.command(BRIEF, url)),
                ],
                env=clean_environment({"AGTOOL_DATABASE_URL": url, "POD_NAME": "r2"}),
            )
            assert successor.wait(60) == 0
            assert_lost(stage, first)
            assert stage.state(stage.run(2).run_id) == "done"


def test_a_killed_agtool_takes_its_tree_and_its_statement_along_before_the_lock(
    stage: Stage, agtool: Agtool
) -> None:
    # The grandchild has left the session and closed its descriptors.
    holder = stage.start(agtool, replace(STUBBORN, grandchild_seconds=90))
    stage.wait_for_work(processes=2)
    session = stage.session()
    waiter = stage.start(agtool, BRIEF, number=2)
    waiter.wait_for("wait")
    struck = time.monotonic()
    holder.send(signal.SIGKILL)
    freed = stage.wait_for_release(session)
    died = seconds_of(stage.run().end)
    assert died < struck + 1 + SLACK
    assert died < freed
    assert waiter.wait().exit_code == 0
    # The keeper gave word, so nobody waited for the patience of the dead.
    assert freed < seconds_of(stage.run(2).begin) < struck + SLACK
    assert_lost(stage, stage.run().run_id)


def test_a_killed_keeper_ends_the_command(stage: Stage, agtool: Agtool) -> None:
    holder = stage.start(agtool, replace(STUBBORN, grandchild_seconds=90))
    stage.wait_for_work(processes=2)
    struck = time.monotonic()
    os.kill(keeper_of(holder), signal.SIGKILL)
    assert holder.wait().exit_code == 125
    assert seconds_of(stage.run().end) < struck + SLACK
    assert_lost(stage, stage.run().run_id)


def test_when_agtool_and_keeper_are_killed_the_successor_waits_for_their_patience(
    stage: Stage, agtool: Agtool
) -> None:
    holder = stage.start(agtool, STUBBORN)
    stage.wait_for_work()
    keeper = keeper_of(holder)
    struck = time.monotonic()
    os.kill(holder.pid, signal.SIGKILL)
    os.kill(keeper, signal.SIGKILL)
    assert stage.start(agtool, BRIEF, number=2).wait().exit_code == 0
    assert seconds_of(stage.run().end) < struck + SLACK
    waited = seconds_of(stage.run(2).begin) - struck
    assert time_to_die(GRACE) - 0.1 < waited < time_to_die(GRACE) + 2 * SLACK
    assert_lost(stage, stage.run().run_id)


def test_the_keeper_ends_the_command_of_an_agtool_that_is_stopped(
    stage: Stage, agtool: Agtool
) -> None:
    holder = stage.start(agtool, STUBBORN)
    stage.wait_for_work()
    worker = stage.work()[0].pid
    holder.send(signal.SIGSTOP)
    struck = time.monotonic()
    wait_until(lambda: not Path(f"/proc/{worker}").exists(), "the command is dead")
    died = seconds_of(stage.run().end) - struck
    # The last pulse was up to a heartbeat ago.
    assert NOTICE + GRACE - 1.5 < died < NOTICE + GRACE + MARGIN
    holder.send(signal.SIGCONT)
    assert holder.wait().exit_code == 125
    assert_lost(stage, stage.run().run_id)


@pytest.mark.parametrize("killed", [False, True])
def test_the_statement_of_a_command_that_has_failed_is_stopped_before_the_next_begins(
    stage: Stage, agtool: Agtool, *, killed: bool
) -> None:
    holder = stage.start(agtool, STUBBORN)
    stage.wait_for_work()
    waiter = stage.start(agtool, BRIEF, number=2)
    waiter.wait_for("wait")
    struck = time.monotonic()
    os.kill(stage.work()[0].pid, signal.SIGKILL if killed else signal.SIGUSR1)
    assert holder.wait().exit_code == (137 if killed else 3)
    assert waiter.wait().exit_code == 0
    assert stage.run().end < stage.run(2).begin
    assert seconds_of(stage.run(2).begin) < struck + SLACK
    assert stage.statements() == 0, "nothing is left that could commit"
    assert stage.rows(stage.run().run_id) == ["begin"]
    assert stage.state(stage.run().run_id) == "failed"
    assert stage.state(stage.run(2).run_id) == "done"


def test_one_that_lost_the_lock_before_it_began_does_not_work_and_leaves_others_on_record(
    stage: Stage, agtool: Agtool
) -> None:
    with TcpProxy(stage.server.host, stage.server.port) as proxy:
        # The tables are there, so that the next one does not spend time on them.
        assert stage.start(agtool, BRIEF).wait().exit_code == 0
        # Slow enough to be struck between getting the lock and saying that it begins.
        proxy.latency = 0.1
        first = stage.start(agtool, STUBBORN, number=2, key="two", url=stage.by(proxy))
        # A second session of the one that holds the lock.
        saying = (
            "SELECT 1 FROM pg_stat_activity WHERE state = 'idle' AND datname = current_database() "
            "AND backend_type = 'client backend' AND EXISTS (SELECT 1 FROM pg_locks WHERE "
            "locktype = 'advisory' AND granted AND database = datid)"
        )
        give_up = time.monotonic() + 30
        while not stage.ask(saying):
            assert time.monotonic() < give_up
            time.sleep(0.002)
        proxy.freeze()
        stage.ask(f"SELECT pg_terminate_backend({stage.session()})")
        second = stage.start(agtool, STUBBORN, number=3, key="two")
        wait_until(lambda: stage.work(3), "the second works")
        proxy.latency = 0
        proxy.thaw()
        wait_until(lambda: "wait" in first.stderr or not first.running(), "the first has noticed")
        # It has not taken the second for dead, so the third waits for the second's end.
        assert stage.state(stage.run(3).run_id) == "running"
        assert stage.work(2) == []
        first.kill()
        third = stage.start(agtool, BRIEF, number=4, key="two")
        third.wait_for("wait")
        stage.ask(f"SELECT pg_terminate_backend({stage.session()})")
        assert second.wait().exit_code == 125
        assert third.wait().exit_code == 0
        assert stage.run(3).end < stage.run(4).begin


SENDS_LATE = """
import os, pathlib, psycopg2, sys, time
url, folder = sys.argv[1], pathlib.Path(sys.argv[2])
connection = psycopg2.connect(url)
connection.autocommit = True
(folder / "connected").touch()
while not (folder / "frozen").exists():
    time.sleep(0.01)
connection.cursor().execute("INSERT INTO work VALUES ('dead', 'late')")
"""


def test_what_a_dead_command_had_sent_is_not_executed_when_it_arrives(
    stage: Stage, agtool: Agtool, tmp_path: Path
) -> None:
    with TcpProxy(stage.server.host, stage.server.port) as proxy:
        holder = agtool.start(
            *("migrate-once", "--", sys.executable, "-c", SENDS_LATE, stage.by(proxy), tmp_path),
            url=stage.url,
        )
        wait_until((tmp_path / "connected").exists, "the command is connected")
        proxy.freeze()
        (tmp_path / "frozen").touch()
        wait_until(proxy.held, "what the command sent is on its way")
        holder.send(signal.SIGKILL)
        successor = stage.start(agtool, replace(BRIEF, seconds=2))
        wait_until(stage.work, "the next one works")
        proxy.thaw()
        assert successor.wait().exit_code == 0
        assert stage.rows("dead") == []


def test_a_crash_of_the_server_does_not_forget_who_has_begun(
    folder: Path, tmp_path: Path, agtool: Agtool
) -> None:
    # Such a server loses in a crash what was committed in the last seconds.
    settings = {"synchronous_commit": "off", "wal_writer_delay": "10s"}
    with needed(), PostgreSQL(folder, settings=settings) as server:
        stage = Stage(server, "app", "app", tmp_path)
        with closing(stage.connection):
            assert stage.start(agtool, BRIEF).wait().exit_code == 0
            # The worker's table must survive.
            stage.ask("CHECKPOINT; SELECT 1")
            holder = stage.start(agtool, STUBBORN, number=2, key="two")
            wait_until(lambda: stage.work(2), "it works")
            waiter = stage.start(agtool, replace(BRIEF, fails=True), number=3, key="two")
            waiter.wait_for("wait")
        server.restart("immediate")
        assert holder.wait().exit_code == 125
        assert waiter.wait().exit_code == 3
        assert stage.run(2).end < stage.run(3).begin
