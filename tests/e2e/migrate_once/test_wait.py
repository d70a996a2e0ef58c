"""`--wait`: the pods that must not migrate wait for the one that does, and only read."""

import json
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from tests.conftest import Database, MariaDBDatabase
from tests.e2e.conftest import Agtool, Gate, wait_until
from tests.e2e.terminal import Terminal
from tests.servers.pgbouncer import PgBouncer
from tests.servers.postgresql import PostgreSQL
from tests.servers.process import server_folder

WAIT = ("migrate-once", "--wait", "--key", "k")
RUN = ("migrate-once", "--key", "k", "--")


@pytest.fixture
def reader(database: Database) -> Iterator[str]:
    """Give the URL of a role that may connect, and nothing else."""
    name = f"{database.name}_reader"
    database.server.create_role(name, "read @ only")
    yield database.server.url(database.name, user=name)
    database.server.execute(f"DROP OWNED BY {name}", database.name)
    database.server.execute(f"DROP ROLE {name}")


def allow(database: Database, reader: str) -> None:
    """Let the role read the runs, and nothing else."""
    del reader
    for right in ("USAGE ON SCHEMA agtool", "SELECT ON agtool.install_locks_runs"):
        database.server.execute(f"GRANT {right} TO {database.name}_reader", database.name)


def everything(database: Database) -> list[tuple[object, ...]]:
    """All schemas, tables and runs."""
    with closing(database.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT nspname, relname FROM pg_namespace AS n LEFT JOIN pg_class ON relnamespace = "
            "n.oid WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' ORDER BY 1, 2"
        )
        found = list(cursor.fetchall())
        if ("agtool", "install_locks_runs") in found:
            cursor.execute(
                "SELECT run_id, state, seen_at FROM agtool.install_locks_runs ORDER BY 1"
            )
            found += cursor.fetchall()
        return found


def test_a_key_that_is_done(agtool: Agtool, database: Database, reader: str) -> None:
    agtool.run(*RUN, "true", url=database.url)
    allow(database, reader)
    before = everything(database)
    done = agtool.run(*WAIT, url=reader)
    assert (done.exit_code, done.stdout) == (0, "")
    assert "key k is done" in done.stderr
    assert everything(database) == before


def test_before_there_is_a_table_nothing_is_needed_and_nothing_is_made(
    agtool: Agtool, database: Database, reader: str
) -> None:
    before = everything(database)
    done = agtool.run(*WAIT, "--wait-timeout", "2s", url=reader)
    assert done.exit_code == 124
    assert "waiting until key k is done; nobody works on it now" in done.stderr
    assert "key k is not done" in done.stderr
    assert everything(database) == before


def test_without_the_right_it_is_told_what_gives_it(
    agtool: Agtool, database: Database, reader: str
) -> None:
    agtool.run(*RUN, "true", url=database.url)
    done = agtool.run(*WAIT, url=reader)
    assert done.exit_code == 125
    told = done.stderr.splitlines()
    grants = [line.removeprefix("agtool:").strip() for line in told if "GRANT" in line]
    for grant in grants:
        database.server.execute(grant, database.name)
    assert agtool.run(*WAIT, url=reader).exit_code == 0


def test_it_tells_who_works_and_ends_with_that(
    agtool: Agtool, database: Database, gate: Gate
) -> None:
    holder = agtool.start(*RUN, *gate.command, url=database.url, env={"POD_NAME": "shop-1"})
    gate.wait()
    waiter = agtool.start(*WAIT, url=database.url)
    # While the first install goes on there is no table.
    waiter.wait_for("waiting until key k is done; shop-1")
    status = agtool.run("migrate-once", "--status", "--output", "json", url=database.url)
    assert not json.loads(status.stdout)["data"]["waiting"]
    gate.open()
    assert holder.wait().exit_code == 0
    assert waiter.wait().exit_code == 0


def test_the_holder_of_an_upgrade_is_named(agtool: Agtool, database: Database, gate: Gate) -> None:
    agtool.run("migrate-once", "--key", "old", "--", "true", url=database.url)
    agtool.start(*RUN, *gate.command, url=database.url, env={"POD_NAME": "shop-1"})
    gate.wait()
    waiter = agtool.start(*WAIT, url=database.url)
    waiter.wait_for("works on it since")
    assert "shop-1" in waiter.stderr
    other = agtool.start("migrate-once", "--wait", "--key", "other", url=database.url)
    other.wait_for("runs another command since")
    gate.open()
    assert waiter.wait().exit_code == 0


def test_a_mark_of_a_database_that_was_emptied_does_not_count(
    agtool: Agtool, database: Database
) -> None:
    with closing(database.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE app (a int)")
        agtool.run(*RUN, "true", url=database.url)
        assert agtool.run(*WAIT, url=database.url).exit_code == 0
        cursor.execute("DROP TABLE app")
    assert agtool.run(*WAIT, "--wait-timeout", "0", url=database.url).exit_code == 124
    status = agtool.run("migrate-once", "--status", "--key", "k", url=database.url)
    assert (status.exit_code, "key k: not done" in status.stdout) == (1, True)


def test_a_failure_is_no_end(agtool: Agtool, database: Database) -> None:
    agtool.run(*RUN, "false", url=database.url)
    waiter = agtool.start(*WAIT, url=database.url)
    waiter.wait_for("nobody works on it now")
    agtool.run("migrate-once", "--name", "other", "--key", "k", "--", "true", url=database.url)
    assert waiter.running()
    agtool.run(*RUN, "true", url=database.url)
    assert waiter.wait().exit_code == 0


def test_it_waits_through_a_database_that_is_not_there(agtool: Agtool) -> None:
    with server_folder() as folder, PostgreSQL(folder) as server:
        url = server.url("app")
        agtool.run(*RUN, "true", url=url)
        server.stop()
        waiter = agtool.start(*WAIT, url=url)
        waiter.wait_for("cannot connect")
        server.start()
        assert waiter.wait().exit_code == 0
        server.stop()
        done = agtool.run(*WAIT, "--connect-timeout", "1s", url=url)
        assert done.exit_code == 125
        assert "cannot connect" in done.stderr


def test_a_standby_is_good_enough(agtool: Agtool) -> None:
    """Its server replays in order: where the mark is, there is what was migrated."""
    with server_folder() as folder, PostgreSQL(folder) as server:
        waiter = agtool.start(*WAIT, url=server.standby().url("app"))
        waiter.wait_for("waiting until")
        agtool.run(*RUN, "true", url=server.url("app"))
        assert waiter.wait().exit_code == 0


def test_the_keyboard_and_signals(agtool: Agtool, database: Database) -> None:
    terminal = Terminal(
        [sys.executable, "-m", "agtool", *WAIT],
        {"AGTOOL_DATABASE_URL": database.url, "COLUMNS": "200"},
    )
    try:
        terminal.expect("waiting until key k is done")
        terminal.type("\x03")
        assert terminal.wait() == -signal.SIGINT
    finally:
        terminal.kill()
    waiter = agtool.start(*WAIT, url=database.url)
    waiter.wait_for("waiting until")
    waiter.send(signal.SIGTERM)
    done = waiter.wait()
    assert done.exit_code == 143
    assert "got SIGTERM" in done.stderr


def test_the_result_file(agtool: Agtool, database: Database, tmp_path: Path) -> None:
    file = tmp_path / "result"
    agtool.run(*WAIT, "--wait-timeout", "1s", "--result-file", file, url=database.url)
    written = json.loads(file.read_text())
    assert (written["exit_code"], written["data"]["outcome"]) == (124, "waited-too-long")
    assert "key k is not done" in written["data"]["reason"]
    agtool.run(*RUN, "true", url=database.url)
    agtool.run(*WAIT, "--result-file", file, url=database.url)
    written = json.loads(file.read_text())
    assert (written["exit_code"], written["data"]["outcome"]) == (0, "already-done")
    assert written["data"]["marked_done"] is False


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--wait"], "--wait needs --key"),
        (["--wait", "--key", "k", "--", "true"], "--wait runs no command"),
        (["--wait", "--key", "k", "--status"], "--status has no effect with --wait"),
        (["--wait", "--key", "k", "--check"], "--check has no effect with --wait"),
        (["--wait", "--key", "k", "--kill-grace", "1s"], "--kill-grace has no effect with --wait"),
        (["--wait", "--key", "k", "--lock", "advisory"], "--lock has no effect with --wait"),
        (["--wait", "--key", "k", "--limit", "3"], "--limit has no effect with --wait"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_makes_no_sense(
    arguments: list[str], says: str, agtool: Agtool, database: Database
) -> None:
    done = agtool.run("migrate-once", *arguments, url=database.url)
    assert done.exit_code == 125
    assert says in done.stderr


def test_settings_from_the_environment(agtool: Agtool, database: Database) -> None:
    agtool.run("migrate-once", "--name", "shop", "--key", "k", "--", "true", url=database.url)
    env = {
        "AGTOOL_KEY": "k",
        "AGTOOL_NAME": "shop",
        "AGTOOL_KILL_GRACE": "1s",
        "AGTOOL_LOCK": "table",
    }
    assert agtool.run("migrate-once", "--wait", url=database.url, env=env).exit_code == 0
    env["AGTOOL_KEY"] = ""
    assert agtool.run("migrate-once", "--wait", url=database.url, env=env).exit_code == 125


def test_a_sleeping_waiter_holds_no_connection(
    agtool: Agtool, database: Database, pgbouncer: Callable[..., PgBouncer]
) -> None:
    """Neither of a pooler nor of the server, and through a pooler it works all the same."""
    pooler = pgbouncer(default_pool_size=2)
    url = pooler.url(database.name, user=database.name)
    waiters = [agtool.start(*WAIT, url=url) for _ in range(10)]
    for waiter in waiters:
        waiter.wait_for("waiting until")
    with closing(psycopg2.connect(pooler.url("pgbouncer", user="postgres"))) as console:
        console.autocommit = True

        def connected() -> int:
            with console.cursor() as cursor:
                cursor.execute("SHOW CLIENTS")
                return sum(row[2] == database.name for row in cursor.fetchall())

        wait_until(lambda: connected() == 0, "all of them sleep")
    agtool.run(*RUN, "true", url=url)
    assert {waiter.wait().exit_code for waiter in waiters} == {0}


# -- status of a key ---------------------------------------------------------------------------


def test_each_engine(agtool: Agtool, url: str, gate: Gate) -> None:
    holder = agtool.start(*RUN, *gate.command, url=url)
    gate.wait()
    waiter = agtool.start(*WAIT, url=url)
    waiter.wait_for("waiting until key k is done")
    assert agtool.run(*WAIT, "--wait-timeout", "0", url=url).exit_code == 124
    gate.open()
    assert holder.wait().exit_code == waiter.wait().exit_code == 0
    assert agtool.run(*WAIT, "--wait-timeout", "0", url=url).exit_code == 0
    other = ("migrate-once", "--wait", "--name", "x", "--key", "k", "--wait-timeout", "0")
    assert agtool.run(*other, url=url).exit_code == 124


def test_the_status_of_a_key(agtool: Agtool, url: str) -> None:
    status = ("migrate-once", "--status", "--key", "k")
    done = agtool.run(*status, url=url)
    assert (done.exit_code, "key k: not done" in done.stdout) == (1, True)
    agtool.run(*RUN, "false", url=url)
    done = agtool.run(*status, "--output", "json", url=url)
    document = json.loads(done.stdout)
    assert (done.exit_code, document["exit_code"], document["status"]) == (1, 1, "failed")
    key = document["data"]["key"]
    assert (key["name"], key["key"], key["done"]) == ("default", "k", False)
    agtool.run(*RUN, "true", url=url)
    done = agtool.run(*status, url=url)
    assert (done.exit_code, "key k: done" in done.stdout) == (0, True)
    assert agtool.run(*status, "--name", "other", url=url).exit_code == 1
    plain = agtool.run("migrate-once", "--status", "--output", "json", url=url)
    assert (plain.exit_code, json.loads(plain.stdout)["data"]["key"]) == (0, None)


def test_the_name_alone_has_no_effect(agtool: Agtool, url: str) -> None:
    done = agtool.run("migrate-once", "--status", "--name", "x", url=url)
    assert done.exit_code == 125
    assert "--name has no effect without --key" in done.stderr


# -- MariaDB and SQLite: rights ------------------------------------------------------------------


def test_mariadb_with_the_right_to_read(agtool: Agtool, mariadb_database: MariaDBDatabase) -> None:
    server, name = mariadb_database.server, mariadb_database.name
    agtool.run(*RUN, "true", url=mariadb_database.url)
    server.create_role(f"{name}_r", "read @ only")
    try:
        url = server.url(name, user=f"{name}_r")
        # A right on a table is a right to connect.
        server.execute(f"CREATE TABLE {name}.app (a int)")
        server.execute(f"GRANT SELECT ON {name}.app TO '{name}_r'@'%%'")
        done = agtool.run(*WAIT, url=url)
        assert done.exit_code == 125
        (grant,) = [line for line in done.stderr.splitlines() if "GRANT" in line]
        assert "INSERT" not in grant
        server.execute(grant.removeprefix("agtool:").strip().rstrip(";").replace("%", "%%"))
        assert agtool.run(*WAIT, url=url).exit_code == 0
    finally:
        server.execute(f"DROP USER '{name}_r'@'%%'")


def test_mariadb_with_a_right_on_the_runs_alone(
    agtool: Agtool, mariadb_database: MariaDBDatabase
) -> None:
    """Who sees no table of the application does not take the database for an empty one."""
    server, name = mariadb_database.server, mariadb_database.name
    mariadb_database.rows("CREATE TABLE app (a int)")
    agtool.run(*RUN, "true", url=mariadb_database.url)
    server.create_role(f"{name}_r", "read @ only")
    try:
        server.execute(f"GRANT SELECT ON {name}.agtool_install_locks_runs TO '{name}_r'@'%%'")
        assert agtool.run(*WAIT, url=server.url(name, user=f"{name}_r")).exit_code == 0
        # Who sees them all does: the mark is another database's, which had tables.
        mariadb_database.rows("DROP TABLE app")
        done = agtool.run(*WAIT, "--wait-timeout", "0", url=mariadb_database.url)
        assert done.exit_code == 124
    finally:
        server.execute(f"DROP USER '{name}_r'@'%%'")


def test_sqlite_in_a_folder_that_may_be_read_only(agtool: Agtool, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    url = f"sqlite:///{folder}/app.db"
    done = agtool.run(*WAIT, "--wait-timeout", "0", url=url)
    assert (done.exit_code, list(folder.iterdir())) == (124, [])
    agtool.run(*RUN, "true", url=url)
    before = sorted((path, path.stat().st_mtime_ns) for path in folder.iterdir())
    assert agtool.run(*WAIT, url=url).exit_code == 0
    assert sorted((path, path.stat().st_mtime_ns) for path in folder.iterdir()) == before
    missing = agtool.run(*WAIT, url=f"sqlite:///{tmp_path}/nowhere/app.db")
    assert missing.exit_code == 125
    assert "does not exist" in missing.stderr
