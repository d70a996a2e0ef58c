"""Nothing hangs on PostgreSQL: neither indexes built concurrently, nor dumps, nor replicas."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2
import psycopg2.errors
import pytest

from agtool.migrate_once.backend import Busy, NotYet
from agtool.migrate_once.engines.postgresql.backend import PostgreSQL
from agtool.migrate_once.engines.postgresql.lock import PostgreSQLLock
from agtool.migrate_once.model import Attempt, TableName
from agtool.migrate_once.url import parse
from tests.conftest import Database
from tests.e2e.conftest import Agtool, Gate, wait_until
from tests.servers.postgresql import find_postgresql

# Works as superuser, whom the settings of the test's role do not concern. Arguments: URL, how
# many waiters to wait for, how many indexes to build. A hang ends with the statement's timeout.
BUILD_INDEXES = """
import sys, time, psycopg2
connection = psycopg2.connect(sys.argv[1])
connection.autocommit = True
cursor = connection.cursor()
cursor.execute("SET statement_timeout = '60s'")
cursor.execute("SET default_transaction_read_only = off")
give_up = time.monotonic() + 60
while True:
    cursor.execute("SELECT count(*) FROM agtool.install_locks_runs WHERE state = 'waiting'")
    if cursor.fetchone()[0] >= int(sys.argv[2]):
        break
    assert time.monotonic() < give_up, "not all of them wait"
    time.sleep(0.1)
cursor.execute("CREATE TABLE things AS SELECT generate_series(1, 1000) AS n")
for _ in range(int(sys.argv[3])):
    cursor.execute("CREATE INDEX CONCURRENTLY things_n ON things (n)")
    cursor.execute("REINDEX INDEX CONCURRENTLY things_n")
    cursor.execute("REINDEX TABLE CONCURRENTLY things")
    cursor.execute("DROP INDEX CONCURRENTLY things_n")
cursor.execute("SELECT count(*) FROM agtool.install_locks_runs WHERE state = 'waiting'")
print("built beside", cursor.fetchone()[0])
"""


def scalar(database: Database, query: str) -> object:
    """The first column of the first row, asked as superuser."""
    with closing(database.server.connect(database.name)) as connection:
        cursor = connection.cursor()
        cursor.execute(query)
        row = cursor.fetchone()
        assert row is not None
        return row[0]


HARMFUL = {
    "default_transaction_read_only": "on",
    "statement_timeout": "1ms",
    "lock_timeout": "10ms",
    "idle_in_transaction_session_timeout": "200ms",
    "idle_session_timeout": "200ms",
}
SINCE_14 = {"idle_session_timeout"}


@pytest.mark.parametrize(
    ("isolation", "settings", "replicas"),
    [
        ("read committed", {}, 24),
        ("repeatable read", HARMFUL, 10),
        ("serializable", HARMFUL, 10),
    ],
    ids=["dozens", "repeatable-read", "serializable"],
)
def test_indexes_built_concurrently_beside_waiters(
    isolation: str, settings: dict[str, str], replicas: int, agtool: Agtool, database: Database
) -> None:
    database.inhabit()
    server, name = database.server, database.name
    server.execute(f"ALTER DATABASE {name} SET default_transaction_isolation = '{isolation}'")
    if server.version < 14:
        settings = {name: value for name, value in settings.items() if name not in SINCE_14}
    for setting, value in {**settings, "default_transaction_isolation": isolation}.items():
        server.execute(f"ALTER ROLE {name} SET {setting} = '{value}'")
    admin = server.url(name, user="postgres")

    build = (sys.executable, "-c", BUILD_INDEXES, admin, str(replicas), "10")
    builder = agtool.start("migrate-once", "--", *build, url=database.url)
    builder.wait_for("running")
    waiters = [
        agtool.start("migrate-once", "--", "echo", "next", url=database.url)
        for _ in range(replicas)
    ]
    done = builder.wait(100)
    ended = [waiter.wait(60) for waiter in waiters]

    assert done.exit_code == 0, done.stderr
    assert done.stdout == f"built beside {replicas}\n"
    assert [(each.exit_code, each.stdout) for each in ended] == [(0, "next\n")] * replicas
    assert (
        scalar(database, "SELECT count(*) FROM agtool.install_locks_runs WHERE state = 'done'")
        == replicas + 1
    )


# -- the same, at the level of one lock ------------------------------------------------------


@contextmanager
def held(database: Database) -> Iterator[PostgreSQLLock]:
    """The lock, held by this process."""
    backend = PostgreSQL(
        parse(database.url), None, lock="table", time_to_die=20.0, connect_timeout=60.0
    )
    lock = backend.attempt(Attempt("default", None, "here", run_id="1"), look=False)
    assert isinstance(lock, PostgreSQLLock)
    try:
        yield lock
    finally:
        lock.release()


@contextmanager
def repeated(action: Callable[[], object]) -> Iterator[None]:
    """Do something as fast as possible beside the body; its error is raised at the end."""
    stop = threading.Event()
    errors: list[Exception] = []

    def loop() -> None:
        try:
            while not stop.is_set():
                action()
        except Exception as error:  # noqa: BLE001  # raised below
            errors.append(error)

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    if errors:
        raise errors[0]


def build_indexes(database: Database, times: int, timeout: str) -> int:
    """How many of the indexes could be built concurrently, each within a time."""
    built = 0
    with closing(database.server.connect(database.name)) as connection:
        cursor = connection.cursor()
        cursor.execute("CREATE TABLE IF NOT EXISTS things AS SELECT generate_series(1, 9) AS n")
        cursor.execute(f"SET statement_timeout = '{timeout}'")
        for _ in range(times):
            try:
                cursor.execute("CREATE INDEX CONCURRENTLY things_n ON things (n)")
                built += 1
            except psycopg2.errors.QueryCanceled:
                pass
            # What was cancelled leaves an invalid index behind.
            cursor.execute("DROP INDEX IF EXISTS things_n")
    return built


def test_the_heartbeat_stops_no_index(database: Database) -> None:
    with held(database) as lock, repeated(lock.check):
        assert build_indexes(database, 100, "30s") == 100


def test_a_heartbeat_with_a_snapshot_would(database: Database) -> None:
    """The control of the test above: with a SELECT instead, an index waits for ever.

    The index must find the SELECT at work, so this one works for a while.
    """
    with closing(database.connect(autocommit=False)) as connection:
        cursor = connection.cursor()
        with repeated(lambda: cursor.execute("SELECT pg_sleep(0.2)")):
            assert any(build_indexes(database, 1, "1s") == 0 for _ in range(50))


def test_a_waiter_that_blocks_would(database: Database) -> None:
    """The control of the first test: the recipe's LOCK TABLE makes an index wait for ever."""
    with held(database), closing(database.connect(autocommit=False)) as waiter:

        def block() -> None:
            with pytest.raises(psycopg2.errors.QueryCanceled):
                waiter.cursor().execute("LOCK TABLE agtool.install_locks IN ACCESS EXCLUSIVE MODE")

        thread = threading.Thread(target=block)
        thread.start()
        wait_until(
            lambda: scalar(database, "SELECT count(*) FROM pg_locks WHERE NOT granted") == 1,
            "the waiter blocks",
        )
        assert build_indexes(database, 1, "1s") == 0
        waiter.cancel()
        thread.join()


# -- dumps, VACUUM ---------------------------------------------------------------------------


@contextmanager
def dump(database: Database, out: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A pg_dump, which is killed at the end if it hangs."""
    url = database.server.url(database.name, user="postgres")
    with subprocess.Popen([find_postgresql("pg_dump"), "--file", out, "--dbname", url]) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("lock", ["table", "advisory"])
def test_pg_dump_while_the_lock_is_held(
    lock: str, agtool: Agtool, database: Database, gate: Gate, tmp_path: Path
) -> None:
    database.inhabit()
    holder = agtool.start("migrate-once", "--lock", lock, "--", *gate.command, url=database.url)
    gate.wait()

    with dump(database, tmp_path / "dump") as dumping:
        assert dumping.wait(30) == 0
    assert "install_locks" in (tmp_path / "dump").read_text()

    gate.open()
    assert holder.wait().exit_code == 0


def test_a_new_run_while_pg_dump_is_at_work(
    agtool: Agtool, database: Database, tmp_path: Path
) -> None:
    assert agtool.run("migrate-once", "--", "true", url=database.url).exit_code == 0
    # Newer than the lock's tables, so pg_dump has locked those when it comes to this one.
    database.server.execute("CREATE TABLE z_big ()", database.name)
    with closing(database.server.connect(database.name, autocommit=False)) as connection:
        connection.cursor().execute("LOCK TABLE z_big IN ACCESS EXCLUSIVE MODE")
        with dump(database, tmp_path / "dump") as dumping:
            wait_until(
                lambda: (
                    scalar(
                        database,
                        "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid) "
                        "WHERE application_name = 'pg_dump' AND (NOT granted OR "
                        "relation = 'agtool.install_locks'::regclass)",
                    )
                    == 2
                ),
                "pg_dump has locked the lock's table and waits for the other",
            )
            done = agtool.run("migrate-once", "--", "echo", "worked", url=database.url)
            assert (done.exit_code, done.stdout) == (0, "worked\n")
            assert dumping.poll() is None
            connection.rollback()
            assert dumping.wait(30) == 0


@pytest.mark.parametrize(
    ("lock", "statement", "waits"),
    [
        ("advisory", "VACUUM", False),
        ("advisory", "VACUUM FULL", False),
        ("advisory", "ANALYZE", False),
        ("advisory", "REINDEX DATABASE", False),
        ("advisory", "REINDEX DATABASE CONCURRENTLY", False),
        ("table", "VACUUM", True),
        ("table", "ANALYZE", True),
        ("table", "VACUUM (SKIP_LOCKED)", False),
    ],
)
def test_vacuum_of_the_whole_database(
    lock: str, statement: str, waits: bool, agtool: Agtool, database: Database
) -> None:
    """In table mode it waits for its own agtool's lock: that is what --lock advisory is for."""
    if statement.startswith("REINDEX"):
        statement = f"{statement} {database.name}"
    # The owner's VACUUM takes the owner's tables, and the lock's are among them.
    vacuum = (
        "import sys, psycopg2\n"
        "connection = psycopg2.connect(sys.argv[1])\n"
        "connection.autocommit = True\n"
        "cursor = connection.cursor()\n"
        f"cursor.execute(\"SET lock_timeout = '{'2s' if waits else '30s'}'\")\n"
        "try:\n"
        f"    cursor.execute('{statement}')\n"
        "except psycopg2.errors.LockNotAvailable:\n"
        "    sys.exit(11)\n"
    )

    done = agtool.run(
        # With a key, agtool reads its table while it holds the lock.
        *("migrate-once", "--lock", lock, "--key", "1"),
        *("--", sys.executable, "-c", vacuum, database.url),
        url=database.url,
    )

    assert done.exit_code == (11 if waits else 0), done.stderr


# -- exclusion between different spellings ---------------------------------------------------


@pytest.mark.parametrize(
    ("options", "others"),
    [
        (["--lock", "table"], ["--lock", "advisory"]),
        (["--lock", "advisory"], ["--lock", "table"]),
        (["--lock", "advisory"], ["--lock", "advisory"]),
        (["--lock-table", "locks"], ["--lock-table", "PUBLIC.Locks"]),
        (["--lock-table", "agtool.install_locks"], ["--lock-table", '"agtool"."install_locks"']),
        (["--name", "one"], ["--name", "another"]),
    ],
    ids=" ".join,
)
def test_replicas_with_different_options_exclude_each_other(
    options: list[str], others: list[str], agtool: Agtool, database: Database, gate: Gate
) -> None:
    holder = agtool.start("migrate-once", *options, "--", *gate.command, url=database.url)
    gate.wait()
    waiter = agtool.start("migrate-once", *others, "--", "echo", "worked", url=database.url)
    waiter.wait_for("waiting for ")
    assert waiter.stdout == ""

    gate.open()

    assert holder.wait().exit_code == 0
    done = waiter.wait()
    assert (done.exit_code, done.stdout) == (0, "worked\n")


@pytest.mark.parametrize(
    ("option", "table"),
    [
        ("ops.locks", "ops.locks"),
        ("OPS.Locks", "ops.locks"),
        ("locks", "public.locks"),
        ('"Locks"', 'public."Locks"'),
        ('"My-App"."The Locks"', '"My-App"."The Locks"'),
        ('"select"', 'public."select"'),
    ],
)
def test_forms_of_a_lock_table(option: str, table: str, agtool: Agtool, database: Database) -> None:
    # A schema that is first in the search path must not get the table.
    database.server.execute(f"CREATE SCHEMA AUTHORIZATION {database.name}", database.name)

    done = agtool.run("migrate-once", "--lock-table", option, "--", "true", url=database.url)

    assert done.exit_code == 0, done.stderr
    runs = f'{table[:-1]}_runs"' if table.endswith('"') else f"{table}_runs"
    for name in (table, runs):
        assert scalar(database, f"SELECT to_regclass('{name}') IS NOT NULL") is True
    assert scalar(database, f"SELECT count(*) FROM {runs} WHERE state = 'done'") == 1
    tables = "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relowner = %r::regrole"
    assert scalar(database, tables % database.name) == 2
    status = agtool.run("migrate-once", "--lock-table", option, "--status", url=database.url)
    assert table.replace('"', "") in status.stdout


def test_a_holder_with_the_old_recipe_is_waited_for(
    agtool: Agtool, database: Database, tmp_path: Path
) -> None:
    """The recipe's own table, created and locked as it does, during a change from it to agtool."""
    worked = tmp_path / "worked"
    with closing(database.connect(autocommit=False)) as connection:
        cursor = connection.cursor()
        cursor.execute("CREATE TABLE install_locks ()")
        connection.commit()
        cursor.execute("LOCK TABLE public.install_locks IN ACCESS EXCLUSIVE MODE")
        waiter = agtool.start(
            *("migrate-once", "--lock", "table", "--lock-table", "public.install_locks"),
            *("--", "touch", worked),
            url=database.url,
        )
        waiter.wait_for("waiting for the lock (table public.install_locks)")
        assert not worked.exists()
        status = agtool.run(
            *("migrate-once", "--lock-table", "public.install_locks", "--status"),
            url=database.url,
        )
        connection.commit()

    assert waiter.wait().exit_code == 0
    assert worked.exists()
    assert "held, but its holder has not recorded a run; 1 waiting" in status.stdout


def test_the_old_recipe_waits_for_agtool(agtool: Agtool, database: Database, gate: Gate) -> None:
    holder = agtool.start(
        *("migrate-once", "--lock", "table", "--lock-table", "public.install_locks"),
        *("--", *gate.command),
        url=database.url,
    )
    gate.wait()
    with (
        closing(database.connect(autocommit=False)) as connection,
        pytest.raises(psycopg2.errors.LockNotAvailable),
    ):
        connection.cursor().execute(
            "LOCK TABLE public.install_locks IN ACCESS EXCLUSIVE MODE NOWAIT"
        )
    gate.open()
    assert holder.wait().exit_code == 0


# -- creating the tables ---------------------------------------------------------------------


def test_replicas_at_once_on_a_new_database(agtool: Agtool, database: Database) -> None:
    replicas = [
        agtool.start("migrate-once", "--", "echo", "worked", url=database.url) for _ in range(10)
    ]

    for replica in replicas:
        done = replica.wait()
        assert (done.exit_code, done.stdout) == (0, "worked\n"), done.stderr
        assert "error" not in done.stderr


def test_thirty_create_the_tables_in_the_same_moment(database: Database) -> None:
    """Ten rounds, each with a schema and tables that nobody has created yet."""
    failures: list[Exception] = []
    locks: list[PostgreSQLLock] = []
    rounds, replicas = 10, 30
    barrier = threading.Barrier(replicas, timeout=60)

    def replica() -> None:
        for number in range(rounds):
            table = TableName(f"new_{number}", "locks")
            backend = PostgreSQL(
                parse(database.url), table, lock="table", time_to_die=20.0, connect_timeout=60.0
            )
            barrier.wait()
            try:
                answer = backend.attempt(Attempt("default", None, "here", run_id="1"), look=False)
                while isinstance(answer, Busy):
                    time.sleep(0.05)
                    answer = backend.attempt(
                        Attempt("default", None, "here", run_id="1"), look=False
                    )
                assert isinstance(answer, PostgreSQLLock)
                locks.append(answer)
                answer.release()
            except (Exception, NotYet) as error:  # noqa: BLE001  # judged below
                failures.append(error)

    threads = [threading.Thread(target=replica) for _ in range(replicas)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert len(locks) == rounds * replicas
