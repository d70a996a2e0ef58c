"""`--check`: whether it would work here, what would be made, and what would happen now."""

import json
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.conftest import Database, MariaDBDatabase, needed
from tests.e2e.conftest import Agtool, Gate, wait_until
from tests.e2e.migrate_once.test_wait import everything
from tests.servers.mysql import new_mariadb
from tests.servers.pgbouncer import PgBouncer
from tests.servers.postgresql import PostgreSQL
from tests.servers.process import free_port, server_folder

CHECK = ("migrate-once", "--check")


class Checked(NamedTuple):
    """What was found. codes: of the problems, then of the warnings."""

    exit_code: int
    data: dict[str, Any]

    @property
    def problems(self) -> list[str]:
        return [finding["code"] for finding in self.data["problems"]]

    @property
    def warnings(self) -> list[str]:
        return [finding["code"] for finding in self.data["warnings"]]

    def hint(self) -> str:
        """What to do about the one problem."""
        (problem,) = self.data["problems"]
        return str(problem["hint"])


@pytest.fixture
def check(agtool: Agtool) -> Callable[..., Checked]:
    """Give a function that checks a URL."""

    def run(url: str, *arguments: str, env: dict[str, str] | None = None) -> Checked:
        done = agtool.run(*CHECK, "--output", "json", *arguments, url=url, env=env)
        assert done.stderr == ""
        document = json.loads(done.stdout)
        assert document["exit_code"] == done.exit_code
        assert document["status"] == ("ok" if done.exit_code == 0 else "failed")
        return Checked(done.exit_code, document["data"])

    return run


Check = Callable[..., Checked]


# -- what would happen -------------------------------------------------------------------------


def test_each_engine_from_the_first_to_the_last(
    url: str, check: Check, agtool: Agtool, gate: Gate
) -> None:
    fresh = check(url, "--key", "k")
    assert (fresh.exit_code, fresh.data["would"], fresh.problems) == (0, "run", [])
    assert "runs" in " ".join(fresh.data["creates"])
    assert fresh.data["server"]["product"] in {"PostgreSQL", "MariaDB", "MySQL", "SQLite"}
    assert check(url, "--key", "k").data == fresh.data, "it has changed something"

    agtool.run("migrate-once", "--key", "old", "--", "true", url=url)
    env = {"POD_NAME": "shop-1"}
    holder = agtool.start("migrate-once", "--key", "k", "--", *gate.command, url=url, env=env)
    gate.wait()
    found = check(url, "--key", "k")
    assert (found.exit_code, found.data["would"]) == (0, "wait")
    assert found.data["holder"]["place"].startswith("shop-1")
    assert check(url, "--key", "old").data["would"] == "already-done"
    assert "COMMAND would wait for shop-1" in agtool.run(*CHECK, url=url).stdout
    gate.open()
    assert holder.wait().exit_code == 0
    assert check(url, "--key", "k").data["would"] == "already-done"
    assert check(url).data["would"] == "run"
    done = check(url, "--key", "k2")
    assert (done.data["would"], done.data["creates"]) == ("run", [])


def test_it_changes_nothing_and_does_not_disturb(
    check: Check, agtool: Agtool, database: Database
) -> None:
    before = everything(database)
    check(database.url)
    assert everything(database) == before
    agtool.run("migrate-once", "--key", "k", "--", "true", url=database.url)
    before = everything(database)
    check(database.url, "--key", "k2")
    assert everything(database) == before


def test_a_run_that_has_not_recorded_its_end(
    check: Check, agtool: Agtool, database: Database
) -> None:
    agtool.run("migrate-once", "--key", "old", "--", "true", url=database.url)
    running = agtool.start("migrate-once", "--", "sleep", "600", url=database.url)
    running.wait_for("running sleep")
    running.kill()  # the keeper, too
    wait_until(lambda: check(database.url).data["would"] == "run", "the server has freed the lock")
    assert check(database.url).warnings == ["previous-run"]


# -- what stands in the way ---------------------------------------------------------------------


@contextmanager
def role(database: Database, attributes: str = "") -> Iterator[str]:
    """The URL of a role that may connect, and its name is that of the database with _r."""
    name = f"{database.name}_r"
    database.server.create_role(name, "a @ role", attributes)
    try:
        yield database.server.url(database.name, user=name)
    finally:
        database.server.execute(f"DROP OWNED BY {name}", database.name)
        database.server.execute(f"DROP ROLE {name}")


def follow(check: Checked, database: Database) -> None:
    """Run what the hint says, as superuser."""
    for line in check.hint().splitlines():
        if line.endswith(";"):
            database.server.execute(line.strip(), database.name)


def test_a_role_that_may_not_create(check: Check, agtool: Agtool, database: Database) -> None:
    with role(database) as url:
        found = check(url)
        assert (found.exit_code, found.problems, found.data["would"]) == (1, ["denied"], None)
        assert "COMMAND would not run" in agtool.run(*CHECK, url=url).stdout
        follow(found, database)
        assert check(url).exit_code == 0
        assert agtool.run("migrate-once", "--", "true", url=url).exit_code == 0


def test_a_role_that_may_only_read(check: Check, agtool: Agtool, database: Database) -> None:
    agtool.run("migrate-once", "--key", "k", "--", "true", url=database.url)
    with role(database) as url:
        assert check(url).problems == ["denied"]
        name = f"{database.name}_r"
        for right in ("USAGE ON SCHEMA agtool", "SELECT ON agtool.install_locks_runs"):
            database.server.execute(f"GRANT {right} TO {name}", database.name)
        found = check(url)
        assert found.problems == ["denied"]
        assert "INSERT" in found.data["problems"][0]["message"]
        follow(found, database)
        assert check(url, "--key", "k").data["would"] == "already-done"


OLD_TABLE = """
CREATE SCHEMA agtool;
CREATE TABLE agtool.install_locks ();
CREATE TABLE agtool.install_locks_runs (
    run_id varchar(32) PRIMARY KEY, name varchar(200) NOT NULL, done_key varchar(500),
    place varchar(300) NOT NULL, state varchar(12) NOT NULL, patience double precision,
    waiting_since timestamptz, seen_at timestamptz, started_at timestamptz,
    finished_at timestamptz, exit_code int, sessions varchar(4000));
INSERT INTO agtool.install_locks_runs (run_id, name, done_key, place, state, started_at,
    finished_at) VALUES ('1', 'default', 'old', 'shop-1', 'done', now(), now());
"""


def test_the_table_of_an_older_agtool(check: Check, agtool: Agtool, database: Database) -> None:
    """Its owner adds the columns; whoever is not is told what its owner has to run."""
    database.server.execute(OLD_TABLE, database.name)  # as superuser
    name = database.name
    for right in ("USAGE ON SCHEMA agtool", "ALL ON ALL TABLES IN SCHEMA agtool"):
        database.server.execute(f"GRANT {right} TO {name}", name)
    found = check(database.url, "--key", "old", "--attempts", "1")
    assert (found.exit_code, found.problems) == (1, ["denied"])
    assert "ownership" in found.data["problems"][0]["message"]
    follow(found, database)
    assert check(database.url, "--key", "old").data["would"] == "already-done"
    run = ("migrate-once", "--key", "k", "--attempts", "1", "--", "false")
    assert agtool.run(*run, url=database.url).exit_code == 1
    assert agtool.run(*run, url=database.url).exit_code == 125


def test_the_status_of_an_older_table(agtool: Agtool, database: Database) -> None:
    database.server.execute(OLD_TABLE, database.name)
    for right in ("USAGE ON SCHEMA agtool", "SELECT ON ALL TABLES IN SCHEMA agtool"):
        database.server.execute(f"GRANT {right} TO {database.name}", database.name)
    for key, code in (("old", 0), ("new", 1)):
        status = agtool.run("migrate-once", "--status", "--key", key, url=database.url)
        assert status.exit_code == code
        wait = ("migrate-once", "--wait", "--key", key, "--attempts", "1", "--wait-timeout", "0")
        assert agtool.run(*wait, url=database.url).exit_code == 124 * code


def test_a_role_with_few_connections(check: Check, database: Database) -> None:
    with role(database, "CONNECTION LIMIT 1") as url:
        database.server.execute(f"GRANT CREATE ON DATABASE {database.name} TO {database.name}_r")
        assert check(url).problems == ["connection-limit"]


def test_a_role_that_acts_as_another(check: Check, database: Database) -> None:
    with role(database) as url:
        name = f"{database.name}_r"
        database.server.execute(f"GRANT {database.name} TO {name}")
        database.server.execute(f"ALTER ROLE {name} SET role = {database.name}")
        found = check(url)
        assert (found.exit_code, found.warnings) == (0, ["another-role"])


def test_timeouts_of_postgresql(check: Check, agtool: Agtool, database: Database) -> None:
    timeouts = {
        "idle_in_transaction_session_timeout": "1500ms",
        "statement_timeout": "1min",
        "lock_timeout": "2s",
    }
    if database.server.version >= 14:
        timeouts["idle_session_timeout"] = "3s"
    if database.server.version >= 17:
        timeouts["transaction_timeout"] = "2s"
    for name, value in timeouts.items():
        database.server.execute(f"ALTER ROLE {database.name} SET {name} = '{value}'")
    found = check(database.url)
    assert found.exit_code == 0
    assert {finding["subject"] for finding in found.data["warnings"]} == set(timeouts)
    assert "idle_in_transaction_session_timeout is 1.5 s" in str(found.data["warnings"])
    # It is true that they do not cut the lock.
    run = ("migrate-once", "--", "sleep", "4")
    assert agtool.run(*run, url=database.url).exit_code == 0


def test_a_standby(check: Check) -> None:
    with server_folder() as folder, PostgreSQL(folder) as server:
        found = check(server.standby().url("app"))
        assert (found.exit_code, found.problems[0]) == (1, "unreachable")  # until it is promoted
        assert "standby" in found.data["problems"][0]["message"]


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("oracle://app:s3cr3t@host/app", "configuration"),
        ("postgresql://app:s3cr3t@127.0.0.1:{port}/app", "unreachable"),
        ("mysql://app:s3cr3t@127.0.0.1:{port}/app", "unreachable"),
        ("postgresql://app:s3cr3t@{server}/app", "denied"),
        ("sqlite:////no/such/folder/app.db", "configuration"),
        ("", "configuration"),
    ],
)
def test_what_cannot_work(
    url: str, code: str, check: Check, agtool: Agtool, database: Database
) -> None:
    place = f"{database.server.host}:{database.server.port}"
    url = url.format(port=free_port(), server=place)
    found = check(url)
    assert (found.exit_code, found.problems, found.data["would"]) == (1, [code], None)
    assert "s3cr3t" not in str(found)
    done = agtool.run(*CHECK, url=url)
    assert (done.exit_code, "problem: " in done.stdout) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--", "true"], "--check runs no command"),
        (["--status"], "--status has no effect with --check"),
        (["--wait-timeout", "1s"], "--wait-timeout has no effect with --check"),
        (["--result-file", "x"], "--result-file has no effect with --check"),
        (["--metrics-file", "x"], "--metrics-file has no effect with --check"),
        (["--limit", "3"], "--limit has no effect with --check"),
        (["--name", "x"], "--name has no effect without --key"),
        (["--lock-table", "a.b.c"], "is not a valid name of a table"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_makes_no_sense(
    arguments: list[str], says: str, agtool: Agtool, database: Database
) -> None:
    done = agtool.run(*CHECK, *arguments, url=database.url)
    assert done.exit_code == 125
    assert says in done.stderr


def test_the_options_of_the_url_are_named(check: Check, database: Database) -> None:
    found = check(f"{database.url}?pool=5")
    assert (found.exit_code, found.warnings) == (0, ["database"])


# -- poolers and proxies --------------------------------------------------------------------------


def test_pgbouncer(check: Check, database: Database, pgbouncer: Callable[..., PgBouncer]) -> None:
    pooler = pgbouncer()
    found = check(pooler.url(database.name, user=database.name))
    assert (found.exit_code, found.warnings) == (0, ["pooler"])
    assert found.data["server"]["pooler"] == "unknown"
    assert check(database.url).data["server"]["pooler"] is None


def test_pgbouncer_tells_its_statistics_user(
    check: Check, database: Database, pgbouncer: Callable[..., PgBouncer]
) -> None:
    settings = {"stats_users": database.name, "idle_transaction_timeout": "1"}
    url = pgbouncer(settings=settings).url(database.name, user=database.name)
    found = check(url)
    assert "pool_mode transaction" in found.data["server"]["pooler"]
    assert (found.exit_code, found.problems) == (1, ["pooler-timeout"])
    settings["idle_transaction_timeout"] = "60"
    url = pgbouncer(settings=settings, pool_mode="session").url(database.name, user=database.name)
    found = check(url)
    assert (found.exit_code, found.problems, found.warnings) == (0, [], [])
    assert "pool_mode session" in found.data["server"]["pooler"]


def test_pgbouncer_with_statement_pooling(
    check: Check, database: Database, pgbouncer: Callable[..., PgBouncer]
) -> None:
    pooler = pgbouncer(pool_mode="statement")
    found = check(pooler.url(database.name, user=database.name))
    assert (found.exit_code, found.problems) == (1, ["configuration"])
    assert "statement pooling" in found.data["problems"][0]["message"]


# -- MariaDB -----------------------------------------------------------------------------------


@contextmanager
def account(database: MariaDBDatabase, attributes: str = "") -> Iterator[str]:
    """The URL of an account that has a right on one table of the database only."""
    name = f"{database.name}_r"
    database.server.create_role(name, "an @ account", attributes)
    database.rows("CREATE TABLE IF NOT EXISTS app (a int)")
    database.server.execute(f"GRANT SELECT ON {database.name}.app TO '{name}'@'%%'")
    try:
        yield database.server.url(database.name, user=name)
    finally:
        database.server.execute(f"DROP USER '{name}'@'%%'")


def test_rights_on_mariadb(check: Check, agtool: Agtool, mariadb_database: MariaDBDatabase) -> None:
    with account(mariadb_database) as url:
        assert check(url).problems == ["denied"]  # before there is a table, and when there is one
        agtool.run("migrate-once", "--key", "k", "--", "true", url=mariadb_database.url)
        found = check(url)
        assert (found.exit_code, found.problems) == (1, ["denied"])
        for line in found.hint().splitlines():
            if line.endswith(";"):
                mariadb_database.server.execute(line.strip().rstrip(";").replace("%", "%%"))
        assert check(url, "--key", "k").data["would"] == "already-done"


@pytest.mark.parametrize(
    ("attributes", "code"),
    [
        ("WITH MAX_USER_CONNECTIONS 2", "connection-limit"),
        ("WITH MAX_QUERIES_PER_HOUR 3600", "account-limit"),
        ("WITH MAX_CONNECTIONS_PER_HOUR 100", "account-limit"),
    ],
)
def test_limits_on_mariadb(
    attributes: str, code: str, check: Check, mariadb_database: MariaDBDatabase
) -> None:
    with account(mariadb_database, attributes) as url:
        name = mariadb_database.name
        mariadb_database.server.execute(f"GRANT ALL ON {name}.* TO '{name}_r'@'%%'")
        assert check(url).problems == [code]


def test_a_mariadb_with_time_outs_that_takes_no_writes(check: Check) -> None:
    settings = {"wait_timeout": "60"}
    with server_folder() as folder, needed(), new_mariadb(folder, settings=settings) as server:
        found = check(server.url("app"))
        assert (found.exit_code, found.warnings) == (0, ["timeout"])
        assert "wait_timeout is 60 s" in found.data["warnings"][0]["message"]
        server.execute("SET GLOBAL read_only = 1")
        found = check(server.url("app"))
        assert (found.exit_code, found.problems) == (1, ["unreachable"])
        assert "read_only" in found.data["problems"][0]["message"]


# -- SQLite ------------------------------------------------------------------------------------


def test_a_folder_in_which_nothing_may_be_written(agtool: Agtool, tmp_path: Path) -> None:
    """Read only for everybody: root may write to a folder whatever its mode is."""
    own_mounts = ["unshare", "--mount", "--map-root-user"]
    if shutil.which("unshare") is None or agtool.run(program=[*own_mounts, "true"]).exit_code:
        pytest.skip("a file system of its own cannot be mounted here")
    script = (
        f"mount -t tmpfs -o ro none {tmp_path} && "
        f"exec {shlex.quote(sys.executable)} -m agtool migrate-once --check --output json"
    )
    url = f"sqlite:///{tmp_path}/app.db"
    done = agtool.run(program=[*own_mounts, "sh", "-c", script], url=url)
    found = json.loads(done.stdout)
    assert (done.exit_code, found["data"]["problems"][0]["code"]) == (1, "denied")
