"""The end of a run: what has succeeded is marked, and what is not marked is said to be so."""

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Database, MariaDBDatabase
from tests.e2e.conftest import Agtool, Gate, wait_until
from tests.e2e.migrate_once.shop import Shop, once, ran, result
from tests.servers import versions
from tests.servers.postgresql import find_postgresql
from tests.servers.process import find_program
from tests.servers.proxy import TcpProxy

# -- no new connection can be made ------------------------------------------------------------


def change_password(shop: Shop) -> None:
    """The password that agtool knows is not the right one any more."""
    if shop.on_postgresql:
        shop.rows(f"ALTER ROLE {shop.name} PASSWORD 'another'")
    else:
        shop.rows(f"ALTER USER {shop.name}@'%' IDENTIFIED BY 'another'")


def limit_connections(shop: Shop) -> None:
    """No connection is left for agtool's user."""
    if shop.on_postgresql:
        shop.rows(f"ALTER ROLE {shop.name} CONNECTION LIMIT 0")
    else:
        shop.rows(f"ALTER USER {shop.name}@'%' WITH MAX_USER_CONNECTIONS 1")


@pytest.mark.parametrize("deny", [change_password, limit_connections])
@pytest.mark.parametrize("inhabited", [True, False])
def test_a_success_is_marked_when_no_new_connection_can_be_made(
    agtool: Agtool,
    shop: Shop,
    gate: Gate,
    tmp_path: Path,
    deny: Callable[[Shop], None],
    *,
    inhabited: bool,
) -> None:
    if inhabited:
        shop.inhabit()
    path = tmp_path / "result"
    running = agtool.start(*once(*gate.command, options=["--result-file", path]), url=shop.url)
    gate.wait()
    deny(shop)
    gate.open()
    done = running.wait()
    assert done.exit_code == 0
    assert "not marked" not in done.stderr
    assert (result(path)["marked_done"], result(path)["reason"]) == (True, None)
    assert shop.rows(f"SELECT done_key, state FROM {shop.runs}") == [("k", "done")]


def test_a_name_that_is_reached_no_more_costs_no_mark(
    agtool: Agtool, shop: Shop, gate: Gate
) -> None:
    """As after a change of the DNS, or when an address is taken away: who is there, stays."""
    with TcpProxy("127.0.0.1", shop.port) as proxy:
        url = shop.url.replace(f":{shop.port}/", f":{proxy.port}/")
        running = agtool.start(*once(*gate.command), url=url)
        gate.wait()
        proxy.refuse()
        gate.open()
        done = running.wait()
    assert done.exit_code == 0
    assert shop.rows(f"SELECT done_key, state FROM {shop.runs}") == [("k", "done")]


@pytest.mark.parametrize("inhabited", [True, False])
def test_a_failure_is_recorded_when_no_new_connection_can_be_made(
    agtool: Agtool, shop: Shop, gate: Gate, *, inhabited: bool
) -> None:
    if inhabited:
        shop.inhabit()
    begin, begun, go = gate.command[3:]
    script = 'touch "$1"; until [ -e "$2" ]; do sleep 0.05; done; exit 3'
    running = agtool.start(*once("sh", "-c", script, begin, begun, go), url=shop.url)
    gate.wait()
    change_password(shop)
    gate.open()
    assert running.wait().exit_code == 3
    assert shop.rows(f"SELECT state, exit_code FROM {shop.runs}") == [("failed", 3)]


def test_the_statement_of_a_dead_client_is_stopped_when_no_new_connection_can_be_made(
    agtool: Agtool, shop: Shop, tmp_path: Path
) -> None:
    shop.inhabit()
    # Many rows, since MySQL lets a single sleep() that is killed commit.
    sleep = "pg_sleep(600)::text" if shop.on_postgresql else "sleep(20)"
    many = "(SELECT 1)" if shop.on_postgresql else "information_schema.collations"
    slow = f"INSERT INTO inhabited SELECT length({sleep}) FROM {many} AS many"
    go = tmp_path / "go"
    script = '"$@" & until [ -e "$GO" ]; do sleep 0.05; done; kill -9 $!'
    running = agtool.start(
        *once("sh", "-c", script, "sh", *shop.command(slow)), url=shop.url, env={"GO": str(go)}
    )
    running.wait_for("running sh")
    known = (
        "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'INSERT INTO inhabited%' "
        "AND state = 'active' AND datname = current_database()"
        if shop.on_postgresql
        else f"SELECT 1 FROM {shop.runs} WHERE sessions <> ''"
    )
    wait_until(lambda: shop.rows(known), "the statement runs, and agtool knows it")
    change_password(shop)
    go.touch()
    assert running.wait().exit_code == 0
    assert shop.rows("SELECT n FROM inhabited") == []
    assert shop.rows(f"SELECT state FROM {shop.runs}") == [("done",)]


def test_a_lost_lock_is_not_mourned_for_long(
    agtool: Agtool, shop: Shop, gate: Gate, tmp_path: Path
) -> None:
    """Neither the lock nor a new connection is left: it ends, and says what it cannot do."""
    shop.inhabit()
    path = tmp_path / "result"
    with TcpProxy("127.0.0.1", shop.port) as proxy:
        url = shop.url.replace(f":{shop.port}/", f":{proxy.port}/")
        options = ["--kill-grace", "0s", "--result-file", str(path)]
        running = agtool.start(*once(*gate.command, options=options), url=url)
        gate.wait()
        proxy.refuse()
        proxy.cut()
        done = running.wait()
    assert done.exit_code == 125
    assert result(path)["outcome"] == "lock-lost"
    assert result(path)["reason"]
    assert "cannot look for the command's statements on the server: " in done.stderr
    assert shop.rows(f"SELECT state FROM {shop.runs}") == [("running",)], "the next one waits"


# -- the command changes the table ------------------------------------------------------------

OLDER = (
    "CREATE TABLE {t} (run_id varchar(32) PRIMARY KEY, name varchar(200) NOT NULL, "
    "done_key varchar(500), place varchar(300) NOT NULL, state varchar(12) NOT NULL, "
    "patience double precision, waiting_since {time}, seen_at {time}, started_at {time}, "
    "finished_at {time}, exit_code int, sessions varchar(4000))"
)
"""The table of agtool before marks described a database."""

CHANGES = {
    "deleted": ["DELETE FROM {t}"],
    "truncated": ["TRUNCATE {t}"],
    "dropped": ["DROP TABLE {t}"],
    "renamed": ["ALTER TABLE {t} RENAME TO {moved}"],
    "replaced": ["DROP TABLE {t}", OLDER],
    "without a column": ["ALTER TABLE {t} DROP COLUMN tables_left"],
    "anew": ["DROP {all} {cascade}", "CREATE {all}"],
    "gone": ["DROP SCHEMA agtool CASCADE"],
}


def spelled(shop: Shop, statement: str) -> str:
    """The statement in the server's words."""
    return statement.format(
        t=shop.runs,
        moved="moved" if shop.on_postgresql else "moved_runs",
        time="timestamptz" if shop.on_postgresql else "datetime(6)",
        all="SCHEMA agtool" if shop.on_postgresql else f"DATABASE {shop.name}",
        cascade="CASCADE" if shop.on_postgresql else "",
    )


@pytest.mark.parametrize("change", CHANGES)
def test_a_command_that_changes_the_table_is_marked(
    agtool: Agtool, shop: Shop, gate: Gate, tmp_path: Path, change: str
) -> None:
    if change == "gone" and not shop.on_postgresql:
        pytest.skip("there is no schema in MySQL")
    shop.inhabit()
    path = tmp_path / "result"
    changes = [spelled(shop, statement) for statement in CHANGES[change]]
    if not shop.on_postgresql:
        changes = [*changes, f"USE {shop.name}", "CREATE TABLE IF NOT EXISTS inhabited (n int)"]
    # It has a session of its own afterwards, which MySQL's heartbeat would record.
    script = f'"$@" && {gate.command[2]}'.replace("$1", f"{tmp_path}/begun")
    script = script.replace("$2", f"{tmp_path}/open")
    command = ["sh", "-c", script, "sh", *shop.command(*changes)]
    running = agtool.start(*once(*command, options=["--result-file", path]), url=shop.url)
    wait_until((tmp_path / "begun").exists, "the table is changed")
    waiter = agtool.start(*once("echo", "ran"), url=shop.url)
    waiter.wait_for("waiting for the lock")
    (tmp_path / "open").touch()
    done = running.wait()
    assert done.exit_code == 0
    assert "lost" not in done.stderr
    assert (result(path)["marked_done"], result(path)["reason"]) == (True, None)
    assert not ran(waiter.wait())
    assert not ran(agtool.run(*once("echo", "ran"), url=shop.url))
    assert ran(agtool.run(*once("echo", "ran", key="another"), url=shop.url))
    (row,) = shop.rows(
        f"SELECT name, place <> '', exit_code, started_at <= finished_at FROM {shop.runs} "
        "WHERE done_key = 'k' AND state = 'done'"
    )
    assert tuple(row) == ("default", True, 0, True)


def test_what_cannot_be_recorded_is_not_marked_and_says_why(
    agtool: Agtool, shop: Shop, tmp_path: Path
) -> None:
    shop.inhabit()
    path = tmp_path / "result"
    changes = [f"DROP TABLE {shop.runs}", f"CREATE TABLE {shop.runs} (other int)"]
    done = agtool.run(*once(*shop.command(*changes), options=["--result-file", path]), url=shop.url)
    assert done.exit_code == 0
    found = result(path)
    assert (found["outcome"], found["marked_done"]) == ("ran", False)
    assert "the end of this run cannot be recorded: " in found["reason"]
    assert f"key k is not marked as done: {found['reason']}" in done.stderr
    columns = "SELECT column_name FROM information_schema.columns WHERE table_name = "
    assert len(shop.rows(columns + f"'{shop.runs.rpartition('.')[2]}'")) == 1, "it is not ours"


@pytest.mark.parametrize("other", ["TABLE {t} (other int)", "VIEW {t} AS SELECT 1 AS run_id"])
def test_a_table_of_somebody_elses_is_told(agtool: Agtool, shop: Shop, other: str) -> None:
    shop.inhabit()
    agtool.run(*once("true"), url=shop.url)
    changes = [f"DROP TABLE {shop.runs}", f"CREATE {other.format(t=shop.runs)}"]
    subprocess.run(shop.command(*changes), check=True)
    done = agtool.run(*once("echo", "ran"), url=shop.url)
    assert (done.exit_code, done.stdout) == (125, "")
    assert f"{shop.runs} is not a table that agtool has made: " in done.stderr
    assert "--lock-table" in done.stderr


def test_what_is_locked_at_the_end_is_not_marked_and_says_why(
    agtool: Agtool, shop: Shop, gate: Gate, tmp_path: Path
) -> None:
    shop.inhabit()
    path = tmp_path / "result"
    running = agtool.start(*once(*gate.command, options=["--result-file", path]), url=shop.url)
    gate.wait()
    lock = (
        f"BEGIN; LOCK TABLE {shop.runs} IN ACCESS EXCLUSIVE MODE"
        if shop.on_postgresql
        else f"LOCK TABLES {shop.runs} WRITE"
    )
    pause = "SELECT pg_sleep(600)" if shop.on_postgresql else "SELECT sleep(600)"
    with subprocess.Popen(shop.command(lock, "SELECT 'locked'", pause), stdout=-1) as locker:
        assert locker.stdout is not None
        assert locker.stdout.readline() == b"locked\n"
        gate.open()
        done = running.wait()
        locker.kill()
    assert done.exit_code == 0
    assert result(path)["marked_done"] is False
    assert "cannot be recorded" in result(path)["reason"]


def test_a_dump_with_agtools_schema_is_restored_under_the_lock(
    agtool: Agtool, database: Database, gate: Gate, tmp_path: Path
) -> None:
    """pg_restore --clean drops and makes agtool's tables, with a run that ran when it was made."""
    if versions.postgresql_clients():
        pytest.skip("the clients that go with this server have no pg_restore")
    shop = Shop(database)
    shop.inhabit()
    running = agtool.start(*once(*gate.command, key="first"), url=shop.url)
    gate.wait()
    file = tmp_path / "dump"
    dump = [str(find_postgresql("pg_dump")), "-Fc", "-f", str(file), database.url]
    subprocess.run(dump, check=True)
    gate.open()
    assert running.wait().exit_code == 0
    restore = [find_postgresql("pg_restore"), "--clean", "--if-exists", "-d", database.url, file]
    options = ["--kill-grace", "0s"]
    done = agtool.run(*once(*map(str, restore), options=options), url=shop.url)
    assert done.exit_code == 0, done.stderr
    assert not ran(agtool.run(*once("echo", "ran"), url=shop.url))
    # That run is not known to have ended, so it is waited for, once.
    next_one = agtool.run(*once("echo", "ran", key="next", options=options), url=shop.url)
    assert ran(next_one)
    assert "has not recorded its end" in next_one.stderr
    states = dict(shop.rows(f"SELECT done_key, state FROM {shop.runs}"))
    assert states == {"first": "lost", "k": "done", "next": "done"}


def test_a_dump_of_mysql_with_agtools_table_is_loaded_under_the_lock(
    agtool: Agtool, mariadb_database: MariaDBDatabase, gate: Gate, tmp_path: Path
) -> None:
    """It drops and makes agtool's table, and locks it for a while; a waiter goes on."""
    server, name = mariadb_database.server, mariadb_database.name
    if not server.is_mariadb:
        pytest.skip("there is no client of MySQL's here")
    shop = Shop(mariadb_database)
    shop.inhabit()
    login = ["--no-defaults", "--host=127.0.0.1", f"--port={server.port}", "--user=admin"]
    env = {"MYSQL_PWD": server.passwords["admin"]}
    running = agtool.start(*once(*gate.command, key="first"), url=shop.url)
    gate.wait()
    dumped = subprocess.run(
        [server.dump(), *login, name], env=env, stdout=subprocess.PIPE, check=True
    )
    gate.open()
    assert running.wait().exit_code == 0
    file, go = tmp_path / "dump", tmp_path / "go"
    file.write_bytes(dumped.stdout)
    script = '"$@" <"$DUMP" && touch "$GO.loaded"; until [ -e "$GO" ]; do sleep 0.05; done'
    load = [find_program("mariadb"), *login, "--skip-ssl", name]
    options = ["--kill-grace", "0s"]
    holder = agtool.start(
        *once("sh", "-c", script, "sh", *map(str, load), options=options),
        url=shop.url,
        env={**env, "DUMP": str(file), "GO": str(go)},
    )
    wait_until(Path(f"{go}.loaded").exists, "the dump is loaded")
    waiter = agtool.start(*once("echo", "ran"), url=shop.url)
    waiter.wait_for("waiting for the lock")
    go.touch()
    assert holder.wait().exit_code == 0
    assert not ran(waiter.wait())
    next_one = agtool.run(*once("echo", "ran", key="next", options=options), url=shop.url)
    assert ran(next_one)
    states = shop.rows(f"SELECT done_key, state FROM {shop.runs} WHERE state <> 'waiting'")
    assert dict(states) == {"first": "lost", "k": "done", "next": "done"}


# -- why it is not marked ---------------------------------------------------------------------


def test_left_processes_and_signals_are_the_reason(
    agtool: Agtool, shop: Shop, gate: Gate, tmp_path: Path
) -> None:
    path = tmp_path / "result"
    options = ["--result-file", str(path)]
    done = agtool.run(*once("sh", "-c", "sleep 60 & exit 0", options=options), url=shop.url)
    assert done.exit_code == 0
    assert result(path)["reason"] == "processes that it left behind had to be stopped"
    script = f"trap 'exit 0' TERM; {gate.command[2]}"
    running = agtool.start(
        *once("sh", "-c", script, *gate.command[3:], options=options), url=shop.url
    )
    gate.wait()
    running.send(signal.SIGTERM)
    assert running.wait().exit_code == 0
    assert (result(path)["reason"], result(path)["marked_done"]) == ("it got SIGTERM", False)


def test_nobody_waits_after_a_group_kill(agtool: Agtool, shop: Shop, gate: Gate) -> None:
    """Who cleans up is in a group of its own, and gives its word when all is dead."""
    shop.inhabit()
    holder = agtool.start(*once("sleep", "600"), url=shop.url)
    holder.wait_for("running sleep")
    waiter = agtool.start(*once(*gate.command), url=shop.url)
    waiter.wait_for("waiting for the lock")
    os.killpg(holder.pid, signal.SIGKILL)
    gate.wait()
    assert "may still be stopping" not in waiter.stderr
    gate.open()
    assert waiter.wait().exit_code == 0
    states = sorted(state for (state,) in shop.rows(f"SELECT state FROM {shop.runs}"))
    assert states == ["done", "lost"]


def test_ordinary_first_rollouts_lose_no_connection(agtool: Agtool, shop: Shop) -> None:
    for key in ("one", "two", "three"):
        replicas = [agtool.start(*once("true", key=key), url=shop.url) for _ in range(4)]
        for replica in replicas:
            done = replica.wait()
            assert done.exit_code == 0
            assert "connection" not in done.stderr
