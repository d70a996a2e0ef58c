"""The port on SQLite: real files, real locks."""

import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from agtool.core.errors import AgtoolError, ConfigurationError, DeniedError
from agtool.migrate_once.backend import AlreadyDone, Busy, LockLost, NotYet
from agtool.migrate_once.engines.sqlite.backend import SQLite
from agtool.migrate_once.engines.sqlite.lock import SQLiteLock
from agtool.migrate_once.model import Attempt, End, new_run_id
from agtool.migrate_once.url import parse
from tests.e2e.conftest import wait_until

DONE = End("done", 0, waited=0.0, ran=0.0)
FAILED = End("failed", 3, waited=0.0, ran=0.0)


def new_attempt(key: str | None = None) -> Attempt:
    return Attempt("default", key, "here", new_run_id())


def backend(file: Path | str) -> SQLite:
    return SQLite(parse(f"sqlite:///{file}"))


def take(port: SQLite, attempt: Attempt) -> SQLiteLock:
    """The lock, which must be free, with the run begun."""
    lock = port.attempt(attempt, look=False)
    assert isinstance(lock, SQLiteLock)
    port.record_start(attempt, 20)
    return lock


@pytest.mark.parametrize("name", ["", ".", "folder", "link", "new/"])
def test_a_folder_is_no_database(name: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")
    with pytest.raises(ConfigurationError, match="names a folder"):
        backend(f"{tmp_path}/{name}")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "link"]


def test_the_root_is_no_database() -> None:
    with pytest.raises(ConfigurationError, match="names a folder"):
        backend("/")


def test_names_that_no_file_can_have(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="holds a NUL"):
        backend("file:a%2500?uri=true")
    with pytest.raises(DeniedError, match="File name too long"):
        backend(tmp_path / ("a" * 300))


def test_one_has_the_lock_and_the_next_gets_it(tmp_path: Path) -> None:
    port = backend(tmp_path / "app.db")
    assert not port.status(5).held
    first, second = new_attempt(), new_attempt()
    lock = take(port, first)
    assert port.attempt(second, look=False) == Busy(None)
    busy = port.attempt(second, look=True)
    assert isinstance(busy, Busy)
    assert busy.situation is not None
    assert busy.situation.holder is not None
    assert busy.situation.holder.run_id == first.run_id
    status = port.status(5)
    assert status.held
    assert [run.run_id for run in (status.waiting or ())] == [second.run_id]
    assert abs(status.now.timestamp() - time.time()) < 10
    lock.check()
    copy = os.dup(lock.keep_open)  # as the keeper has one, until it ends a little later
    lock.finish(DONE)
    assert not port.status(5).held
    os.close(copy)
    take(port, second).release()
    assert not (tmp_path / "app.db").exists(), "the database is the command's own business"


def test_the_lock_is_the_files(tmp_path: Path) -> None:
    """Whatever path leads to it."""
    (tmp_path / "link.db").symlink_to(tmp_path / "app.db")
    lock = take(backend(tmp_path / "app.db"), new_attempt())
    other = SQLite(parse(f"sqlite:///{tmp_path}/link.db"))
    assert isinstance(other.attempt(new_attempt(), look=True), Busy)
    elsewhere = backend(tmp_path / "other.db").attempt(new_attempt(), look=False)
    assert isinstance(elsewhere, SQLiteLock)
    elsewhere.release()
    lock.release()


def test_keys(tmp_path: Path) -> None:
    port = backend(tmp_path / "app.db")
    take(port, new_attempt("failed")).finish(FAILED)
    take(port, new_attempt("Key")).finish(DONE)
    assert isinstance(port.attempt(new_attempt("Key"), look=False), AlreadyDone)
    for key in ("key", "failed", "Key "):
        lock = port.attempt(new_attempt(key), look=False)
        assert isinstance(lock, SQLiteLock), key
        lock.release()


def test_a_mark_is_not_taken_back(tmp_path: Path) -> None:
    """As by an agtool to which the answer to its COMMIT was lost."""
    port, attempt = backend(tmp_path / "app.db"), new_attempt("k1")
    assert take(port, attempt).finish(DONE) is None
    port.record_lost(attempt.run_id, 1)
    assert isinstance(port.attempt(new_attempt("k1"), look=False), AlreadyDone)


def test_the_database_itself_stays_free(tmp_path: Path) -> None:
    file = tmp_path / "app.db"
    lock = take(backend(file), new_attempt())
    with closing(sqlite3.connect(file, timeout=0, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("BEGIN EXCLUSIVE")
        connection.execute("CREATE TABLE t (n int)")
        lock.check()
        connection.execute("COMMIT")
    lock.finish(DONE)


def test_many_at_once(tmp_path: Path) -> None:
    answers: list[object] = []

    def attempt() -> None:
        try:
            answers.append(backend(tmp_path / "app.db").attempt(new_attempt("k"), look=True))
        except AgtoolError as error:
            answers.append(error)

    threads = [threading.Thread(target=attempt) for _ in range(25)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not [answer for answer in answers if isinstance(answer, AgtoolError)]
    assert len([answer for answer in answers if isinstance(answer, SQLiteLock)]) == 1


@pytest.mark.parametrize("replaced", [False, True])
def test_a_deleted_lock_file_is_a_lost_lock(tmp_path: Path, replaced: bool) -> None:
    port = backend(tmp_path / "app.db")
    attempt = new_attempt("k")
    lock = take(port, attempt)
    port.files.lock.unlink()
    if replaced:
        port.files.lock.touch()
    with pytest.raises(LockLost):
        lock.check()
    with pytest.raises(LockLost):
        lock.finish(DONE)
    successor = port.attempt(new_attempt("k"), look=False)
    assert isinstance(successor, SQLiteLock), "there is no marker"
    assert [run.run_id for run in successor.unfinished()] == [attempt.run_id]
    successor.release()


def test_a_file_deleted_before_it_is_locked_is_not_the_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise two could hold the lock, each on its own file."""
    import fcntl

    port = backend(tmp_path / "app.db")
    flock = fcntl.flock
    deleted: list[Path] = []

    def late(descriptor: int, operation: int) -> None:
        if not deleted:
            deleted.append(port.files.lock)
            port.files.lock.unlink()
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    lock = port.attempt(new_attempt(), look=False)
    assert deleted
    assert isinstance(lock, SQLiteLock)
    lock.check()
    lock.release()


def test_the_lock_stays_while_a_descendant_lives(tmp_path: Path) -> None:
    """The holder is killed; what it started inherited the descriptor."""
    file = tmp_path / "app.db"
    script = f"""
import subprocess, time
from pathlib import Path
from agtool.migrate_once.model import Attempt, new_run_id
from agtool.migrate_once.engines.sqlite.backend import SQLite
from agtool.migrate_once.url import parse
port = SQLite(parse("sqlite:///{file}"))
lock = port.attempt(Attempt("n", None, "there", new_run_id()), look=False)
child = subprocess.Popen(["sleep", "60"], pass_fds=[lock.keep_open])
Path({str(tmp_path / "new")!r}).write_text(str(child.pid))
Path({str(tmp_path / "new")!r}).rename({str(tmp_path / "pid")!r})
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", script]) as holder:
        try:
            wait_until((tmp_path / "pid").exists, "it holds the lock")
        finally:
            holder.kill()
    child = int((tmp_path / "pid").read_text())
    port = backend(file)
    try:
        assert isinstance(port.attempt(new_attempt(), look=False), Busy)
        assert port.status(5).held
    finally:
        os.kill(child, signal.SIGKILL)
    wait_until(lambda: not port.status(5).held, "the lock is free")
    take(port, new_attempt()).release()


def test_a_busy_file_of_runs_is_a_reason_to_wait(tmp_path: Path) -> None:
    port = backend(tmp_path / "app.db")
    lock = take(port, new_attempt())
    with closing(sqlite3.connect(port.files.runs, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(NotYet, match="busy"):
            port.attempt(new_attempt(), look=True)
        lock.check()
    lock.finish(DONE)


# -- where the file is --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:////var/lib/app.db", "/var/lib/app.db"),
        ("sqlite:///app.db", "{cwd}/app.db"),
        ("sqlite:///sub/../app.db", "{cwd}/app.db"),
        ("sqlite+aiosqlite:///my%20app.db", "{cwd}/my app.db"),
        ("sqlite:///file:app.db?uri=true&cache=shared", "{cwd}/app.db"),
        ("sqlite:///file:/var/lib/my%2520app.db?mode=rwc&uri=true", "/var/lib/my app.db"),
        ("sqlite:///file:///var/lib/app.db?uri=true", "/var/lib/app.db"),
        ("sqlite:///file:app.db", "{cwd}/file:app.db"),
    ],
)
def test_the_file_of_a_url(
    url: str, path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert str(SQLite(parse(url)).files.database) == path.format(cwd=tmp_path)


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite:///file::memory:?uri=true&cache=shared",
        "sqlite:///file:shared?mode=memory&cache=shared&uri=true",
    ],
)
def test_a_database_in_memory_is_nobody_elses(url: str) -> None:
    with pytest.raises(ConfigurationError, match="in memory"):
        SQLite(parse(url))


# -- refusals -----------------------------------------------------------------------------


def failure(file: Path | str) -> AgtoolError:
    with pytest.raises(AgtoolError) as caught:
        backend(file).attempt(new_attempt(), look=False)
    return caught.value


def test_a_missing_directory(tmp_path: Path) -> None:
    for file in (tmp_path / "missing" / "app.db", Path("/dev/null/app.db")):
        error = failure(file)
        assert isinstance(error, ConfigurationError)
        assert str(file.parent) in error.message
        with pytest.raises(ConfigurationError, match=re.escape(str(file.parent))):
            backend(file).status(10)


def test_a_directory_that_cannot_be_written() -> None:
    """In sysfs nobody can create a file, root neither."""
    error = failure("/sys/app.db")
    assert isinstance(error, DeniedError)
    assert "write in /sys" in error.hint


def test_a_file_of_runs_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "app.db.agtool-runs").write_text("not a database" * 100)
    error = failure(tmp_path / "app.db")
    assert isinstance(error, ConfigurationError)
    assert "app.db.agtool-runs" in error.message


@contextmanager
def ordinary_user() -> Iterator[None]:
    """Be subject to the permissions of files, as root is not."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(before)


def test_files_of_another_user(folder: Path) -> None:
    """To read the lock file is enough to lock it; the runs have to be written."""
    port = backend(folder / "app.db")
    take(port, new_attempt()).release()
    folder.chmod(0o777)
    port.files.lock.chmod(0o444)
    port.files.runs.chmod(0o666)
    with ordinary_user():
        take(port, new_attempt()).release()
    port.files.runs.chmod(0o444)
    with ordinary_user(), pytest.raises(DeniedError, match="cannot write"):
        port.record_start(new_attempt(), 20)
    port.files.lock.chmod(0)
    with ordinary_user(), pytest.raises(DeniedError, match="cannot create"):
        port.attempt(new_attempt(), look=False)


def test_a_warning_inside_a_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    assert backend(tmp_path / "app.db").warnings == ()
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    (warning,) = backend(tmp_path / "app.db").warnings
    assert "each pod" in warning
