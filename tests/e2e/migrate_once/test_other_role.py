"""A command that connects as another role than agtool, whose statements agtool cannot stop."""

import json
from contextlib import closing
from pathlib import Path

from tests.conftest import Database
from tests.e2e.conftest import Agtool, wait_until

PG_SLEEPS = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(%'"


def _sleeping(database: Database) -> int:
    with database.server.connect(database.name) as connection, connection.cursor() as cursor:
        cursor.execute(PG_SLEEPS)
        row = cursor.fetchone()
    return int(row[0]) if row else 0


def test_nothing_starts_beside_a_statement_that_cannot_be_stopped(
    agtool: Agtool, database: Database
) -> None:
    # The superuser: its sessions hide their state from agtool's role, and may not be ended by it.
    other = database.server.url(database.name, user="postgres")
    running = agtool.start(
        "migrate-once", "--kill-grace", "0s", "--", "psql", other, "-c", "SELECT pg_sleep(600)",
        url=database.url,
    )  # fmt: skip
    wait_until(lambda: _sleeping(database), "the statement runs")
    running.kill()  # agtool, its keeper and the command: nobody can say a last word
    assert _sleeping(database) == 1
    refused = agtool.run(
        "migrate-once", "--kill-grace", "0s", "--", "echo", "ran", url=database.url
    )
    assert (refused.exit_code, refused.stdout) == (125, "")
    assert "1 statement of a previous run" in refused.stderr
    assert "pg_signal_backend" in refused.stderr

    database.server.execute(f"GRANT pg_signal_backend TO {database.name}")
    database.server.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE "
        "'SELECT pg_sleep(%' AND pid <> pg_backend_pid()"
    )
    done = agtool.run("migrate-once", "--kill-grace", "0s", "--", "echo", "ran", url=database.url)
    assert (done.exit_code, done.stdout) == (0, "ran\n")


def test_an_idle_session_of_another_role_is_no_obstacle(
    agtool: Agtool, database: Database, tmp_path: Path
) -> None:
    script = f'echo "$PGAPPNAME"; until [ -e {tmp_path}/go ]; do sleep 0.05; done; exit 3'
    running = agtool.start("migrate-once", "--", "sh", "-c", script, url=database.url)
    wait_until(lambda: running.stdout, "the command says its name")
    # closing(): psycopg2's own context would begin a transaction, and make it busy.
    with closing(database.server.connect(database.name)) as idle, idle.cursor() as cursor:
        # As a pooler keeps it: idle, with the name that the command gave it.
        cursor.execute("SET application_name = %s", (running.stdout.strip(),))
        (tmp_path / "go").touch()
        done = running.wait()
        assert done.exit_code == 3
        assert "cannot stop" not in done.stderr
        cursor.execute("SELECT 1")  # and it was left alone
        assert cursor.fetchone() == (1,)


def _lose_the_lock(database: Database) -> None:
    database.server.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = "
        f"'{database.name}' AND application_name LIKE 'agtool migrate-once%'"
    )


def test_after_a_lost_lock_it_is_warned_of_and_waited_for(
    agtool: Agtool, database: Database, tmp_path: Path
) -> None:
    other = database.server.url(database.name, user="postgres")
    result = tmp_path / "result.json"
    running = agtool.start(
        "migrate-once", "--result-file", result, "--", "psql", other, "-c", "SELECT pg_sleep(600)",
        url=database.url,
    )  # fmt: skip
    wait_until(lambda: _sleeping(database), "the statement runs")
    _lose_the_lock(database)
    running.wait_for("the server does not let agtool end session ")
    assert running.running()
    database.server.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE "
        "'SELECT pg_sleep(%' AND pid <> pg_backend_pid()"
    )
    done = running.wait()
    assert done.exit_code == 125
    (warning,) = json.loads(result.read_text())["data"]["warnings"]
    assert warning["code"] == "not-ended"
    assert "of postgres" in warning["message"]
    assert "pg_signal_backend" in warning["hint"]
    assert done.stderr.count(warning["message"]) == 1
    # It was waited for, so that nobody else has to.
    again = agtool.run("migrate-once", "--", "echo", "ran", url=database.url)
    assert (again.exit_code, again.stdout) == (0, "ran\n")
    assert "previous run" not in again.stderr


def test_what_goes_on_after_a_lost_lock_is_in_the_result(
    agtool: Agtool, database: Database, tmp_path: Path
) -> None:
    other = database.server.url(database.name, user="postgres")
    result = tmp_path / "result.json"
    running = agtool.start(
        "migrate-once", "--kill-grace", "0s", "--result-file", result,
        "--", "psql", other, "-c", "SELECT pg_sleep(600)",
        url=database.url,
    )  # fmt: skip
    wait_until(lambda: _sleeping(database), "the statement runs")
    _lose_the_lock(database)
    assert running.wait().exit_code == 125
    codes = [one["code"] for one in json.loads(result.read_text())["data"]["warnings"]]
    assert codes == ["not-ended", "still-running"]
    assert _sleeping(database) == 1


def test_a_login_role_that_acts_as_another_ends_its_own_statements(
    agtool: Agtool, database: Database
) -> None:
    """ALTER ROLE ... SET role: the server asks who has logged in, not whose rights are used."""
    server, login = database.server, f"{database.name}_login"
    server.create_role(login, "secret", f"IN ROLE {database.name}")
    server.execute(f"ALTER ROLE {login} SET role = {database.name}")
    try:
        url = server.url(database.name, user=login)
        statement = "CREATE TABLE late AS SELECT 1 AS n, pg_sleep(600)::text"
        running = agtool.start(
            "migrate-once", "--kill-grace", "0s", "--", "psql", url, "-qc", statement, url=url
        )
        at_work = (
            "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query = "
            f"$${statement}$$"
        )
        wait_until(lambda: _ask(database, at_work), "the statement runs")
        _lose_the_lock(database)
        done = running.wait()
        assert done.exit_code == 125
        (warning,) = [line for line in done.stderr.splitlines() if "warning: " in line]
        assert "the lock was lost" in warning
        assert _ask(database, at_work) == 0
        # Its own table: agtool still acts as the owner where that matters.
        again = agtool.run("migrate-once", "--", "true", url=url)
        assert again.exit_code == 0, again.stderr
    finally:
        server.execute(f"DROP OWNED BY {login}", database.name)
        server.execute(f"DROP ROLE {login}")


def _ask(database: Database, query: str) -> int:
    with closing(database.server.connect(database.name)) as connection:
        cursor = connection.cursor()
        cursor.execute(query)
        row = cursor.fetchone()
    return int(row[0]) if row else 0


def test_the_command_that_waits_for_agtool_is_told(
    agtool: Agtool, database: Database, tmp_path: Path
) -> None:
    name, result = database.name, tmp_path / "result.json"
    elsewhere = database.server.url("postgres", user=name)
    done = agtool.run(
        "migrate-once", "--result-file", result, "--", "psql", elsewhere, "-c",
        f"DROP DATABASE {name}", url=database.url,
    )  # fmt: skip
    assert done.exit_code == 1
    (warning,) = json.loads(result.read_text())["data"]["warnings"]
    assert warning["code"] == "blocked"
    assert warning["message"].endswith(f" waits for agtool's own session: DROP DATABASE {name}")
    assert done.stderr.count(warning["message"]) == 1
    assert done.stderr.index(warning["message"]) < done.stderr.index("is being accessed by other")
