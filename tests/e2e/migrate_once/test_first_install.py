"""An empty database stays empty until the first command has ended, and is as safe as any other."""

import json
import os
import re
import signal
import sys
from pathlib import Path

import pytest

from tests.conftest import Database
from tests.e2e.conftest import Agtool, Gate, wait_until
from tests.e2e.migrate_once.shop import Shop, once, ran
from tests.servers.postgresql import find_postgresql

# What a migration tool, a diff or a dump would see; all that is not there from the beginning.
OBJECTS = {
    True: (
        "SELECT 'schema', nspname FROM pg_namespace WHERE oid >= 16384 "
        "UNION ALL SELECT 'relation', relname FROM pg_class WHERE oid >= 16384 "
        "UNION ALL SELECT 'type', typname FROM pg_type WHERE oid >= 16384 "
        "UNION ALL SELECT 'function', proname FROM pg_proc WHERE oid >= 16384"
    ),
    False: (
        "SELECT 'table', table_name FROM information_schema.tables "
        "WHERE table_schema = database() "
        "UNION ALL SELECT 'routine', routine_name FROM information_schema.routines "
        "WHERE routine_schema = database() "
        "UNION ALL SELECT 'event', event_name FROM information_schema.events "
        "WHERE event_schema = database()"
    ),
}


def looks(shop: Shop) -> list[str]:
    """A command that prints what is in the database."""
    return shop.command(OBJECTS[shop.on_postgresql])


def test_nothing_is_there_before_the_first_success(agtool: Agtool, shop: Shop) -> None:
    """Neither at first, nor after failures; these are on record all the same."""
    fails = ["sh", "-c", '"$@"; exit 3', "sh", *looks(shop)]
    for _ in range(3):
        done = agtool.run(*once(*fails), url=shop.url)
        assert (done.exit_code, done.stdout) == (3, ""), done.stderr
    (count,) = shop.rows(f"SELECT count(*) FROM {shop.runs} WHERE state = 'failed'")
    assert tuple(count) == (3,)
    done = agtool.run(*once(*looks(shop)), url=shop.url)
    assert (done.exit_code, done.stdout) == (0, "")
    history = agtool.run("migrate-once", "--status", "-o", "json", url=shop.url)
    found = json.loads(history.stdout)["data"]["history"]
    assert [run["state"] for run in found] == ["done", "failed", "failed", "failed"]
    assert all(run["started_at"] and run["seconds"] < 60 for run in found)


def test_nothing_is_there_while_others_wait(agtool: Agtool, shop: Shop, gate: Gate) -> None:
    script = f'{gate.command[2]}; shift 2; "$@"'
    command = ["sh", "-c", script, *gate.command[3:], *looks(shop)]
    holder = agtool.start(*once(*command), url=shop.url, env={"POD_NAME": "shop-1"})
    gate.wait()
    waiters = [agtool.start(*once("echo", "ran"), url=shop.url) for _ in range(3)]
    for waiter in waiters:
        waiter.wait_for("waiting for the lock")
    status = agtool.run("migrate-once", "--status", "-o", "json", url=shop.url)
    found = json.loads(status.stdout)["data"]
    assert found["held"]
    assert found["waiting"] is None
    told = agtool.run("migrate-once", "--status", url=shop.url).stdout
    assert "Others may wait for it: they cannot be counted until this first command" in told
    assert "0 waiting" not in told
    place = f"shop-1 (pid {holder.pid})"
    assert [run["place"] for run in found["running"]] == ([place] if shop.has_sign else [])
    assert (f"held by {place}" in waiters[0].stderr) == shop.has_sign
    gate.open()
    done = holder.wait()
    assert (done.exit_code, done.stdout) == (0, "")
    assert not any(ran(waiter.wait()) for waiter in waiters)


def test_a_database_that_was_emptied_is_a_first_install(agtool: Agtool, shop: Shop) -> None:
    create = shop.command("CREATE TABLE goods (n int)")
    assert agtool.run(*once(*create), url=shop.url).exit_code == 0
    shop.empty()
    done = agtool.run(*once(*looks(shop)), url=shop.url)
    assert (done.exit_code, done.stdout.replace("schema|public\n", "")) == (0, "")


def test_a_dump_of_an_empty_database_holds_nothing_of_agtools(
    agtool: Agtool, database: Database
) -> None:
    shop = Shop(database)
    done = agtool.run(*once(str(find_postgresql("pg_dump")), database.url), url=shop.url)
    assert done.exit_code == 0, done.stderr
    assert "agtool" not in done.stdout


def test_who_may_not_make_the_tables_is_told_before_the_command_runs(
    agtool: Agtool, database: Database, tmp_path: Path
) -> None:
    server = database.server
    server.execute(f"ALTER DATABASE {database.name} OWNER TO postgres")
    done = agtool.run(*once("touch", str(tmp_path / "begun")), url=database.url)
    assert done.exit_code == 125
    assert "no right to create or use the lock table" in done.stderr
    assert not (tmp_path / "begun").exists()
    for statement in re.findall(r"^agtool:   (.*;)$", done.stderr, re.MULTILINE):
        server.execute(statement, database.name)
    # They are not ours to drop, so they stay, and are used.
    assert ran(agtool.run(*once("echo", "ran"), url=database.url))
    assert not ran(agtool.run(*once("echo", "ran"), url=database.url))


def test_where_no_sign_may_be_left_the_tables_are_there(agtool: Agtool, shop: Shop) -> None:
    """Safety first: an administrator has forbidden what takes their place."""
    if shop.on_postgresql:
        shop.rows("REVOKE EXECUTE ON FUNCTION lo_from_bytea(oid, bytea) FROM PUBLIC")
    elif shop.has_sign:
        shop.rows(f"REVOKE ALTER ON {shop.name}.* FROM {shop.name}@'%'")
    else:
        pytest.skip("MySQL has no place for a sign")
    done = agtool.run(*once(*looks(shop)), url=shop.url)
    assert done.exit_code == 0, done.stderr
    assert "install_locks_runs\n" in done.stdout
    assert not ran(agtool.run(*once("echo", "ran"), url=shop.url))


def test_a_locked_table_is_there(agtool: Agtool, database: Database) -> None:
    done = agtool.run(*once(*looks(Shop(database)), options=["--lock", "table"]), url=database.url)
    assert done.exit_code == 0
    assert "relation|install_locks\n" in done.stdout


# -- safety -----------------------------------------------------------------------------------

STUBBORN = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
with open(sys.argv[1] + ".new", "w") as file:
    file.write(str(os.getpid()))
os.rename(sys.argv[1] + ".new", sys.argv[1])
time.sleep(600)
"""
"""A command that says its process id, and dies of SIGKILL only."""


def stubborn(pid: Path) -> list[str]:
    return [sys.executable, "-c", STUBBORN, str(pid)]


def kill_lock_session(shop: Shop) -> None:
    """As an administrator does, or a server that fails: the lock is free at once."""
    if shop.on_postgresql:
        shop.rows(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND "
            "database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        return
    sessions = "SELECT id FROM information_schema.processlist WHERE db = database() AND user = "
    for (session,) in shop.rows(f"{sessions}'{shop.name}'"):
        shop.rows(f"KILL {session}")


@pytest.mark.parametrize("grace", ["1s", "3s"])
def test_a_lost_lock_is_waited_for_as_long_as_its_command_may_live(
    agtool: Agtool, shop: Shop, tmp_path: Path, grace: str
) -> None:
    pid = tmp_path / "pid"
    holder = agtool.start(*once(*stubborn(pid), options=["--kill-grace", grace]), url=shop.url)
    wait_until(pid.exists, "the command runs")
    kill_lock_session(shop)
    script = f'kill -0 "$(cat {pid})" && exit 9; echo ran'
    successor = agtool.run(*once("sh", "-c", script, options=["--kill-grace", "0s"]), url=shop.url)
    assert ran(successor), "the first command was alive"
    assert holder.wait().exit_code == 125


def test_who_was_killed_with_its_keeper_is_waited_for_once(agtool: Agtool, shop: Shop) -> None:
    """Nobody is left to give word; what the dead command left on the server is stopped."""
    holder = agtool.start(*once("sleep", "600", options=["--kill-grace", "0s"]), url=shop.url)
    holder.wait_for("running sleep")
    holder.kill()
    successor = agtool.run(*once("echo", "ran", options=["--kill-grace", "0s"]), url=shop.url)
    assert ran(successor)
    assert not ran(agtool.run(*once("echo", "ran"), url=shop.url))
    if shop.on_postgresql:
        assert shop.rows("SELECT count(*) FROM pg_largeobject_metadata") == [(0,)]


def test_nobody_waits_after_a_group_kill(agtool: Agtool, shop: Shop, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    holder = agtool.start(*once(*stubborn(pid)), url=shop.url)
    wait_until(pid.exists, "the command runs")
    os.killpg(holder.pid, signal.SIGKILL)
    successor = agtool.run(*once("echo", "ran"), url=shop.url)
    assert ran(successor)
    assert "still be stopping" not in successor.stderr
    assert ("still stopping" in successor.stderr) == (not shop.has_sign)
