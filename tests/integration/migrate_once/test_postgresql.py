"""What the lock in PostgreSQL knows of the command's sessions, and of who waits for its own."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from functools import partial
from typing import cast

import psycopg2
import pytest
from psycopg2.extensions import cursor as Cursor

from agtool.core.finding import Finding
from agtool.migrate_once.backend import AlreadyDone
from agtool.migrate_once.engines.postgresql.backend import PostgreSQL
from agtool.migrate_once.engines.postgresql.lock import PostgreSQLLock
from agtool.migrate_once.model import Attempt, End, new_run_id, time_to_die
from agtool.migrate_once.url import parse
from agtool.migrate_once.url.renewal import renewed
from tests.conftest import Database
from tests.e2e.conftest import wait_until

CLIENT = """
import sys, psycopg2
connection = psycopg2.connect(sys.argv[1])
connection.autocommit = True
connection.cursor().execute(sys.argv[2])
print("done", flush=True)
sys.stdin.read()
"""

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def client() -> Iterator[Start]:
    """Give a function that starts a process which executes a statement."""
    with ExitStack() as running:

        def start(url: str, statement: str) -> "subprocess.Popen[str]":
            process = subprocess.Popen(
                [sys.executable, "-c", CLIENT, url, statement],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            running.enter_context(process)
            running.callback(process.kill)
            return process

        yield start


def backend(url: str, lock: str = "table") -> PostgreSQL:
    return PostgreSQL(parse(url), None, lock=lock, time_to_die=time_to_die(0), connect_timeout=10.0)


def take(port: PostgreSQL) -> tuple[PostgreSQLLock, str]:
    """The lock, and the id of the run that has it."""
    attempt = Attempt("default", None, "here", new_run_id())
    lock = port.attempt(attempt, look=False)
    assert isinstance(lock, PostgreSQLLock)
    port.record_start(attempt, 11.0)
    return lock, attempt.run_id


def observe(lock: PostgreSQLLock, pid: int, what: str) -> list[Finding]:
    """What is seen, as soon as anything is."""
    found: list[Finding] = []

    def seen() -> bool:
        found.extend(lock.observe(pid))
        return bool(found)

    wait_until(seen, what)
    return found


def active(database: Database, text: str) -> int:
    with closing(database.server.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE %s "
            "AND pid <> pg_backend_pid()",
            [f"{text}%"],
        )
        return cast("int", (cursor.fetchone() or (0,))[0])


@pytest.mark.parametrize("lock", ["table", "advisory"])
def test_a_mark_is_not_taken_back(database: Database, lock: str) -> None:
    """As by an agtool to which the answer to its COMMIT was lost."""
    port = backend(database.url, lock)
    attempt = Attempt("default", "k1", "here", new_run_id())
    held = port.attempt(attempt, look=False)
    assert isinstance(held, PostgreSQLLock)
    port.record_start(attempt, 20)
    assert held.finish(End("done", 0, waited=0.0, ran=0.0)) is None
    port.record_lost(attempt.run_id, 1)
    again = Attempt("default", "k1", "here", new_run_id())
    assert isinstance(port.attempt(again, look=False), AlreadyDone)


def test_sessions_are_known_without_the_tables(database: Database, client: Start) -> None:
    """The command has dropped them, say; what the lock has seen it remembers."""
    with closing(database.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE there ()")  # in an empty database there would be none
        port = backend(database.url, "advisory")
        lock, run = take(port)
        cursor.execute("DROP SCHEMA agtool CASCADE")
    command = client(database.url, "SELECT pg_sleep(600)")
    wait_until(lambda: active(database, "SELECT pg_sleep(600)"), "the statement runs")
    assert lock.observe(command.pid) == []
    command.kill()
    command.wait()
    assert active(database, "SELECT pg_sleep(600)") == 1, "the server does not stop it by itself"
    assert len(lock.stop_statements([run])) == 1
    wait_until(lambda: lock.stop_statements([run]) == [], "it has ended")
    assert active(database, "SELECT pg_sleep(600)") == 0
    lock.check()
    lock.release()


def test_a_look_is_no_snapshot_in_the_locks_transaction(database: Database, client: Start) -> None:
    port = backend(database.url)
    lock, _ = take(port)
    with closing(database.connect()) as connection:
        connection.cursor().execute("CREATE TABLE big (n int)")
    command = client(database.url, "SELECT 1")
    assert command.stdout
    assert command.stdout.readline() == "done\n"
    lock.observe(command.pid)
    lock.check(command.pid)
    # Waits for every transaction that has a snapshot.
    with closing(database.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = '20s'")
        cursor.execute("CREATE INDEX CONCURRENTLY ON big (n)")
    lock.release()


def test_only_what_changes_costs_a_connection(database: Database, client: Start) -> None:
    port = backend(database.url)
    lock, _ = take(port)
    command = client(database.url, "SELECT 1")
    assert command.stdout
    assert command.stdout.readline() == "done\n"
    lock.observe(command.pid)
    database.server.execute(f"ALTER ROLE {database.name} NOLOGIN")
    lock.observe(command.pid)  # would raise, if it connected
    lock.release()


@pytest.mark.parametrize(
    ("statement", "shown"),
    [
        (
            "LOCK TABLE agtool.install_locks; ALTER ROLE x PASSWORD 'it''s s3cret'",
            "LOCK TABLE agtool.install_locks; ALTER ROLE x PASSWORD '***'",
        ),
        ("DROP SCHEMA agtool CASCADE", "DROP SCHEMA agtool CASCADE"),
        ("VACUUM FULL agtool.install_locks", "VACUUM FULL agtool.install_locks"),
        ("REASSIGN OWNED BY {0} TO {0}_2", "REASSIGN OWNED BY {0} TO {0}_2"),
        ("DROP OWNED BY {0}", "DROP OWNED BY {0}"),
    ],
)
def test_who_waits_for_the_lock_is_told_once(
    statement: str, shown: str, database: Database, client: Start
) -> None:
    server, name = database.server, database.name
    server.execute(f"CREATE ROLE {name}_2")
    server.execute(f"GRANT {name}_2 TO {name}")
    try:
        lock, _ = take(backend(database.url))
        command = client(database.url, statement.format(name))
        (finding,) = observe(lock, command.pid, "who waits is seen")
        assert finding.code == "blocked"
        assert finding.message.endswith(f" waits for agtool's own session: {shown.format(name)}")
        assert "--lock table" in finding.hint
        for _ in range(3):
            assert lock.observe(command.pid) == []
        command.kill()
        # Before the lock is free, for it would go on.
        server.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = "
            + finding.message.split()[1]
        )
        wait_until(lambda: not active(database, statement.format(name)), "it has ended")
        lock.release()
    finally:
        server.execute(f"DROP ROLE {name}_2")


@pytest.mark.parametrize(
    ("statement", "shown", "from_file"),
    [
        ("CREATE DATABASE {0}_2 TEMPLATE {0}", True, False),
        ("ALTER DATABASE {0} RENAME TO {0}_2", True, False),
        ("/* by a tool */ DROP DATABASE IF EXISTS {0}", True, False),
        ("DROP DATABASE {0}", True, True),
        ("DROP DATABASE {0}", False, False),
        ("DROP DATABASE {0}", False, True),
    ],
)
def test_who_waits_for_the_database_to_be_empty_is_told(
    statement: str, shown: bool, from_file: bool, database: Database, client: Start
) -> None:
    server, name = database.server, database.name
    server.execute(f"ALTER ROLE {name} CREATEDB")
    if not shown:
        server.execute("REVOKE CONNECT ON DATABASE postgres FROM PUBLIC")
    try:
        port = backend(database.url, "advisory")
        if from_file:
            port.database = renewed(port.database, partial(parse, database.url))
        lock, _ = take(port)
        # From a database to which it may connect.
        url = server.url("postgres" if shown else "template1", user=name)
        commands = [client(url, statement.format(name))]
        found: list[Finding] = []

        def seen() -> bool:
            # PostgreSQL waits for 5 s and then refuses it, which a busy machine may sleep through.
            if commands[-1].poll() is not None:
                commands.append(client(url, statement.format(name)))
            found.extend(lock.observe(commands[-1].pid))
            return bool(found)

        wait_until(seen, "who waits is seen")
        (finding,) = found
        assert finding.code == "blocked"
        assert (statement.format(name) in finding.message) == shown
        assert f"database {name} takes no new session" in finding.message or shown
        assert "Give agtool the URL of another database" in finding.hint
        commands[-1].wait()
        lock.check()
        lock.release()
    finally:
        server.execute("GRANT CONNECT ON DATABASE postgres TO PUBLIC")


def test_who_waits_for_the_database_as_another_role_is_told(
    database: Database, client: Start
) -> None:
    """Whose statements the server does not show to agtool's role."""
    lock, _ = take(backend(database.url))
    administrator = database.server.url("postgres", user="postgres")
    command = client(administrator, f"DROP DATABASE {database.name}")
    (finding,) = observe(lock, command.pid, "who waits is seen")
    assert finding.code == "blocked"
    assert finding.message.endswith("its statement is not shown to agtool's role")
    assert "Give agtool the URL of another database" in finding.hint
    command.wait()
    lock.release()


def test_a_role_whose_current_role_is_another_may_end_its_own(
    database: Database, client: Start
) -> None:
    """ALTER ROLE ... SET role: what decides is who has logged in."""
    server, name = database.server, database.name
    server.create_role(f"{name}_login", "secret", f"IN ROLE {name}")
    server.execute(f"ALTER ROLE {name}_login SET role = {name}")
    try:
        url = server.url(name, user=f"{name}_login")
        port = backend(url)
        lock, run = take(port)
        command = client(url, "SELECT pg_sleep(600)")
        wait_until(lambda: active(database, "SELECT pg_sleep(600)"), "the statement runs")
        lock.observe(command.pid)
        command.kill()
        for stop in (lock.stop_statements, port.stop_statements):
            assert not any(session.refused for session in stop([run]))
        wait_until(lambda: lock.stop_statements([run]) == [], "it has ended")
        # The lock's transaction still acts as the other, to whom the table belongs.
        assert lock.finish(End("failed", 137, 0.0, 0.0)) is None
    finally:
        wait_until(lambda: not active(database, "SELECT pg_sleep(600)"), "it has ended")
        server.execute(f"DROP OWNED BY {name}_login", name)
        server.execute(f"DROP ROLE {name}_login")


def test_a_session_that_is_not_seen_is_told(database: Database, client: Start) -> None:
    """Of another role the server hides the port."""
    lock, _ = take(backend(database.url))
    command = client(database.server.url(database.name, user="postgres"), "SELECT 1")
    (finding,) = observe(lock, command.pid, "it is told")
    assert finding.code == "unseen-session"
    assert "pg_read_all_stats" in finding.hint
    for _ in range(3):
        assert lock.observe(command.pid) == []
    lock.release()


def test_strangers_are_those_of_the_runs_time(database: Database) -> None:
    port = backend(database.url)
    with closing(database.connect()) as early, early.cursor() as before:
        threads = [threading.Thread(target=_sleep, args=[before])]
        threads[0].start()
        wait_until(lambda: active(database, "SELECT pg_sleep(600)"), "the statement runs")
        lock, run = take(port)
        assert lock.strangers([run], 0.0) == []
        with closing(database.connect()) as late, late.cursor() as after:
            threads.append(threading.Thread(target=_sleep, args=[after]))
            threads[1].start()
            wait_until(lambda: active(database, "SELECT pg_sleep(600)") == 2, "the second runs")
            (stranger,) = lock.strangers([run], 0.0)
            assert stranger.place == str(late.get_backend_pid())
            assert port.strangers([run], 0.0) == [stranger]
            # Not one that has begun since we wait.
            assert lock.strangers([run], 3600.0) == []
            database.server.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE query = 'SELECT pg_sleep(600)'"
            )
            for thread in threads:
                thread.join()
    lock.release()


def _sleep(cursor: Cursor) -> None:
    with suppress(psycopg2.Error):  # it is ended
        cursor.execute("SELECT pg_sleep(600)")
