"""Scarce connections, PgBouncer in each of its modes, and servers that cannot lock."""

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import NamedTuple

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection

from tests.conftest import Database, needed
from tests.e2e.conftest import Agtool, Gate, wait_until
from tests.servers.pgbouncer import PgBouncer
from tests.servers.postgresql import PostgreSQL, find_postgresql
from tests.servers.process import server_folder

StartPgBouncer = Callable[..., PgBouncer]

WAITERS = "SELECT count(*) FROM agtool.install_locks_runs WHERE state = 'waiting'"

# Connects anew each time, as a migration's many processes may, and prints the longest time taken.
CONNECT_OFTEN = """
import sys, time, psycopg2
def ask(query):
    began = time.monotonic()
    connection = psycopg2.connect(sys.argv[1])
    cursor = connection.cursor()
    cursor.execute(query)
    (answer,) = cursor.fetchone()
    connection.close()
    return answer, time.monotonic() - began
give_up = time.monotonic() + 60
while ask(sys.argv[2])[0] < int(sys.argv[3]):
    assert time.monotonic() < give_up
    time.sleep(0.1)
print(max(ask("SELECT 1")[1] for _ in range(20)))
"""


def ask(url: str, query: str) -> object:
    """The first column of the first row."""
    with closing(psycopg2.connect(url, connect_timeout=5)) as connection:
        connection.autocommit = True
        cursor = connection.cursor()
        cursor.execute(query)
        row = cursor.fetchone()
        assert row is not None
        return row[0]


def psql(url: str, *arguments: str) -> list[str]:
    """A command that runs SQL."""
    return [str(find_postgresql("psql")), "--no-psqlrc", "--quiet", url, *arguments]


# -- through PgBouncer -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pool_mode", "replicas"),
    [("transaction", 20), ("session", 10)],
    ids=["transaction", "session"],
)
def test_more_replicas_than_the_pool_has_room_for(
    pool_mode: str, replicas: int, agtool: Agtool, database: Database, pgbouncer: StartPgBouncer
) -> None:
    pooler = pgbouncer(pool_mode=pool_mode, default_pool_size=3)
    url = pooler.url(database.name, user=database.name)
    with closing(database.connect()) as connection:
        connection.cursor().execute("CREATE TABLE work (began timestamptz, ended timestamptz)")

    first = agtool.start(
        *("migrate-once", "--", sys.executable, "-c"),
        *(CONNECT_OFTEN, url, WAITERS, str(replicas)),
        url=url,
    )
    first.wait_for("running")
    work = psql(url, "-c", "INSERT INTO work SELECT clock_timestamp(), clock_timestamp() + '0.1s'")
    work = ["sh", "-c", '"$@" && sleep 0.1', "work", *work]
    others = [agtool.start("migrate-once", "--", *work, url=url) for _ in range(replicas)]

    done = first.wait(100)
    assert done.exit_code == 0, done.stderr
    assert float(done.stdout) < 5.0
    for other in others:
        assert other.wait(100).exit_code == 0, other.stderr
    assert ask(database.url, "SELECT count(*) FROM work") == replicas
    overlaps = (
        "SELECT count(*) FROM work AS a JOIN work AS b "
        "ON a.ctid < b.ctid AND a.began < b.ended AND b.began < a.ended"
    )
    assert ask(database.url, overlaps) == 0


def test_sleeping_waiters_hold_no_connection(
    agtool: Agtool, database: Database, pgbouncer: StartPgBouncer, gate: Gate
) -> None:
    """Neither of the pooler nor of the server."""
    pooler = pgbouncer()
    url = pooler.url(database.name, user=database.name)
    database.inhabit()
    holder = agtool.start("migrate-once", "--", *gate.command, url=url)
    gate.wait()
    replicas = 10
    waiters = [agtool.start("migrate-once", "--", "true", url=url) for _ in range(replicas)]
    wait_until(lambda: ask(database.url, WAITERS) == replicas, "all of them wait")

    clients, servers = [], []
    with (
        closing(psycopg2.connect(pooler.url("pgbouncer", user="postgres"))) as console,
        closing(database.server.connect()) as server,
    ):
        console.autocommit = True
        for _ in range(60):
            with console.cursor() as cursor:
                cursor.execute("SHOW CLIENTS")
                clients.append(sum(database.name in row for row in cursor.fetchall()))
            with server.cursor() as cursor:
                cursor.execute(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND state <> 'idle'",
                    (database.name,),
                )
                servers.append(cursor.fetchone()[0])  # type: ignore[index]  # a count has a row
            time.sleep(0.05)
    gate.open()

    # The holder's own is one of them, and a waiter's try takes some milliseconds.
    assert min(clients) == min(servers) == 1
    assert sum(clients) / len(clients) < 1 + replicas / 2
    assert sum(servers) / len(servers) < 1 + replicas / 2
    assert holder.wait().exit_code == 0
    for waiter in waiters:
        assert waiter.wait().exit_code == 0


def both_sessions(url: str) -> set[object]:
    """Each of a pool's two server sessions with all its settings."""
    query = (
        "SELECT pg_backend_pid() || string_agg(format('%s=%s', name, setting), ',' ORDER BY name) "
        "FROM pg_settings"
    )
    with closing(psycopg2.connect(url)) as one:
        # An open transaction keeps the one, so the second client gets the other.
        cursor = one.cursor()
        cursor.execute(query)
        row = cursor.fetchone()
        assert row is not None
        sessions = {row[0], ask(url, query)}
        # PgBouncer ends a session whose client leaves it in a transaction.
        one.rollback()
        return sessions


def test_no_setting_leaks_to_the_next_client_of_the_pool(
    agtool: Agtool, database: Database, pgbouncer: StartPgBouncer
) -> None:
    # Values other than those which agtool sets for itself.
    for setting in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
        database.server.execute(f"ALTER ROLE {database.name} SET {setting} = '50s'")
    url = pgbouncer(default_pool_size=2).url(database.name, user=database.name)
    before = both_sessions(url)
    assert len(before) == 2

    done = agtool.run("migrate-once", "--key", "1", "--", "true", url=url)

    assert done.exit_code == 0, done.stderr
    assert both_sessions(url) == before
    # The test would see a leak: this is one.
    ask(url, "SELECT set_config('lock_timeout', '7s', false)")
    assert both_sessions(url) != before


@pytest.mark.parametrize("add_host", ["0", "1"])
def test_a_lost_lock_stops_the_command_s_statements_and_no_others(
    add_host: str, agtool: Agtool, database: Database, pgbouncer: StartPgBouncer
) -> None:
    # With 1, PgBouncer appends the client's address to the name by which they are found.
    settings = {"application_name_add_host": add_host}
    pooler = pgbouncer(default_pool_size=5, settings=settings)
    url = pooler.url(database.name, user=database.name)
    database.inhabit()
    holder = agtool.start(
        *("migrate-once", "--kill-grace", "1s", "--"),
        *psql(url, "-c", "SELECT 'mine', pg_sleep(100)"),
        url=url,
    )
    sleeping = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE %r"
    mine = sleeping % "SELECT _mine_%"
    wait_until(lambda: ask(database.url, mine) == 1, "the command's statement runs")
    answers: list[object] = []
    stranger = threading.Thread(
        target=lambda: answers.append(ask(url, "SELECT 'other', pg_sleep(8)"))
    )
    stranger.start()
    others = sleeping % "SELECT _other_%"
    wait_until(lambda: ask(database.url, others) == 1, "the stranger's statement runs")

    ended = ask(
        database.url,
        # Its session has two such locks.
        "SELECT count(pg_terminate_backend(pid)) FROM (SELECT DISTINCT pid FROM pg_locks "
        "WHERE locktype = 'advisory' AND database = "
        "(SELECT oid FROM pg_database WHERE datname = current_database())) AS holder",
    )
    assert ended == 1
    done = holder.wait(20)

    assert done.exit_code == 125
    assert "the lock was lost" in done.stderr
    # By the time agtool ends, its statement has ended, which would else have slept for longer.
    wait_until(lambda: ask(database.url, mine) == 0, "the command's statement has gone", 5)
    stranger.join()
    assert answers == ["other"]
    assert ask(database.url, "SELECT state FROM agtool.install_locks_runs") == "lost"


def test_statement_pooling_is_refused(
    agtool: Agtool, database: Database, pgbouncer: StartPgBouncer
) -> None:
    url = pgbouncer(pool_mode="statement").url(database.name, user=database.name)

    done = agtool.run("migrate-once", "--", "echo", "worked", url=url)

    assert (done.exit_code, done.stdout) == (125, "")
    assert "is in statement pooling mode" in done.stderr
    assert "pool_mode transaction or session" in done.stderr
    assert len(done.stderr.splitlines()) == 2
    assert agtool.run("migrate-once", "--status", url=url).exit_code == 3


@pytest.mark.parametrize("unknown", ["user", "database"])
def test_what_pgbouncer_does_not_know(
    unknown: str, agtool: Agtool, database: Database, pgbouncer: StartPgBouncer
) -> None:
    pooler = pgbouncer()
    if unknown == "user":
        url, says = pooler.url(user="no_one", password="x"), "SASL authentication failed"
    else:
        url, says = pooler.url("no_db", user=database.name), 'database "no_db" does not exist'

    # A database may be made yet.
    seconds = () if unknown == "user" else ("--connect-timeout", "1s")
    done = agtool.run("migrate-once", *seconds, "--", "echo", "worked", url=url)

    assert (done.exit_code, done.stdout) == (125, "")
    assert ("cannot log in to" in done.stderr) == (unknown == "user")
    assert says in done.stderr
    assert ("trying again" in done.stderr) == (unknown == "database")


# -- no connection left ----------------------------------------------------------------------


class Full(NamedTuple):
    """A server that takes no more connections: its URL for agtool, and who holds them."""

    url: str
    holders: list[Connection]


def fill(url: str) -> Full:
    """Open connections until there are no more."""
    holders = []
    while True:
        try:
            holders.append(psycopg2.connect(url, connect_timeout=5))
        except psycopg2.OperationalError:
            return Full(url, holders)


@pytest.fixture
def full(
    request: pytest.FixtureRequest, database: Database, pgbouncer: StartPgBouncer
) -> Iterator[Full]:
    with ExitStack() as running:
        if request.param == "role":
            database.server.execute(f"ALTER ROLE {database.name} CONNECTION LIMIT 4")
            full = fill(database.url)
        elif request.param == "pooler":
            full = fill(pgbouncer(max_client_conn=4).url(database.name, user=database.name))
        else:
            with needed():
                folder = running.enter_context(server_folder())
                # One of them is the superuser's: `remaining connection slots are reserved`.
                settings = {"superuser_reserved_connections": request.param}
                server = PostgreSQL(folder, max_connections=5, settings=settings)
                running.enter_context(server)
            full = fill(server.url())
        try:
            yield full
        finally:
            for holder in full.holders:
                holder.close()


@pytest.mark.parametrize(
    ("full", "says"),
    [
        ("role", "too many connections for role"),
        ("pooler", "no more connections allowed"),
        ("0", "too many clients"),
        ("1", "remaining connection slots are reserved"),
    ],
    indirect=["full"],
    ids=["role", "pooler", "server", "reserved"],
)
def test_too_many_connections_are_waited_for(full: Full, says: str, agtool: Agtool) -> None:
    running = agtool.start("migrate-once", "--", "echo", "worked", url=full.url)
    running.wait_for(says)
    assert "trying again" in running.stderr

    for holder in full.holders:
        holder.close()

    done = running.wait()
    assert (done.exit_code, done.stdout) == (0, "worked\n")


# -- standbys --------------------------------------------------------------------------------


class Pair(NamedTuple):
    """A primary and its hot standby."""

    primary: PostgreSQL
    standby: PostgreSQL

    def url(self, *servers: PostgreSQL) -> str:
        """One URL with several hosts, in this order."""
        account = self.primary.url("app").partition("@")[0]
        hosts = "&".join(f"host={server.host}:{server.port}" for server in servers)
        return f"{account}@/app?{hosts}"


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    with server_folder() as folder, needed(), PostgreSQL(folder) as primary:
        yield Pair(primary, primary.standby())


@pytest.mark.parametrize("lock", ["table", "advisory"])
@pytest.mark.parametrize("prepared", [False, True], ids=["fresh", "prepared"])
def test_a_standby_is_waited_for_in_vain(
    lock: str, prepared: bool, agtool: Agtool, pair: Pair
) -> None:
    """An advisory lock would be granted there, and exclude nobody."""
    table = f"{lock}_{prepared}.locks".lower()
    options = ("migrate-once", "--lock", lock, "--lock-table", table)
    if prepared:
        assert agtool.run(*options, "--", "true", url=pair.primary.url()).exit_code == 0
        there = f"SELECT to_regclass('{table}_runs') IS NOT NULL"
        wait_until(lambda: ask(pair.standby.url(), there), "the standby has the tables")

    done = agtool.run(
        *(*options, "--connect-timeout", "1s", "--", "echo", "worked"), url=pair.standby.url()
    )

    assert (done.exit_code, done.stdout) == (125, "")
    assert "is a standby or read-only" in done.stderr
    assert "trying again" in done.stderr
    assert "Give the URL of the primary" in done.stderr


def test_the_primary_among_several_hosts(agtool: Agtool, pair: Pair) -> None:
    for servers in (pair, reversed(pair)):
        done = agtool.run("migrate-once", "--", "echo", "worked", url=pair.url(*servers))
        assert (done.exit_code, done.stdout) == (0, "worked\n"), done.stderr


def test_only_standbys_among_several_hosts(agtool: Agtool, pair: Pair, tmp_path: Path) -> None:
    result = tmp_path / "result.json"
    done = agtool.run(
        *("migrate-once", "--result-file", result, "--connect-timeout", "3s", "--", "true"),
        url=pair.url(pair.standby, pair.standby),
    )

    assert done.exit_code == 125
    assert "Give the URL of the primary" in done.stderr
    assert json.loads(result.read_text())["errors"][0]["code"] == "unreachable"
