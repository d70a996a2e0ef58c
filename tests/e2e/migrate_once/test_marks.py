"""A mark describes a database, and does not outlive what it describes."""

import sqlite3
from contextlib import closing, suppress
from pathlib import Path

import pytest

from tests.conftest import MariaDBDatabase
from tests.e2e.conftest import Agtool
from tests.e2e.migrate_once.shop import Shop, once, ran
from tests.e2e.migrate_once.test_end import OLDER, spelled


def test_a_mark_does_not_count_when_the_tables_are_gone(agtool: Agtool, shop: Shop) -> None:
    create = shop.command("CREATE TABLE goods (n int)")
    assert agtool.run(*once(*create), url=shop.url).exit_code == 0
    assert not ran(agtool.run(*once("echo", "ran"), url=shop.url))
    shop.empty()
    assert agtool.run(*once(*create), url=shop.url).exit_code == 0
    assert shop.rows("SELECT * FROM goods") == [], "the command ran again"
    assert not ran(agtool.run(*once("echo", "ran"), url=shop.url))


def test_a_mark_does_not_come_back_with_other_tables(agtool: Agtool, shop: Shop) -> None:
    """Another name's command makes the tables, after all were dropped."""
    for key in ("goods", "orders"):
        create = shop.command(f"CREATE TABLE {key} (n int)")
        assert agtool.run(*once(*create, key=key), url=shop.url).exit_code == 0
    shop.empty()
    create = shop.command("CREATE TABLE goods (n int)")
    assert agtool.run(*once(*create, key="goods"), url=shop.url).exit_code == 0
    assert ran(agtool.run(*once("echo", "ran", key="orders"), url=shop.url))


def test_a_mark_of_a_run_that_left_no_tables_counts(agtool: Agtool, shop: Shop) -> None:
    assert ran(agtool.run(*once("echo", "ran"), url=shop.url))
    assert not ran(agtool.run(*once("echo", "ran"), url=shop.url))
    shop.inhabit()
    assert not ran(agtool.run(*once("echo", "ran"), url=shop.url))
    shop.empty()
    assert not ran(agtool.run(*once("echo", "ran"), url=shop.url))


def test_tables_of_extensions_and_of_other_locks_are_none(agtool: Agtool, shop: Shop) -> None:
    """A second pair of agtool's own does not make a database look inhabited."""
    create = shop.command("CREATE TABLE goods (n int)")
    assert agtool.run(*once(*create), url=shop.url).exit_code == 0
    other = ["--lock-table", "others"]
    assert ran(agtool.run(*once("echo", "ran", options=other), url=shop.url))
    shop.rows("DROP TABLE goods")
    assert ran(agtool.run(*once("echo", "ran"), url=shop.url))


def test_a_database_that_is_made_anew_beside_its_lock_table(
    agtool: Agtool, mariadb_database: MariaDBDatabase
) -> None:
    server, name = mariadb_database.server, mariadb_database.name
    locks = f"{name}_locks"
    server.create_database(locks, owner=name)
    shop = Shop(mariadb_database)
    options = ["--lock-table", f"{locks}.shop"]
    create = shop.command("CREATE TABLE goods (n int)")
    assert agtool.run(*once(*create, options=options), url=shop.url).exit_code == 0
    assert not ran(agtool.run(*once("echo", "ran", options=options), url=shop.url))
    server.execute(f"DROP DATABASE {name}")
    server.execute(f"CREATE DATABASE {name}")
    assert ran(agtool.run(*once("echo", "ran", options=options), url=shop.url))
    server.execute(f"DROP DATABASE {locks}")


def test_a_mark_beside_is_of_one_database(
    agtool: Agtool, mariadb_database: MariaDBDatabase
) -> None:
    """Two databases of a server, with one table for their runs."""
    server, name = mariadb_database.server, mariadb_database.name
    others = [f"{name}_locks", f"{name}_two"]
    for other in others:
        server.create_database(other, owner=name)
    options = ["--lock-table", f"{name}_locks.shared"]
    first, second = mariadb_database.url, server.url(f"{name}_two", user=name)
    assert ran(agtool.run(*once("echo", "ran", options=options), url=first))
    assert ran(agtool.run(*once("echo", "ran", options=options), url=second))
    for url in (first, second):
        assert not ran(agtool.run(*once("echo", "ran", options=options), url=url))
    for other in others:
        server.execute(f"DROP DATABASE {other}")


@pytest.mark.parametrize("key", ["k", "next"])
def test_the_table_of_an_older_agtool(agtool: Agtool, shop: Shop, key: str) -> None:
    """Its marks count, and it gets the columns that it lacks when the next run begins."""
    shop.inhabit()
    assert ran(agtool.run(*once("echo", "ran"), url=shop.url))
    rows = f"SELECT run_id, name, done_key, place, state, exit_code FROM {shop.runs}"
    before = shop.rows(rows)
    columns = "run_id, name, done_key, place, state, exit_code"
    older = spelled(shop, OLDER).replace(f"CREATE TABLE {shop.runs}", "CREATE TABLE older_runs", 1)
    owner = f"; ALTER TABLE {shop.runs} OWNER TO {shop.name}" if shop.on_postgresql else ""
    for statement in (
        older,
        f"INSERT INTO older_runs ({columns}) SELECT {columns} FROM {shop.runs}",
        f"DROP TABLE {shop.runs}",
        "ALTER TABLE older_runs SET SCHEMA agtool; "
        f"ALTER TABLE agtool.older_runs RENAME TO install_locks_runs{owner}"
        if shop.on_postgresql
        else f"ALTER TABLE older_runs RENAME TO {shop.runs}",
    ):
        shop.rows(statement)
    assert agtool.run("migrate-once", "--status", url=shop.url).exit_code == 0
    assert ran(agtool.run(*once("echo", "ran", key=key), url=shop.url)) == (key == "next")
    assert before[0] in shop.rows(rows)
    assert not ran(agtool.run(*once("echo", "ran"), url=shop.url))


@pytest.mark.parametrize("change", ["deleted", "emptied", "made anew", "replaced by a dump"])
def test_a_file_of_sqlite(agtool: Agtool, tmp_path: Path, change: str) -> None:
    file = tmp_path / "app.db"
    url = f"sqlite:///{file}"

    def execute(statement: str) -> None:
        with closing(sqlite3.connect(file)) as connection:
            connection.executescript(statement)

    create = f'import sqlite3; sqlite3.connect("{file}").execute("CREATE TABLE goods (n int)")'
    assert agtool.run(*once("python3", "-c", create), url=url).exit_code == 0
    assert not ran(agtool.run(*once("echo", "ran"), url=url))
    if change == "emptied":
        execute("DROP TABLE goods")
    else:
        file.unlink()
        if change == "made anew":
            execute("VACUUM")
        elif change == "replaced by a dump":
            execute("CREATE TABLE goods (n int)")
    again = ran(agtool.run(*once("echo", "ran"), url=url))
    assert again == (change != "replaced by a dump")


def test_a_command_that_deletes_the_runs_of_sqlite(agtool: Agtool, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'app.db'}"
    done = agtool.run(*once("rm", str(tmp_path / "app.db.agtool-runs")), url=url)
    assert done.exit_code == 0, done.stderr
    assert not ran(agtool.run(*once("echo", "ran"), url=url))


def test_a_file_of_sqlite_that_cannot_be_read_keeps_its_marks(
    agtool: Agtool, tmp_path: Path
) -> None:
    """One that is locked, or ciphered, is not taken for an empty one."""
    file = tmp_path / "app.db"
    url = f"sqlite:///{file}"
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE goods (n int)")
        assert ran(agtool.run(*once("echo", "ran"), url=url))
        connection.execute("BEGIN EXCLUSIVE")
        assert not ran(agtool.run(*once("echo", "ran"), url=url))
    with suppress(OSError):
        file.write_bytes(b"ciphered" * 1024)
    assert not ran(agtool.run(*once("echo", "ran"), url=url))
