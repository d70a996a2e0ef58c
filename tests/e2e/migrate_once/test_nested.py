"""An agtool within the command of another one: on the same lock it would wait for itself."""

import json
import shlex
import sys
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.conftest import Database, MariaDBDatabase
from tests.e2e.conftest import Agtool, Gate

AGTOOL = f"{shlex.quote(sys.executable)} -m agtool migrate-once"
MESSAGE = "it would wait for itself"


class Urls:
    """The URLs of one database: as it is given, spelt otherwise, and with another account."""

    def __init__(self, url: str, *others: str) -> None:
        self.url, self.others = url, others


def of_postgresql(database: Database) -> Urls:
    server, name = database.server, database.name
    password = quote(server.passwords[name], safe="")
    return Urls(
        database.url,
        f"jdbc:postgresql://{server.host}:{server.port}/{name}?user={name}&password={password}",
        server.url(name, user="postgres"),
    )


def of_mysql(database: MariaDBDatabase) -> Urls:
    server, name = database.server, database.name
    password = quote(server.passwords[name], safe="")
    return Urls(
        database.url,
        f"mariadb+pymysql://{name}:{password}@{server.host}:{server.port}/{name}?charset=utf8mb4",
        server.url(name, user="admin"),
    )


@pytest.fixture(params=["postgresql", "mysql", "sqlite"])
def urls(request: pytest.FixtureRequest, tmp_path: Path) -> Urls:
    if request.param == "postgresql":
        return of_postgresql(request.getfixturevalue("database"))
    if request.param == "mysql":
        return of_mysql(request.getfixturevalue("mariadb_database"))
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "link").symlink_to(folder)
    return Urls(f"sqlite:///{folder}/app.db", f"sqlite:///{tmp_path}/link/app.db")


def inner(url: str, *options: str, command: str = "echo inner") -> str:
    return f"{AGTOOL} --database-url '{url}' {' '.join(options)} -- {command}"


def test_the_inner_one_refuses_at_once(urls: Urls, agtool: Agtool, tmp_path: Path) -> None:
    for url in (urls.url, *urls.others):
        result = tmp_path / "result.json"
        script = inner(url, "--result-file", str(result))
        done = agtool.run("migrate-once", "--", "sh", "-c", f'sh -c "{script}"', url=urls.url)
        assert (done.exit_code, done.stdout) == (125, "")
        assert done.stderr.count(MESSAGE) == 1
        (error,) = json.loads(result.read_text())["errors"]
        assert error["code"] == "configuration"
        assert MESSAGE in error["message"]


def test_one_that_only_waits_refuses_too(urls: Urls, agtool: Agtool) -> None:
    """Of whatever key: nobody else can run before the outer one's command has ended."""
    waiting = f"{AGTOOL} --database-url '{urls.url}' --wait --key"
    for key in ("k", "another"):
        script = f"{waiting} {key} --wait-timeout 60s"
        done = agtool.run("migrate-once", "--key", "k", "--", "sh", "-c", script, url=urls.url)
        assert done.exit_code == 125
        assert done.stderr.count(MESSAGE) == 1
    done = agtool.run("migrate-once", "--key", "k", "--", "true", url=urls.url)
    assert done.exit_code == 0
    done = agtool.run("migrate-once", "--", "sh", "-c", f"{waiting} k", url=urls.url)
    assert done.exit_code == 0, done.stderr


def test_the_outermost_is_known_two_levels_below(
    urls: Urls, agtool: Agtool, tmp_path: Path
) -> None:
    script = inner(f"sqlite:///{tmp_path}/other.db", command=inner(urls.url))
    done = agtool.run("migrate-once", "--", "sh", "-c", script, url=urls.url)
    assert (done.exit_code, done.stdout) == (125, "")
    assert done.stderr.count(MESSAGE) == 1


def test_another_lock_is_taken(urls: Urls, agtool: Agtool, tmp_path: Path) -> None:
    sqlite = urls.url.startswith("sqlite")
    other = f"sqlite:///{tmp_path}/other.db" if sqlite else urls.url
    options = [] if sqlite else ["--lock-table", "other_locks"]
    done = agtool.run("migrate-once", "--", "sh", "-c", inner(other, *options), url=urls.url)
    assert (done.exit_code, done.stdout) == (0, "inner\n"), done.stderr


def test_a_key_that_is_done_needs_no_lock(urls: Urls, agtool: Agtool) -> None:
    key = ["migrate-once", "--key", "inner", "--", "true"]
    assert agtool.run(*key, url=urls.url).exit_code == 0
    script = inner(urls.url, "--key", "inner")
    done = agtool.run("migrate-once", "--", "sh", "-c", script, url=urls.url)
    assert (done.exit_code, done.stdout) == (0, "")


def test_neither_an_empty_environment_nor_a_session_of_its_own_hides_it(
    urls: Urls, agtool: Agtool
) -> None:
    script = f"setsid --wait env -i {inner(urls.url)}"
    done = agtool.run("migrate-once", "--", "sh", "-c", script, url=urls.url)
    assert (done.exit_code, done.stdout) == (125, "")
    assert done.stderr.count(MESSAGE) == 1


def test_one_that_is_started_beside_a_holder_waits_for_it(
    urls: Urls, agtool: Agtool, gate: Gate
) -> None:
    """They have ancestors in common, but neither is the other's."""
    holder = agtool.start("migrate-once", "--", *gate.command, url=urls.url)
    gate.wait()
    waiter = agtool.start("migrate-once", "--", "echo", "ran", url=urls.url)
    waiter.wait_for("waiting for")
    gate.open()
    assert holder.wait().exit_code == 0
    done = waiter.wait()
    assert (done.exit_code, done.stdout) == (0, "ran\n")
