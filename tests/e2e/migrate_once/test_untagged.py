"""Sessions of a connector that ignores PGAPPNAME, as JDBC, asyncpg and pg8000 do.

psql stands for them, without the variable: for the server there is no difference.
"""

import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import psycopg2
import pytest

from tests.conftest import Database
from tests.e2e.conftest import Agtool, wait_until
from tests.servers.pgbouncer import PgBouncer

# Works for as long as the test holds the advisory lock 7.
INSERT = "INSERT INTO work SELECT pg_advisory_lock_shared(7)"

# Java's sockets are those of IPv6, also for an address of IPv4.
MAPPED = "::ffff:127.0.0.1"

CLIENT = """
import sys, psycopg2
connection = psycopg2.connect(sys.argv[1], host=sys.argv[2], application_name="JDBC Driver")
connection.autocommit = True
connection.cursor().execute(sys.argv[3])
"""


def untagged(url: str, host: str = "127.0.0.1") -> list[str]:
    """A command that executes INSERT in a session without agtool's tag."""
    return [sys.executable, "-c", CLIENT, url, host, INSERT]


@pytest.fixture
def work(agtool: Agtool, database: Database) -> Iterator[Database]:
    """A database with a table for results, in which agtool has run before; and lock 7, held."""
    assert agtool.run("migrate-once", "--", "true", url=database.url).exit_code == 0
    with closing(database.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE work (nothing text)")
        cursor.execute("SELECT pg_advisory_lock(7)")
        yield database


def ask(database: Database, query: str) -> object:
    with closing(database.server.connect(database.name)) as connection:
        cursor = connection.cursor()
        cursor.execute(query)
        (answer,) = cursor.fetchone() or (None,)
    return answer


def at_work(database: Database) -> int:
    """How many sessions execute INSERT."""
    count = ask(
        database,
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
        f"AND state = 'active' AND query = $${INSERT}$$",
    )
    assert isinstance(count, int)
    return count


def wait_for_work(database: Database, *, recorded: bool = True) -> None:
    wait_until(lambda: at_work(database) == 1, "the statement runs")
    noted = "SELECT count(*) FROM agtool.install_locks_runs WHERE sessions <> ''"
    wait_until(lambda: ask(database, noted) or not recorded, "its session is recorded")


def show_work(database: Database) -> list[str]:
    """A command that prints how many sessions are at work beside it."""
    query = f"SELECT count(*) FROM pg_stat_activity WHERE query = $${INSERT}$$ AND state = 'active'"
    return ["psql", database.url, "-Atc", query]


@pytest.mark.parametrize("host", ["127.0.0.1", MAPPED])
def test_a_successor_ends_what_a_killed_command_left(
    host: str, agtool: Agtool, work: Database
) -> None:
    running = agtool.start(
        "migrate-once", "--kill-grace", "0s", "--", *untagged(work.url, host), url=work.url
    )
    wait_for_work(work)
    running.kill()  # agtool, its keeper and the command: nobody can say a last word
    assert at_work(work) == 1
    done = agtool.run("migrate-once", "--kill-grace", "0s", "--", *show_work(work), url=work.url)
    assert (done.exit_code, done.stdout) == (0, "0\n")
    assert "stopping 1 statement of the previous run" in done.stderr
    assert ask(work, "SELECT count(*) FROM work") == 0


def test_in_an_empty_database_too(agtool: Agtool, database: Database) -> None:
    """There is no table then in which a session could be recorded."""
    late = "CREATE TABLE late AS SELECT pg_sleep(600)::text AS nothing"
    command = [*untagged(database.url)[:-1], late]
    at_work_there = f"SELECT count(*) FROM pg_stat_activity WHERE query = $${late}$$"
    running = agtool.start("migrate-once", "--kill-grace", "0s", "--", *command, url=database.url)
    wait_until(lambda: ask(database, at_work_there), "the statement runs")
    noted = (
        "SELECT count(*) FROM pg_largeobject "
        """WHERE encode(data, 'escape') LIKE '%"sessions": "%@%'"""
    )
    wait_until(lambda: ask(database, noted), "its session is noted")
    assert ask(database, "SELECT count(*) FROM pg_class WHERE relname LIKE '%_runs'") == 0
    running.kill()
    assert ask(database, at_work_there) == 1
    query = f"SELECT count(*) FROM pg_stat_activity WHERE query = $${late}$$"
    done = agtool.run(
        "migrate-once", "--kill-grace", "0s", "--", "psql", database.url, "-Atc", query,
        url=database.url,
    )  # fmt: skip
    assert (done.exit_code, done.stdout) == (0, "0\n"), done.stderr
    assert ask(database, "SELECT to_regclass('late')") is None


@pytest.mark.parametrize("killed", ["agtool", "lock"])
def test_it_is_ended_before_the_lock_is_anybody_elses(
    killed: str, agtool: Agtool, work: Database
) -> None:
    running = agtool.start(
        "migrate-once", "--kill-grace", "0s", "--", *untagged(work.url), url=work.url
    )
    wait_for_work(work)
    if killed == "agtool":
        running.process.kill()
    else:
        work.server.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = "
            f"'{work.name}' AND application_name LIKE 'agtool migrate-once%'"
        )
    running.wait()
    done = agtool.run("migrate-once", "--kill-grace", "0s", "--", *show_work(work), url=work.url)
    assert (done.exit_code, done.stdout) == (0, "0\n")
    assert ask(work, "SELECT count(*) FROM work") == 0


def test_a_command_that_fails_leaves_nothing(
    agtool: Agtool, work: Database, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    script = '"$@" & until [ -e "$GO" ]; do sleep 0.05; done; kill -9 $!; exit 3'
    running = agtool.start(
        "migrate-once", "--", "sh", "-c", script, "sh", *untagged(work.url),
        url=work.url, env={"GO": str(go)},
    )  # fmt: skip
    wait_for_work(work)
    go.touch()
    assert running.wait().exit_code == 3
    assert at_work(work) == 0
    assert ask(work, "SELECT count(*) FROM work") == 0


StartPgBouncer = Callable[..., PgBouncer]


@pytest.mark.parametrize("ends", [True, False])
def test_behind_a_pooler_it_is_waited_for_and_told(
    ends: bool, agtool: Agtool, work: Database, pgbouncer: StartPgBouncer, tmp_path: Path
) -> None:
    """Ports say nothing there, and a session that looks like the command's may be others'."""
    pooler = pgbouncer(default_pool_size=5)
    url = pooler.url(work.name, user=work.name)
    result = tmp_path / "result.json"
    running = agtool.start(
        "migrate-once", "--kill-grace", "0s", "--", *untagged(url, pooler.host), url=url
    )
    wait_for_work(work, recorded=False)
    running.kill()
    successor = agtool.start(
        "migrate-once", "--kill-grace", "0s", "--result-file", result, "--", "echo", "ran", url=url
    )
    successor.wait_for("nothing tells whether session ")
    assert successor.stdout == ""
    if ends:
        work.server.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            f"WHERE query = $${INSERT}$$ AND pid <> pg_backend_pid()"
        )
    done = successor.wait()
    assert (done.exit_code, done.stdout) == (0, "ran\n")
    warnings = json.loads(result.read_text())["data"]["warnings"]
    assert [warning["code"] for warning in warnings] == ([] if ends else ["unknown-session"])
    for warning in warnings:
        assert f"of {work.name} (JDBC Driver), at work since " in warning["message"]
        assert done.stderr.count(warning["message"]) == 1


def test_others_with_the_same_account_are_no_matter(agtool: Agtool, work: Database) -> None:
    """With ports to go by, agtool knows what is the command's, and ends and awaits no other."""
    with closing(work.connect()) as application, application.cursor() as cursor:
        cursor.execute("SET application_name = 'shop'")

        def work_too() -> None:
            with suppress(psycopg2.Error):  # it is cancelled at the end
                cursor.execute("SELECT pg_advisory_lock_shared(7)")

        statement = threading.Thread(target=work_too)
        statement.start()
        done = agtool.run("migrate-once", "--", "sh", "-c", "sleep 2; exit 3", url=work.url)
        assert done.exit_code == 3
        assert "nothing tells" not in done.stderr
        work.server.execute("SELECT pg_cancel_backend(pid) FROM pg_stat_activity "
                            "WHERE application_name = 'shop'")  # fmt: skip
        statement.join()
