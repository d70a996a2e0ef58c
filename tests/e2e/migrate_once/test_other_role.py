"""A command that connects as another role than agtool, whose statements agtool cannot stop."""

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
