"""The databases of chaos: how each is asked who has the lock, and is disturbed.

A lane is a database of its own on an engine, in which one round after the other takes place.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Generic, TypeVar
from urllib.parse import quote

import psycopg2
import pymysql

from tests.e2e.migrate_once.chaos.verdict import Commit
from tests.servers.mariadb import MariaDB
from tests.servers.postgresql import PostgreSQL
from tests.servers.process import server_folder

Row = tuple[object, ...]

DISK = 400
"""MiB of a disk that can be filled; memory that is taken as it is used."""

_FILLER = "filler"


@contextmanager
def small_disk(size: int) -> Iterator[Path]:
    """Give a folder that is a disk of its own, in memory, of so many MiB.

    Where one may not mount it is a folder like others, which nothing fills.
    """
    with server_folder() as folder:
        place = folder / "disk"
        place.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={size}m,mode=0755", "tmpfs", str(place)]
        mounted = subprocess.run(mount, check=False, stderr=subprocess.DEVNULL).returncode == 0
        try:
            yield place
        finally:
            if mounted:
                # What was killed last may still have a file open.
                subprocess.run(["umount", "--lazy", place], check=True)


def fill(disk: Path) -> bool:
    """Take all that is free on it; whether it is a disk of its own."""
    if not disk.is_mount():
        return False
    with (disk / _FILLER).open("wb") as filler:
        size = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
        while size >= 4096:
            try:
                os.posix_fallocate(filler.fileno(), filler.seek(0, os.SEEK_END), size)
            except OSError:
                size //= 2
    return True


def commits_of(rows: Iterable[Row]) -> list[Commit]:
    """What the rows say; agtool calls a replica by name and process, as in `r3 (pid 17)`."""
    return [Commit(str(run).partition(" ")[0], str(note), int(str(at))) for run, note, at in rows]


class Lane(ABC):
    """One database.

    Attributes:
        engine: as the worker calls it.
        model: what the model of the lock calls the engine; empty: PostgreSQL.
        address: where its server listens; None: there is none.
        disk: where its data lies.
    """

    engine: str
    model: str
    address: tuple[str, int] | None = None
    disk: Path

    @abstractmethod
    def reset(self) -> None:
        """Begin anew: an empty table for the commands' work, nothing of agtool's."""

    @abstractmethod
    def url(self, host: str | None = None, port: int | None = None) -> str:
        """Of the database, maybe by way of a proxy."""

    @abstractmethod
    def holders(self) -> list[tuple[int, str]]:
        """The sessions that have the lock (at most one), and whose it is, if that is known."""

    @abstractmethod
    def marks(self) -> list[Commit]:
        """The done markers that are there."""

    @abstractmethod
    def work(self) -> list[Commit]:
        """The rows that commands have committed."""

    @abstractmethod
    def record(self) -> list[Row]:
        """All of agtool's table, for people."""

    @abstractmethod
    def restart(self, *, crash: bool) -> bool:
        """Stop the server, in order or not, and start it; whether there is one."""

    @abstractmethod
    def end_session(self, session: int) -> None:
        """End a session on the server."""

    @abstractmethod
    def close(self) -> None:
        """Give back what has been opened."""

    def end_commands(self) -> bool:
        """End the sessions of commands on the server; whether there were any."""
        return False

    def set_password(self, password: str | None) -> bool:
        """Change the account's password, None: back again; whether it has one."""
        return False

    def fill_disk(self) -> bool:
        """Take all that is free on the disk; whether that was possible."""
        return fill(self.disk)

    def empty_disk(self) -> None:
        """Give it back, and mend what did not survive that."""
        (self.disk / _FILLER).unlink(missing_ok=True)


_Server = TypeVar("_Server", bound=PostgreSQL | MariaDB)


class _ServerLane(Lane, Generic[_Server]):
    """A database, and an account of the same name."""

    def __init__(self, server: _Server, name: str, disk: Path) -> None:
        self.server = server
        self.name = name
        self.disk = disk
        self.address = (server.host, server.port)
        self._monitor: Any = None
        self._password = f"{name} @ secret"
        server.create_role(name, self._password)
        server.create_database(name, owner=name)

    def url(self, host: str | None = None, port: int | None = None) -> str:
        return self.server.url(self.name, user=self.name, host=host, port=port)

    def empty_disk(self) -> None:
        super().empty_disk()
        _revive(self.server)


# -- PostgreSQL ---------------------------------------------------------------------------

_POSTGRESQL_SETTINGS = {
    "track_commit_timestamp": "on",
    # A crash may lose what has been committed, but for those who ask for more.
    "synchronous_commit": "off",
    # For a small disk.
    "max_wal_size": "64MB",
}


class PostgreSQLLane(_ServerLane[PostgreSQL]):
    """On PostgreSQL."""

    engine = "postgresql"
    model = ""

    def reset(self) -> None:
        self.server.execute(
            "SET synchronous_commit = on; DROP SCHEMA IF EXISTS agtool CASCADE; "
            "DROP TABLE IF EXISTS work; CREATE TABLE work (run text, note text); "
            f"ALTER TABLE work OWNER TO {self.name}",
            self.name,
        )

    def holders(self) -> list[tuple[int, str]]:
        rows = self._query(
            # A holder has two such locks: one says that it is held, the other by whom.
            "SELECT DISTINCT pid, application_name FROM pg_locks JOIN pg_stat_activity USING (pid) "
            "WHERE locktype = 'advisory' AND granted "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        return [(int(str(pid)), str(name)) for pid, name in rows]

    def marks(self) -> list[Commit]:
        return self._commits(
            "SELECT place, 'mark', {at} FROM agtool.install_locks_runs "
            "WHERE state = 'done' AND done_key IS NOT NULL"
        )

    def work(self) -> list[Commit]:
        return self._commits("SELECT run, note, {at} FROM work")

    def record(self) -> list[Row]:
        return self._query("SELECT * FROM agtool.install_locks_runs")

    def restart(self, *, crash: bool) -> bool:
        self.close()
        self.server.restart("immediate" if crash else "fast")
        return True

    def end_session(self, session: int) -> None:
        self._query("SELECT pg_terminate_backend(%s)", session)

    def end_commands(self) -> bool:
        return bool(
            self._query(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name LIKE 'agtool:%%' AND datname = %s",
                self.name,
            )
        )

    def set_password(self, password: str | None) -> bool:
        changed = (password or self._password).replace("'", "''")
        # So that a crash does not lose it.
        kept = "SET synchronous_commit = on"
        self.server.execute(f"{kept}; ALTER ROLE {self.name} PASSWORD '{changed}'")
        return True

    def close(self) -> None:
        if self._monitor is not None:
            with closing(self._monitor):
                self._monitor = None

    def _commits(self, statement: str) -> list[Commit]:
        at = "(extract(epoch FROM pg_xact_commit_timestamp(xmin)) * 1e9)::bigint"
        rows = self._query(statement.format(at=at))
        return commits_of(rows)

    def _query(self, statement: str, *parameters: object) -> list[Row]:
        """Ask the server directly, as superuser; nothing while it is down."""
        try:
            if self._monitor is None:
                self._monitor = self.server.connect(self.name)
            cursor = self._monitor.cursor()
            cursor.execute(statement, parameters or None)
            return list(cursor.fetchall())
        except psycopg2.Error:
            self.close()
            return []


# -- MariaDB ------------------------------------------------------------------------------

_MARIADB_SETTINGS = {
    # Says who has a lock of GET_LOCK, and which process that is.
    "performance_schema": "on",
    "performance_schema_instrument": "wait/lock/metadata/sql/mdl=on",
    "max_connections": "300",
    # What was committed survives when the server is killed.
    "innodb_flush_log_at_trx_commit": "2",
}


_VERSIONS = """born bigint unsigned GENERATED ALWAYS AS ROW START INVISIBLE,
died bigint unsigned GENERATED ALWAYS AS ROW END INVISIBLE,
PERIOD FOR SYSTEM_TIME (born, died)) WITH SYSTEM VERSIONING ENGINE=InnoDB"""


class MariaDBLane(_ServerLane[MariaDB]):
    """On MariaDB."""

    engine = "mysql"
    model = "MYSQL"

    def reset(self) -> None:
        for statement in (
            f"DROP TABLE IF EXISTS {self.name}.agtool_install_locks_runs",
            f"DROP TABLE IF EXISTS {self.name}.work",
            # Precise to the transaction: the server keeps when each was committed.
            f"CREATE TABLE {self.name}.work (run varchar(64), note varchar(64), {_VERSIONS}",
        ):
            self.server.execute(statement)

    def holders(self) -> list[tuple[int, str]]:
        rows = self._query(
            "SELECT DISTINCT t.processlist_id, coalesce(a.attr_value, '') "
            "FROM performance_schema.metadata_locks AS l "
            "JOIN performance_schema.threads AS t ON t.thread_id = l.owner_thread_id "
            "LEFT JOIN performance_schema.session_connect_attrs AS a "
            "ON a.processlist_id = t.processlist_id AND a.attr_name = '_pid' "
            "WHERE l.object_type = 'USER LEVEL LOCK' AND l.lock_status = 'GRANTED' "
            "AND t.processlist_user = %s",
            self.name,
        )
        return [(int(str(session)), f"process {pid} ") for session, pid in rows]

    def marks(self) -> list[Commit]:
        return self._commits(
            "SELECT place, 'mark', timestampdiff(microsecond, '1970-01-01', finished_at) * 1000 "
            "FROM agtool_install_locks_runs WHERE state = 'done' AND done_key IS NOT NULL"
        )

    def work(self) -> list[Commit]:
        return self._commits(
            "SELECT run, note, cast(unix_timestamp(r.commit_timestamp) * 1e9 AS unsigned) "
            "FROM work JOIN mysql.transaction_registry AS r ON r.transaction_id = work.born"
        )

    def record(self) -> list[Row]:
        return self._query("SELECT * FROM agtool_install_locks_runs")

    def restart(self, *, crash: bool) -> bool:
        self.close()
        if crash and self.server.pid is not None:
            os.kill(self.server.pid, 9)
        self.server.restart()
        return True

    def end_session(self, session: int) -> None:
        self._query(f"KILL CONNECTION {session}")

    def end_commands(self) -> bool:
        found = self._query(
            "SELECT id FROM information_schema.processlist "
            "WHERE user = %s AND info LIKE 'INSERT INTO work%%'",
            self.name,
        )
        for (session,) in found:
            self.end_session(int(str(session)))
        return bool(found)

    def set_password(self, password: str | None) -> bool:
        self.server.execute(
            f"ALTER USER {self.name}@'%%' IDENTIFIED BY %s", password or self._password
        )
        return True

    def close(self) -> None:
        if self._monitor is not None:
            with suppress(pymysql.Error):  # it is closed already
                self._monitor.close()
            self._monitor = None

    def _commits(self, statement: str) -> list[Commit]:
        rows = self._query(statement)
        return commits_of(rows)

    def _query(self, statement: str, *parameters: object) -> list[Row]:
        """Ask the server directly, as superuser; nothing while it is down."""
        try:
            if self._monitor is None:
                self._monitor = self.server.connect(self.name)
            with self._monitor.cursor() as cursor:
                cursor.execute(statement, parameters or None)
                return list(cursor.fetchall())
        except pymysql.Error:
            self.close()
            return []


def _revive(server: PostgreSQL | MariaDB) -> None:
    """Start the server again, if it did not survive; it may still be about to die."""
    give_up = time.monotonic() + 3
    while time.monotonic() < give_up:
        if not server.process.running():
            server.start()
            return
        with suppress(psycopg2.Error, pymysql.Error):
            server.connect().close()
            return
        time.sleep(0.05)
    server.restart()


# -- SQLite -------------------------------------------------------------------------------


class SQLiteLane(Lane):
    """A file on a disk."""

    engine = "sqlite"
    model = "SQLITE"

    def __init__(self, disk: Path) -> None:
        self.disk = disk
        self.file = disk / "app.db"

    def reset(self) -> None:
        for file in self.disk.iterdir():
            file.unlink()
        with closing(sqlite3.connect(self.file)) as connection:
            connection.execute("CREATE TABLE work (run text, note text, at int)")

    def url(self, host: str | None = None, port: int | None = None) -> str:
        return f"sqlite:///{quote(str(self.file))}"

    def holders(self) -> list[tuple[int, str]]:
        """Whose flock the kernel knows on the lock file."""
        with suppress(OSError):  # nobody has made it yet
            inode = Path(f"{self.file}.agtool-lock").stat().st_ino
            device = self.disk.stat().st_dev
            file = f"{os.major(device):02x}:{os.minor(device):02x}:{inode}"
            locks = (line.split() for line in Path("/proc/locks").read_text().splitlines())
            return [(0, f"process {lock[4]} ") for lock in locks if lock[5] == file]
        return []

    def marks(self) -> list[Commit]:
        return self._commits(
            f"{self.file}.agtool-runs",
            "SELECT place, 'mark', "
            "cast((julianday(finished_at) - 2440587.5) * 86400000 AS int) * 1000000 "
            "FROM install_locks_runs WHERE state = 'done' AND done_key IS NOT NULL",
        )

    def work(self) -> list[Commit]:
        """Written by the command itself: nothing of it is committed after its end."""
        return self._commits(str(self.file), "SELECT run, note, at FROM work")

    def record(self) -> list[Row]:
        return self._query(f"{self.file}.agtool-runs", "SELECT * FROM install_locks_runs")

    def restart(self, *, crash: bool) -> bool:
        return False

    def end_session(self, session: int) -> None:
        """There are none."""

    def close(self) -> None:
        """Nothing is kept open."""

    def _commits(self, file: str, statement: str) -> list[Commit]:
        rows = self._query(file, statement)
        return commits_of(rows)

    def _query(self, file: str, statement: str) -> list[Row]:
        try:
            with closing(sqlite3.connect(f"file:{quote(file)}?mode=ro", uri=True)) as connection:
                return list(connection.execute(statement))
        except sqlite3.Error:
            return []


# -- all ----------------------------------------------------------------------------------

ENGINES = ("postgresql", "pgbouncer", "mariadb", "sqlite")


@contextmanager
def lanes(engine: str, count: int) -> Iterator[list[Lane]]:
    """Give so many databases of an engine. Raises ServerUnavailable."""
    with ExitStack() as stack:
        if engine == "sqlite":
            disks = [stack.enter_context(small_disk(4)) for _ in range(count)]
            yield [SQLiteLane(disk) for disk in disks]
            return
        disk = stack.enter_context(small_disk(DISK))
        names = [f"lane_{number}" for number in range(count)]
        if engine == "mariadb":
            mariadb = stack.enter_context(MariaDB(disk / "server", settings=_MARIADB_SETTINGS))
            found: list[Lane] = [MariaDBLane(mariadb, name, disk) for name in names]
        else:
            postgresql = stack.enter_context(
                PostgreSQL(disk / "server", max_connections=300, settings=_POSTGRESQL_SETTINGS)
            )
            found = [PostgreSQLLane(postgresql, name, disk) for name in names]
        for lane in found:
            stack.callback(lane.close)
        yield found
