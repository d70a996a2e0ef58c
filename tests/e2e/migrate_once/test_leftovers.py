"""What a command leaves on the server or on the machine never works beside the next one."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Database
from tests.e2e.conftest import Agtool, wait_until
from tests.servers.postgresql import PostgreSQL
from tests.servers.proxy import TcpProxy

SIGNS = "SELECT count(*) FROM pg_largeobject_metadata"
SLOW_INSERT = "INSERT INTO work SELECT pg_sleep(600)"


@pytest.fixture
def work(database: Database) -> Database:
    """A database with a table for the results of statements."""
    with database.connect() as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE work (nothing text)")
    return database


def _asked(database: Database, query: str) -> list[tuple[Any, ...]]:
    with database.connect() as connection, connection.cursor() as cursor:
        cursor.execute(query)
        return list(cursor.fetchall())


def _sessions(database: Database) -> int:
    """How many sessions have run the slow statement, or still do."""
    with database.connect() as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE datname = current_database() AND query = %s",
            [SLOW_INSERT],
        )
        row = cursor.fetchone()
    return int(row[0]) if row else -1


def _rows(database: Database) -> int:
    """What was committed, when nobody is left who could commit more."""
    wait_until(lambda: _sessions(database) == 0, "the statement's session has ended")
    with database.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM work")
        row = cursor.fetchone()
    return int(row[0]) if row else -1


@pytest.mark.parametrize(
    ("script", "number"),
    [
        # Ends well, but killed its statement's client: nothing on this machine is left of it.
        ('psql "$URL" -qc "$SQL" & until [ -e "$GO" ]; do sleep 0.05; done; kill -9 $!', None),
        # The same on a signal.
        (
            'trap "exit 0" TERM; psql "$URL" -qc "$SQL" & wait',
            signal.SIGTERM,
        ),
    ],
)
def test_a_statement_of_a_command_that_exits_0_does_not_commit_later(
    agtool: Agtool, work: Database, tmp_path: Path, script: str, number: signal.Signals | None
) -> None:
    go = tmp_path / "go"
    running = agtool.start(
        "migrate-once", "--", "bash", "-c", script,
        url=work.url, env={"URL": work.url, "SQL": SLOW_INSERT, "GO": str(go)},
    )  # fmt: skip
    wait_until(lambda: _sessions(work) == 1, "the statement runs")
    go.touch()
    if number:
        running.send(number)
    assert running.wait().exit_code == 0
    assert _rows(work) == 0


@pytest.mark.parametrize(
    "sql",
    [
        "DROP SCHEMA agtool CASCADE",
        "DELETE FROM agtool.install_locks_runs",
        """CREATE TABLE agtool.new (LIKE agtool.install_locks_runs);
        DROP TABLE agtool.install_locks_runs;
        ALTER TABLE agtool.new RENAME TO install_locks_runs""",
    ],
)
def test_who_has_removed_its_own_record_is_waited_for(
    agtool: Agtool, work: Database, sql: str
) -> None:
    """As by a reset, or by a dump that is loaded; then all of its processes are killed."""
    command = ("sh", "-c", 'psql "$URL" -qc "$SQL"; sleep 600')
    env = {"URL": work.url, "SQL": sql}
    running = agtool.start("migrate-once", "--", *command, url=work.url, env=env)
    wait_until(lambda: _asked(work, SIGNS) == [(1,)], "a sign stands for the record")
    for pid in running.processes():
        os.kill(pid, signal.SIGSTOP)  # so that none sees another one's end
    running.kill()
    done = agtool.run("migrate-once", "--", "true", url=work.url, seconds=100)
    assert (done.exit_code, "has not recorded its end" in done.stderr) == (0, True), done.stderr
    assert _asked(work, SIGNS) == [(0,)]
    states = "SELECT state FROM agtool.install_locks_runs ORDER BY started_at"
    assert _asked(work, states) == [("lost",), ("done",)]


def test_who_has_removed_its_own_record_leaves_no_sign(agtool: Agtool, work: Database) -> None:
    script = (
        'psql "$URL" -qc "DROP SCHEMA agtool CASCADE"; '
        'until psql "$URL" -Atc "$SIGNS" | grep 1; do sleep 0.1; done'
    )
    run = ("migrate-once", "--key", "k", "--", "sh", "-c", script)
    done = agtool.run(*run, url=work.url, env={"URL": work.url, "SIGNS": SIGNS})
    assert (done.exit_code, done.stdout) == (0, "1\n"), done.stderr
    assert _asked(work, SIGNS) == [(0,)]
    assert "already done" in agtool.run(*run, url=work.url).stderr


def test_a_lost_run_leaves_nothing_in_another_database(
    agtool: Agtool, work: Database, postgresql: PostgreSQL
) -> None:
    other = f"{work.name}_lock"
    postgresql.create_database(other, owner=work.name)
    lock_url = postgresql.url(other, user=work.name)
    running = agtool.start(
        "migrate-once", "--kill-grace", "0s", "--", "psql", work.url, "-qc", SLOW_INSERT,
        url=lock_url,
    )  # fmt: skip
    wait_until(lambda: _sessions(work) == 1, "the statement runs")
    postgresql.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        f"WHERE datname = '{other}' AND application_name LIKE 'agtool migrate-once%'"
    )
    assert running.wait().exit_code == 125
    assert _rows(work) == 0
    postgresql.execute(f"DROP DATABASE {other} WITH (FORCE)")


def test_background_work_that_is_cut_short_is_not_done(
    agtool: Agtool, database: Database, tmp_path: Path
) -> None:
    script = f"(sleep 60; touch {tmp_path}/finished) & exit 0"
    first = agtool.run("migrate-once", "--key", "k", "--", "sh", "-c", script, url=database.url)
    assert first.exit_code == 0
    assert "behind" in first.stderr
    again = agtool.run("migrate-once", "--key", "k", "--", "echo", "ran", url=database.url)
    assert again.stdout == "ran\n"


def test_a_keeper_that_somebody_stopped_cannot_spare_the_command(
    agtool: Agtool, database: Database, postgresql: PostgreSQL, tmp_path: Path
) -> None:
    pid = tmp_path / "pid"
    running = agtool.start(
        "migrate-once", "--kill-grace", "0s", "--", "sh", "-c", f"echo $$ > {pid}; exec sleep 600",
        url=database.url,
    )  # fmt: skip
    wait_until(lambda: pid.exists() and pid.read_text(), "the command runs")
    (keeper,) = map(
        int, Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
    )
    os.kill(keeper, signal.SIGSTOP)
    postgresql.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        f"WHERE datname = '{database.name}' AND application_name LIKE 'agtool migrate-once%'"
    )
    assert running.wait().exit_code == 125
    assert not Path(f"/proc/{int(pid.read_text())}").exists()


def test_slow_answers_are_no_loss(agtool: Agtool, database: Database) -> None:
    server = database.server
    with TcpProxy(server.host, server.port) as proxy:
        url = server.url(database.name, user=database.name, host=proxy.host, port=proxy.port)
        running = agtool.start("migrate-once", "--", "sleep", "12", url=url)
        running.wait_for("running sleep")
        proxy.latency = 1.2  # in each direction: a heartbeat takes 2.4 s
        assert running.wait().exit_code == 0


def test_no_time_to_wait_is_still_one_try(agtool: Agtool, database: Database) -> None:
    once = ["migrate-once", "--wait-timeout", "0", "--key", "k", "--", "echo", "ran"]
    done = agtool.run(*once, url=database.url)
    assert (done.exit_code, done.stdout) == (0, "ran\n")
    again = agtool.run(*once, url=database.url)
    assert (again.exit_code, again.stdout) == (0, "")


def test_the_result_names_the_run_that_is_on_record(
    agtool: Agtool, database: Database, tmp_path: Path
) -> None:
    result = tmp_path / "result.json"
    agtool.run("migrate-once", "--result-file", result, "--", "true", url=database.url)
    status = agtool.run("migrate-once", "--status", "--output", "json", url=database.url)
    (run,) = json.loads(status.stdout)["data"]["history"]
    assert json.loads(result.read_text())["data"]["run_id"] == run["run_id"]


def test_a_grace_beyond_reason_is_refused(agtool: Agtool, database: Database) -> None:
    done = agtool.run("migrate-once", "--kill-grace", "30d", "--", "true", url=database.url)
    assert done.exit_code == 125
    assert "--kill-grace" in done.stderr
