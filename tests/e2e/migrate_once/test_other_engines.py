"""MariaDB and SQLite behave as PostgreSQL does: agtool as its users start it."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from agtool.migrate_once.engines.mysql.backend import MySQL
from agtool.migrate_once.model import HEARTBEAT, NOTICE, time_to_die
from agtool.migrate_once.url import parse
from tests.conftest import MariaDBDatabase
from tests.e2e.conftest import Agtool, Gate, wait_until
from tests.servers.process import free_port
from tests.servers.proxy import TcpProxy

REPLICAS = 12

# Appends a line when it begins and one when it ends, and works for a while between.
RECORDED = 'echo "begin $$" >> "$1"; sleep 0.3; echo "end $$" >> "$1"'


def recorded(log: Path) -> list[str]:
    return ["--", "sh", "-c", RECORDED, "work", str(log)]


def check_log(log: Path) -> int:
    """How many commands worked. Raises AssertionError if any two did at a time."""
    lines = log.read_text().splitlines()
    for begin, end in zip(lines[::2], lines[1::2], strict=True):
        assert begin.startswith("begin ")
        assert end == begin.replace("begin", "end")
    return len(lines) // 2


@pytest.fixture(params=["mysql", "sqlite"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the URL of a new database of each of the two engines."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/app.db"
    database: MariaDBDatabase = request.getfixturevalue("mariadb_database")
    return database.url


# -- both engines -------------------------------------------------------------------------


def test_replicas_work_one_at_a_time(url: str, agtool: Agtool, tmp_path: Path) -> None:
    log = tmp_path / "log"
    replicas = [agtool.start("migrate-once", *recorded(log), url=url) for _ in range(REPLICAS)]
    assert {replica.wait(100).exit_code for replica in replicas} == {0}
    assert check_log(log) == REPLICAS


def test_with_a_key_one_works(url: str, agtool: Agtool, tmp_path: Path) -> None:
    log = tmp_path / "log"
    replicas = [
        agtool.start("migrate-once", "--key", "v1", *recorded(log), url=url)
        for _ in range(REPLICAS)
    ]
    ended = [replica.wait(100) for replica in replicas]
    assert {done.exit_code for done in ended} == {0}
    assert check_log(log) == 1
    assert sum("nothing to do" in done.stderr for done in ended) == REPLICAS - 1
    assert agtool.run("migrate-once", "--key", "v2", *recorded(log), url=url).exit_code == 0
    assert check_log(log) == 2


def test_exit_codes(url: str, agtool: Agtool) -> None:
    run = ("migrate-once", "--key", "k", "--", "sh", "-c")
    assert agtool.run(*run, "exit 7", url=url).exit_code == 7
    assert agtool.run(*run, "kill -9 $$", url=url).exit_code == 137
    assert agtool.run("migrate-once", "--key", "k", "--", "/no/such", url=url).exit_code == 127
    assert agtool.run(*run, "exit 0", url=url).exit_code == 0
    assert "nothing to do" in agtool.run(*run, "exit 7", url=url).stderr


def test_the_story(url: str, agtool: Agtool, gate: Gate) -> None:
    # A done key, so that the next run is on record from its beginning.
    assert agtool.run("migrate-once", "--key", "1", "--", "true", url=url).exit_code == 0
    holder = agtool.start("migrate-once", "--", *gate.command, url=url)
    gate.wait()
    waiter = agtool.start("migrate-once", "--key", "k", "--", "true", url=url)
    waiter.wait_for("waiting for the lock, held by")
    shown = agtool.run("migrate-once", "--status", "--output", "json", url=url)
    status = json.loads(shown.stdout)["data"]
    assert status["held"]
    assert f"(pid {holder.pid})" in status["running"][0]["place"]
    assert f"(pid {waiter.pid})" in status["waiting"][0]["place"]
    late = agtool.run("migrate-once", "--wait-timeout", "1s", "--", "true", url=url)
    assert late.exit_code == 124
    gate.open()
    assert holder.wait().exit_code == 0
    assert waiter.wait().exit_code == 0
    table = agtool.run("migrate-once", "--status", url=url).stdout
    assert ": free, " in table
    assert len(re.findall(r"^ *done ", table, re.MULTILINE)) == 3
    assert "secret" not in table + waiter.stderr + shown.stdout


def test_a_killed_agtool_takes_its_command_along(url: str, agtool: Agtool, tmp_path: Path) -> None:
    """The grandchild is deaf, and in a session of its own; still the successor does not meet it."""
    pid = tmp_path / "pid"
    grandchild = f"trap '' TERM HUP; echo $$ > {pid}.new; mv {pid}.new {pid}; sleep 60; sleep 60"
    script = 'setsid sh -c "$1" & sleep 60'
    # On MySQL nobody can leave word in a database that is still empty.
    agtool.run("migrate-once", "--key", "made", "--", "true", url=url)
    holder = agtool.start("migrate-once", "--", "sh", "-c", script, "sh", grandchild, url=url)
    wait_until(pid.exists, "the grandchild lives")
    number = pid.read_text().strip()
    successor = agtool.start(
        "migrate-once", "--", "sh", "-c", f"kill -0 {number} && exit 9; exit 0", url=url
    )
    holder.send(signal.SIGKILL)
    done = successor.wait()
    assert done.exit_code == 0, "the grandchild lived beside the successor"
    assert done.seconds < time_to_die(10), "it had not to wait for a word that never came"


# -- MariaDB ------------------------------------------------------------------------------


def lock_name(database: MariaDBDatabase) -> str:
    return MySQL(parse(database.url), None, time_to_die=20).tables.lock


def kill_holder(database: MariaDBDatabase) -> None:
    """End the session that has the lock, as an administrator may."""
    ((session,),) = database.rows(f"SELECT is_used_lock('{lock_name(database)}')")
    database.server.execute(f"KILL {session}")


def test_a_lost_lock_ends_the_command(
    agtool: Agtool, gate: Gate, mariadb_database: MariaDBDatabase
) -> None:
    mariadb_database.inhabit()
    url = mariadb_database.url
    holder = agtool.start("migrate-once", "--key", "k", "--", *gate.command, url=url)
    gate.wait()
    kill_holder(mariadb_database)
    # The command would work until the gate is opened.
    assert holder.wait().exit_code == 125
    assert "the lock was lost" in holder.stderr
    assert not holder.processes()
    gate.open()
    again = agtool.run("migrate-once", "--key", "k", "--", *gate.command, url=url)
    assert "nothing to do" not in again.stderr
    states = mariadb_database.rows("SELECT state FROM agtool_install_locks_runs ORDER BY 1")
    assert states == [("done",), ("lost",)]


def test_a_successor_waits_for_a_deaf_command_that_lost_the_lock(
    agtool: Agtool, mariadb_database: MariaDBDatabase, tmp_path: Path
) -> None:
    """The server frees the lock at once; the command needs its three seconds to be killed."""
    log = tmp_path / "log"
    deaf = f"trap '' TERM; echo begin >> {log}; while sleep 0.1; do date +%s.%N >> {log}; done"
    holder = agtool.start(
        *("migrate-once", "--kill-grace", "3s", "--", "sh", "-c", deaf), url=mariadb_database.url
    )
    wait_until(log.exists, "the command runs")
    successor = agtool.start(
        *("migrate-once", "--", "sh", "-c", f"echo successor >> {log}; sleep 1"),
        url=mariadb_database.url,
    )
    successor.wait_for("waiting for")
    kill_holder(mariadb_database)
    killed_at = time.time()
    assert successor.wait().exit_code == 0
    assert holder.wait().exit_code == 125
    *before, last = log.read_text().splitlines()
    assert last == "successor"
    assert float(before[-1]) - killed_at > 2, "the command was deaf for its time of grace"


def test_a_successor_waits_for_one_that_says_nothing(
    agtool: Agtool, mariadb_database: MariaDBDatabase
) -> None:
    """A host that lost its power leaves such a row."""
    url = mariadb_database.url
    assert agtool.run("migrate-once", "--", "true", url=url).exit_code == 0
    mariadb_database.server.execute(
        f"UPDATE {mariadb_database.name}.agtool_install_locks_runs "
        "SET state = 'running', patience = 4"
    )
    done = agtool.run("migrate-once", "--", "true", url=url)
    assert done.exit_code == 0
    assert "has not recorded its end" in done.stderr
    assert done.seconds >= 4


def test_a_server_that_vanishes(
    agtool: Agtool, mariadb_database: MariaDBDatabase, tmp_path: Path
) -> None:
    """The command is dead before the server frees the lock, and both are in time."""
    server, name, log = mariadb_database.server, mariadb_database.name, tmp_path / "log"
    deaf = f"trap '' TERM; while date +%s.%N >> {log}; do sleep 0.1; done"
    held = f"SELECT is_used_lock('{lock_name(mariadb_database)}') IS NOT NULL"
    with TcpProxy(server.host, server.port) as proxy:
        holder = agtool.start(
            *("migrate-once", "--kill-grace", "1s", "--", "sh", "-c", deaf),
            url=server.url(name, user=name, port=proxy.port),
        )
        wait_until(log.exists, "the command runs")
        time.sleep(1)  # a heartbeat, so that the silence begins with the next line
        silent_since = time.time()
        proxy.freeze()
        # What the holder still wants to tell the server is in vain; its command is what counts.
        holder.wait_for("the lock was lost")
        assert time.time() - silent_since < 2 * NOTICE
        wait_until(lambda: mariadb_database.rows(held) == [(0,)], "the server frees the lock")
        freed = time.time()
        assert freed - silent_since > time_to_die(1) - 2 * HEARTBEAT
        assert float(log.read_text().splitlines()[-1]) < freed - 1
        assert holder.wait().exit_code == 125


# Runs a statement that would commit by itself in the end, which no test lives to see. It has many
# rows, as those of migrations have: in MySQL a single sleep() that is killed ends, and commits.
STATEMENT = """
import sys
import pymysql
from agtool.migrate_once.url import parse
url = parse(sys.argv[1])
connection = pymysql.connect(host=url.host, port=url.port, user=url.user,
    password=url.password.encode(), database=url.database, autocommit=True)
connection.cursor().execute(
    "INSERT INTO work SELECT sleep(2) FROM information_schema.collations LIMIT 200"
)
"""


@pytest.mark.parametrize("killed", ["agtool", "command", "lock"])
def test_a_running_statement_does_not_commit_afterwards(
    killed: str, agtool: Agtool, mariadb_database: MariaDBDatabase
) -> None:
    database, url = mariadb_database, mariadb_database.url
    database.server.execute(f"CREATE TABLE {database.name}.work (n int)")
    holder = agtool.start("migrate-once", "--", sys.executable, "-c", STATEMENT, url, url=url)
    running = "SELECT id FROM information_schema.processlist WHERE info LIKE 'INSERT INTO work%'"
    recorded = "SELECT 1 FROM agtool_install_locks_runs WHERE sessions IS NOT NULL"
    wait_until(lambda: database.rows(running), "the statement runs")
    wait_until(lambda: database.rows(recorded), "its session is recorded")
    if killed == "agtool":
        holder.send(signal.SIGKILL)
    elif killed == "lock":
        kill_holder(database)
    else:
        (command,) = [pid for pid in holder.processes() if STATEMENT in _arguments(pid)]
        os.kill(command, signal.SIGKILL)
    successor = agtool.run("migrate-once", "--", "true", url=url)
    assert successor.exit_code == 0
    assert not database.rows(running), "it runs beside the successor"
    assert holder.wait().exit_code == {"agtool": -9, "command": 137, "lock": 125}[killed]
    assert database.rows("SELECT * FROM work") == []


def _arguments(pid: int) -> str:
    # agtool itself and its keeper have the script among their arguments too, further behind.
    parts = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    return parts[2] if len(parts) > 2 and parts[1] == "-c" else ""


@pytest.mark.parametrize("options", [[], ["--single-transaction"], ["--lock-all-tables"]])
def test_dumps_go_on_while_the_lock_is_held(
    options: list[str], agtool: Agtool, gate: Gate, mariadb_database: MariaDBDatabase
) -> None:
    server = mariadb_database.server
    url = mariadb_database.url
    mariadb_database.inhabit()
    holder = agtool.start("migrate-once", "--", *gate.command, url=url)
    gate.wait()
    dump = subprocess.run(
        [
            *(server.dump(), "--no-defaults", "--host=127.0.0.1"),
            *(f"--port={server.port}", "--user=admin", *options, mariadb_database.name),
        ],
        env={"MYSQL_PWD": server.passwords["admin"]},
        capture_output=True,
        timeout=30,
        check=True,
    )
    assert b"agtool_install_locks_runs" in dump.stdout
    assert holder.running()
    gate.open()
    assert holder.wait().exit_code == 0


def test_sleeping_waiters_hold_no_connection(
    agtool: Agtool, gate: Gate, mariadb_database: MariaDBDatabase
) -> None:
    """More replicas wait than the user may have connections, and nobody minds."""
    mariadb_database.inhabit()
    database, name = mariadb_database, mariadb_database.name
    database.server.execute(f"ALTER USER {name}@'%%' WITH MAX_USER_CONNECTIONS 3")
    url = database.url
    holder = agtool.start("migrate-once", "--", *gate.command, url=url)
    gate.wait()
    waiters = [agtool.start("migrate-once", "--", "true", url=url) for _ in range(8)]
    waiting = "SELECT run_id FROM agtool_install_locks_runs WHERE state = 'waiting'"
    wait_until(lambda: len(database.rows(waiting)) == 8, "all of them wait")
    sessions = f"SELECT id FROM information_schema.processlist WHERE user = '{name}'"
    wait_until(lambda: len(database.rows(sessions)) == 1, "only the lock's session is there")
    gate.open()
    assert holder.wait().exit_code == 0
    assert {waiter.wait().exit_code for waiter in waiters} == {0}


def test_bad_input(agtool: Agtool, mariadb_database: MariaDBDatabase) -> None:
    server, name = mariadb_database.server, mariadb_database.name

    def error(url: str, *options: str) -> str:
        done = agtool.run(
            "migrate-once", "--connect-timeout", "1s", *options, "--", "true", url=url
        )
        assert done.exit_code == 125
        assert "Traceback" not in done.stderr
        assert "hush" not in done.stderr
        assert done.stderr.count("\n") < 10
        return done.stderr

    assert "Access denied" in error(server.url(name, user=name, password="hush"))
    assert "Unknown database" in error(server.url("nowhere", user="admin"))
    refused = error(server.url(name, user=name, port=free_port()))
    assert "cannot connect" in refused
    assert "Check that host and port" in refused
    assert "cannot connect" in error(server.url(name, user=name, host="no.such.invalid"))
    assert "is not a valid host name" in error(f"mysql://u:hush@{'a' * 64}.example/db")
    assert "unknown option" in error(f"{mariadb_database.url}?chraset=utf8")
    assert "names no database" in error(f"mysql://u:hush@127.0.0.1:{server.port}")


def test_no_driver(agtool: Agtool, mariadb_database: MariaDBDatabase) -> None:
    hide = (
        "import sys; sys.modules['pymysql'] = None; from agtool.app import main; sys.exit(main())"
    )
    done = agtool.run(
        *("migrate-once", "--", "true"),
        url=mariadb_database.url,
        program=[sys.executable, "-c", hide],
    )
    assert done.exit_code == 125
    assert "pip install 'agtool-cli[mysql]'" in done.stderr


def test_no_right_to_create(agtool: Agtool, mariadb_database: MariaDBDatabase) -> None:
    server, name = mariadb_database.server, mariadb_database.name
    server.execute(f"REVOKE CREATE ON {name}.* FROM {name}@'%%'")
    denied = agtool.run("migrate-once", "--", "true", url=mariadb_database.url)
    assert denied.exit_code == 125
    statements = re.findall(r"^agtool:   (.*;)$", denied.stderr, re.MULTILINE)
    with closing(server.connect()) as administrator:
        for statement in statements:
            administrator.cursor().execute(statement)
    assert agtool.run("migrate-once", "--", "true", url=mariadb_database.url).exit_code == 0


# -- SQLite -------------------------------------------------------------------------------


def test_what_a_killed_agtool_cannot_record_is_said(
    agtool: Agtool, gate: Gate, tmp_path: Path
) -> None:
    holder = agtool.start("migrate-once", "--", *gate.command, url=f"sqlite:///{tmp_path}/app.db")
    gate.wait()
    runs = tmp_path / "app.db.agtool-runs"
    runs.unlink()
    runs.mkdir()
    holder.send(signal.SIGKILL)
    wait_until(lambda: not holder.processes(), "its keeper has ended, too")
    assert "cannot record the end of this run: " in holder.stderr
    assert "Traceback" not in holder.stderr


WRITE = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], timeout=0, isolation_level=None)
connection.execute("PRAGMA journal_mode = DELETE")
connection.execute("BEGIN EXCLUSIVE")
connection.execute("CREATE TABLE IF NOT EXISTS t (n int)")
connection.execute("INSERT INTO t VALUES (1)")
connection.execute("COMMIT")
connection.execute("VACUUM")
"""


def test_the_command_writes_to_its_database(agtool: Agtool, tmp_path: Path) -> None:
    file = tmp_path / "app.db"
    command = ["--", sys.executable, "-c", WRITE, str(file)]
    replicas = [agtool.start("migrate-once", *command, url=f"sqlite:///{file}") for _ in range(6)]
    assert {replica.wait().exit_code for replica in replicas} == {0}
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT count(*) FROM t").fetchone() == (6,)


@pytest.mark.parametrize(
    "change",
    [Path.unlink, lambda file: file.rename(f"{file}.old")],
    ids=["deleted", "renamed"],
)
def test_a_vanished_lock_file_ends_the_command(
    change: Callable[[Path], object], agtool: Agtool, gate: Gate, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/app.db"
    holder = agtool.start("migrate-once", "--key", "k", "--", *gate.command, url=url)
    gate.wait()
    change(tmp_path / "app.db.agtool-lock")
    assert holder.wait().exit_code == 125
    assert "was deleted or replaced" in holder.stderr
    gate.open()
    again = agtool.run("migrate-once", "--key", "k", "--", *gate.command, url=url)
    assert again.exit_code == 0
    assert "nothing to do" not in again.stderr


def test_a_full_disk(tmp_path: Path) -> None:
    """A limit on the size of files stands for it."""
    limited = "import resource as r; r.setrlimit(r.RLIMIT_FSIZE, (0, r.RLIM_INFINITY)); "
    start = "import sys; from agtool.app import main; sys.exit(main())"
    running = subprocess.run(
        [
            *(sys.executable, "-c", limited + start, "migrate-once"),
            *("--database-url", f"sqlite:///{tmp_path}/app.db", "--", "true"),
        ],
        capture_output=True,
        text=True,
        start_new_session=True,
        timeout=60,
        check=False,
    )
    assert running.returncode == 125
    assert "its disk has room" in running.stderr


def test_a_cluster_is_warned_about_its_own_files(agtool: Agtool, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/app.db"
    inside = agtool.run(
        "migrate-once", "--", "true", url=url, env={"KUBERNETES_SERVICE_HOST": "10.0.0.1"}
    )
    assert inside.exit_code == 0
    assert "warning: each pod has its own" in inside.stderr
    assert "warning" not in agtool.run("migrate-once", "--", "true", url=url).stderr
