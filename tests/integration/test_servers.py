"""The servers that other tests rely on do what they say, and leave nothing behind."""

import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg2
import pymysql
import pytest

if TYPE_CHECKING:
    from pymysql.connections import Connection
    from pymysql.cursors import Cursor

from tests.conftest import Database, needed
from tests.servers.mariadb import MariaDB
from tests.servers.mysql import new_mariadb
from tests.servers.network import NetworkNamespace, run_ip
from tests.servers.pgbouncer import PgBouncer
from tests.servers.postgresql import PostgreSQL
from tests.servers.process import (
    ServerFailed,
    ServerProcess,
    ServerUnavailable,
    find_program,
    free_port,
)
from tests.servers.proxy import TcpProxy


def answer(url: str, query: str = "SELECT 1") -> object:
    with closing(psycopg2.connect(url, connect_timeout=5)) as connection:
        connection.autocommit = True
        cursor = connection.cursor()
        cursor.execute(query)
        row = cursor.fetchone()
        assert row is not None
        return row[0]


def gone(pid: int | None) -> bool:
    assert pid is not None
    return not Path("/proc", str(pid)).exists()


class TestPostgreSQL:
    def test_a_database_belongs_to_its_role(self, database: Database) -> None:
        assert answer(database.url, "SELECT current_user") == database.name
        with closing(database.connect()) as connection:
            connection.cursor().execute("CREATE SCHEMA mine")

    def test_a_password_is_asked_for(self, postgresql: PostgreSQL) -> None:
        with pytest.raises(psycopg2.OperationalError, match="authentication failed"):
            answer(postgresql.url(password="wrong"))

    def test_restart_keeps_port_and_data_and_the_end_leaves_no_process(self, folder: Path) -> None:
        settings = {"idle_in_transaction_session_timeout": "7s"}
        with PostgreSQL(folder, max_connections=17, settings=settings) as server:
            url = server.url()
            server.execute("CREATE TABLE kept AS SELECT 42 AS number", database="app")
            server.execute("GRANT SELECT ON kept TO app", database="app")
            first = server.pid
            server.restart("immediate")
            second = server.pid
            assert first != second
            assert gone(first)
            assert answer(url, "SELECT number FROM kept") == 42
            assert answer(url, "SHOW max_connections") == "17"
            assert answer(url, "SHOW idle_in_transaction_session_timeout") == "7s"
        assert gone(second)
        assert server.pid is None

    def test_a_standby_follows_and_is_read_only(self, folder: Path) -> None:
        with PostgreSQL(folder) as server:
            with server.standby() as standby:
                assert answer(standby.url(), "SELECT pg_is_in_recovery()") is True
                with pytest.raises(psycopg2.errors.ReadOnlySqlTransaction):
                    answer(standby.url(), "CREATE TABLE refused ()")
                server.create_database("later")
                server.execute("SELECT pg_switch_wal()")
                assert eventually(lambda: answer(standby.url("later", user="postgres")) == 1)
                pid = standby.pid
            assert gone(pid)
            assert answer(server.url(), "SELECT pg_is_in_recovery()") is False

    def test_a_failure_to_start_shows_the_log(self, folder: Path) -> None:
        with pytest.raises(ServerFailed, match="no_such_setting"):
            PostgreSQL(folder, settings={"no_such_setting": "1"}).start()


def test_programs_of_a_closed_cache_can_be_used(folder: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    program = cache / "tool" / "bin" / "true"
    program.parent.mkdir(parents=True)
    shutil.copy(find_program("true"), program)
    for path in (program, *program.parents[:2]):
        path.chmod(0o755)
    cache.chmod(0o700)
    process = ServerProcess(folder, account="nobody")
    process.run(process.reach(program, cache))
    elsewhere = find_program("false")
    assert process.reach(elsewhere, cache) == elsewhere


class TestPgBouncer:
    def test_many_clients_share_few_server_connections(
        self, database: Database, pgbouncer: Callable[..., PgBouncer]
    ) -> None:
        bouncer = pgbouncer(default_pool_size=1)
        url = bouncer.url(database.name, user=database.name)
        assert len({answer(url, "SELECT pg_backend_pid()") for _ in range(3)}) == 1
        pid = bouncer.pid
        bouncer.stop()
        assert gone(pid)

    def test_its_defaults_are_those_of_production(
        self, pgbouncer: Callable[..., PgBouncer]
    ) -> None:
        with pytest.raises(psycopg2.OperationalError, match="unsupported startup parameter"):
            answer(pgbouncer().url() + "?options=-csearch_path%3Dapp")


class TestMariaDB:
    def test_a_user_works_in_its_database(self, mariadb: MariaDB) -> None:
        mariadb.create_role("clerk", "clerk @ secret")
        mariadb.create_database("files", owner="clerk")
        with closing(self.log_in(mariadb, "clerk", "files")) as connection:
            connection.cursor().execute("CREATE TABLE papers (number INT)")
        assert mariadb.url("files", user="clerk") == (
            f"mysql+pymysql://clerk:clerk%20%40%20secret@127.0.0.1:{mariadb.port}/files"
        )

    def test_restart_keeps_port_and_data_and_the_end_leaves_no_process(self, folder: Path) -> None:
        with needed(), new_mariadb(folder, settings={"max_connections": "17"}) as server:
            server.execute("CREATE TABLE app.kept AS SELECT 42 AS number")
            first = server.pid
            server.restart()
            second = server.pid
            assert gone(first)
            with closing(self.log_in(server, "app", "app")) as connection:
                cursor = connection.cursor()
                cursor.execute("SELECT number, @@max_connections FROM kept")
                assert cursor.fetchone() == (42, 17)
        assert gone(second)

    def log_in(self, server: MariaDB, user: str, database: str) -> "Connection[Cursor]":
        password = server.passwords[user]
        return pymysql.connect(
            host=server.host, port=server.port, user=user, password=password, database=database
        )


class TestTcpProxy:
    def test_a_database_answers_through_it(self, database: Database) -> None:
        with TcpProxy(database.server.host, database.server.port) as proxy:
            url = database.server.url(database.name, user=database.name, port=proxy.port)
            with closing(psycopg2.connect(url)):
                assert proxy.connections() == 1
            assert eventually(lambda: proxy.connections() == 0)

    def test_freeze_stalls_and_thaw_delivers_what_was_held_back(self) -> None:
        with proxied() as (proxy, client, server):
            proxy.freeze()
            client.sendall(b"question")
            server.sendall(b"news")
            for end in (client, server):
                end.settimeout(0.5)
                with pytest.raises(TimeoutError):
                    end.recv(100)
            assert proxy.connections() == 1
            proxy.thaw()
            assert server.recv(100) == b"question"
            assert client.recv(100) == b"news"

    @pytest.mark.parametrize("direction", [0, 1])
    def test_freeze_stalls_one_direction_only(self, direction: int) -> None:
        with proxied() as (proxy, *ends):
            proxy.freeze(direction)
            stalled, flowing = ends[direction], ends[1 - direction]
            stalled.sendall(b"held back")
            flowing.sendall(b"through")
            assert stalled.recv(100) == b"through"
            assert proxy.held() == 1
            proxy.thaw()
            assert flowing.recv(100) == b"held back"

    @pytest.mark.parametrize("gone", [0, 1])
    def test_a_half_open_connection_is_gone_on_one_side(self, gone: int) -> None:
        with proxied() as (proxy, *ends):
            proxy.halve(gone)
            with pytest.raises(ConnectionResetError):
                ends[gone].recv(100)
            other = ends[1 - gone]
            other.sendall(b"is anybody there?")
            other.settimeout(0.5)
            with pytest.raises(TimeoutError):
                other.recv(100)
            other.settimeout(5)
            proxy.forget()
            with pytest.raises(ConnectionResetError):
                other.recv(100)

    def test_cut_resets_both_sides(self) -> None:
        with proxied() as (proxy, client, server):
            proxy.cut()
            for end in (client, server):
                with pytest.raises(ConnectionResetError):
                    end.recv(100)
            assert proxy.connections() == 0

    def test_refuse_leaves_present_connections_and_accept_opens_the_same_port(self) -> None:
        with proxied() as (proxy, client, server):
            address = (proxy.host, proxy.port)
            proxy.refuse()
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(address, timeout=5)
            client.sendall(b"still here")
            assert server.recv(100) == b"still here"
            proxy.accept()
            socket.create_connection(address, timeout=5).close()

    def test_latency_is_for_each_direction(self) -> None:
        with proxied() as (proxy, client, server):
            proxy.latency = 0.2
            started = time.monotonic()
            client.sendall(b"ping")
            server.sendall(server.recv(100))
            assert client.recv(100) == b"ping"
            assert time.monotonic() - started >= 0.4

    def test_a_connection_ends_on_both_sides(self) -> None:
        with proxied() as (proxy, client, server):
            client.close()
            assert server.recv(100) == b""
            server.close()
            assert eventually(lambda: proxy.connections() == 0)


class TestNetworkNamespace:
    ECHO = (
        "import socket, sys\n"
        "s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 5); s.settimeout(None)\n"
        "while data := s.recv(100): s.sendall(data.upper())\n"
    )

    def test_drop_loses_packets_in_silence_and_restore_brings_them(
        self, network_namespace: NetworkNamespace
    ) -> None:
        with closing(socket.create_server((network_namespace.host, 0))) as listening:
            listening.settimeout(5)
            port = str(listening.getsockname()[1])
            program = [sys.executable, "-c", self.ECHO, network_namespace.host, port]
            process = network_namespace.run(program)
            connection, (peer, _) = listening.accept()
            with connection:
                assert peer == network_namespace.address
                connection.settimeout(5)
                connection.sendall(b"one")
                assert connection.recv(100) == b"ONE"

                network_namespace.drop()
                connection.settimeout(1)
                connection.sendall(b"two")
                with pytest.raises(TimeoutError):
                    connection.recv(100)
                assert process.poll() is None

                network_namespace.restore()
                # TCP sends it again by itself, after one or two of its doubling waits.
                connection.settimeout(10)
                assert connection.recv(100) == b"TWO"

    def test_a_database_is_reached_from_inside(
        self, network_namespace: NetworkNamespace, folder: Path
    ) -> None:
        with PostgreSQL(folder, listen=f"127.0.0.1,{network_namespace.host}") as server:
            url = server.url(host=network_namespace.host)
            code = "import psycopg2, sys; psycopg2.connect(sys.argv[1]).close(); print('reached')"
            process = network_namespace.run([sys.executable, "-c", code, url])
            assert process.communicate(timeout=10) == (b"reached\n", b"")

    def test_nothing_is_left_behind(self, network_namespace: NetworkNamespace) -> None:
        with NetworkNamespace() as namespace:
            process = namespace.run(["sleep", "60"])
            assert {namespace.name, network_namespace.name} <= set(self.names())
        assert process.returncode == -signal.SIGKILL
        assert namespace.name not in self.names()

    def test_what_a_crashed_run_left_is_removed(self, network_namespace: NetworkNamespace) -> None:
        crash = (
            "import os, sys; from tests.servers.network import NetworkNamespace as N\n"
            "n = N(); n.__enter__(); n.run(['sleep', '60']); print(n.name, flush=True); os._exit(0)"
        )
        root = Path(__file__).parents[2]
        crashed = subprocess.run(
            [sys.executable, "-c", crash], cwd=root, capture_output=True, text=True, check=True
        )
        left = crashed.stdout.strip()
        assert left in self.names()
        with NetworkNamespace() as namespace:
            assert left not in self.names()
            assert {namespace.name, network_namespace.name} <= set(self.names())

    def names(self) -> list[str]:
        listed = run_ip(find_program("ip"), "netns", "list")
        return [line.split()[0] for line in listed.splitlines()]


def test_a_missing_program_is_named() -> None:
    with pytest.raises(ServerUnavailable, match="no-such-server is not installed"):
        find_program("no-such-server")


def eventually(condition: Callable[[], bool], seconds: float = 10) -> bool:
    """Return whether the condition comes true in time; a failed connection is a no."""
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up:
        try:
            if condition():
                return True
        except psycopg2.OperationalError:
            pass
        time.sleep(0.02)
    return False


@contextmanager
def proxied() -> Iterator[tuple[TcpProxy, socket.socket, socket.socket]]:
    """Give a proxy, and both ends of a connection through it."""
    with (
        closing(socket.create_server(("127.0.0.1", free_port()))) as listening,
        TcpProxy(*listening.getsockname()) as proxy,
        socket.create_connection((proxy.host, proxy.port), timeout=5) as client,
    ):
        listening.settimeout(5)
        server, _ = listening.accept()
        with server:
            server.settimeout(5)
            yield proxy, client, server
