"""The port on a real MariaDB: the lock, the marker, the sessions of a command, and the errors."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from urllib.parse import quote

import pymysql
import pytest

from agtool.core.errors import AgtoolError, ConfigurationError, DeniedError
from agtool.core.process.connections import connections_of
from agtool.migrate_once.backend import AlreadyDone, Busy, LockLost, NotYet
from agtool.migrate_once.engines.mysql import session as mysql_session
from agtool.migrate_once.engines.mysql.backend import MySQL
from agtool.migrate_once.engines.mysql.lock import MySQLLock
from agtool.migrate_once.model import Attempt, End, TableName, new_run_id
from agtool.migrate_once.url import parse
from tests.conftest import MariaDBDatabase, needed
from tests.e2e.conftest import wait_until
from tests.servers.mariadb import MariaDB
from tests.servers.mysql import new_mariadb
from tests.servers.process import find_program, free_port, server_folder
from tests.servers.proxy import TcpProxy

# Connects, says so, and runs the given statement, or nothing. Arguments: port, user, password,
# database, statement.
CLIENT = """
import sys, time, pymysql
port, user, password, database, statement = sys.argv[1:]
connection = pymysql.connect(
    host="127.0.0.1", port=int(port), user=user, password=password.encode(), database=database,
    autocommit=True,
)
print("connected", flush=True)
if statement:
    connection.cursor().execute(statement)
time.sleep(60)
"""

DONE = End("done", 0, waited=0.0, ran=0.0)
FAILED = End("failed", 3, waited=0.0, ran=0.0)


def new_attempt(key: str | None = None, name: str = "default") -> Attempt:
    return Attempt(name, key, "here", new_run_id())


def backend(url: str, table: str | None = None, time_to_die: float = 20) -> MySQL:
    name = TableName.parse(table) if table else None
    return MySQL(parse(url), name, time_to_die=time_to_die)


def take(port: MySQL, attempt: Attempt) -> MySQLLock:
    """The lock, which must be free, with the run begun."""
    lock = port.attempt(attempt, look=False)
    assert isinstance(lock, MySQLLock)
    port.record_start(attempt, 20)
    return lock


def holder(database: MariaDBDatabase, port: MySQL) -> object:
    """The session that has the lock, as the server sees it; None: nobody has it."""
    ((session,),) = database.rows(f"SELECT is_used_lock('{port.tables.lock}')")
    return session


@pytest.fixture
def client(mariadb_database: MariaDBDatabase) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Give a function that starts a command with a session, which runs a statement."""
    server, name = mariadb_database.server, mariadb_database.name
    with ExitStack() as started:

        def start(statement: str, user: str = name) -> "subprocess.Popen[str]":
            process = subprocess.Popen(
                [
                    *(sys.executable, "-c", CLIENT, str(server.port), user),
                    *(server.passwords[user], name, statement),
                ],
                stdout=subprocess.PIPE,
                text=True,
            )
            started.enter_context(process)
            started.callback(process.kill)
            assert process.stdout is not None
            assert process.stdout.readline() == "connected\n"
            return process

        yield start


@pytest.fixture(scope="module")
def harsh() -> Iterator[MariaDB]:
    """Give a MariaDB of our own, with TLS, whose defaults are all against us."""
    with server_folder() as folder, needed(), server_folder() as tls:
        subprocess.run(
            [
                *(find_program("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes"),
                *("-keyout", tls / "key.pem", "-out", tls / "cert.pem", "-days", "2"),
                *("-subj", "/CN=agtool", "-addext", "subjectAltName=IP:127.0.0.1"),
            ],
            check=True,
            capture_output=True,
        )
        for file in tls.iterdir():
            file.chmod(0o644)  # for the server's account
        settings = {
            "ssl_cert": str(tls / "cert.pem"),
            "ssl_key": str(tls / "key.pem"),
            "wait_timeout": "2",
            "interactive_timeout": "2",
            "net_read_timeout": "1",
            "net_write_timeout": "1",
            "sql_mode": "ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PAD_CHAR_TO_FULL_LENGTH",
            "transaction_isolation": "SERIALIZABLE",
            "log_bin": "binlog",
            "binlog_format": "STATEMENT",
            "default_storage_engine": "MyISAM",
            "character_set_server": "latin1",
            "default_time_zone": "+05:00",
            "event_scheduler": "OFF",
        }
        server = new_mariadb(folder, settings=settings)
        # Seconds for any statement; milliseconds for a SELECT.
        limit = (
            ("max_statement_time", "0.3") if server.is_mariadb else ("max_execution_time", "300")
        )
        server.settings |= [limit]
        with server:
            yield server


# -- the lock -----------------------------------------------------------------------------


def test_one_has_the_lock_and_the_next_gets_it(mariadb_database: MariaDBDatabase) -> None:
    mariadb_database.inhabit()
    port = backend(mariadb_database.url)
    first, second = new_attempt(), new_attempt()
    lock = take(port, first)
    busy = port.attempt(second, look=True)
    assert isinstance(busy, Busy)
    assert busy.situation is not None
    assert busy.situation.holder is not None
    assert busy.situation.holder.run_id == first.run_id
    assert busy.situation.waiters == 0
    status = port.status(10)
    assert status.held
    assert [run.run_id for run in (status.waiting or ())] == [second.run_id]
    lock.check()
    lock.finish(DONE)
    assert holder(mariadb_database, port) is None
    take(port, second).release()
    assert holder(mariadb_database, port) is None


def test_the_lock_is_the_tables(mariadb_database: MariaDBDatabase) -> None:
    """Named locks are the whole server's, so other databases and tables need other names."""
    lock = take(backend(mariadb_database.url), new_attempt())
    for port in (
        backend(mariadb_database.url, "others"),
        backend(mariadb_database.server.url("app")),
    ):
        other = port.attempt(new_attempt(), look=False)
        assert isinstance(other, MySQLLock)
        other.release()
        assert len(port.tables.lock) <= 64
    qualified = backend(
        mariadb_database.server.url("app"), f"{mariadb_database.name}.agtool_install_locks"
    )
    mariadb_database.server.execute(f"GRANT ALL ON {mariadb_database.name}.* TO app@'%%'")
    assert isinstance(qualified.attempt(new_attempt(), look=False), Busy)
    lock.release()


def test_keys_are_exact(mariadb_database: MariaDBDatabase) -> None:
    port = backend(mariadb_database.url)
    attempt = new_attempt("Kéy")
    take(port, attempt).finish(DONE)
    assert isinstance(port.attempt(new_attempt("Kéy"), look=False), AlreadyDone)
    for key, name in (("kéy", "default"), ("Key", "default"), ("Kéy", "Default")):
        lock = port.attempt(new_attempt(key, name), look=False)
        assert isinstance(lock, MySQLLock), key
        lock.release()


def test_a_failed_run_marks_nothing(mariadb_database: MariaDBDatabase) -> None:
    port = backend(mariadb_database.url)
    take(port, new_attempt("k")).finish(FAILED)
    lock = port.attempt(new_attempt("k"), look=False)
    assert isinstance(lock, MySQLLock)
    lock.release()
    assert [(run.state, run.exit_code) for run in port.status(10).history] == [("failed", 3)]


def test_a_killed_session_has_lost_the_lock(mariadb_database: MariaDBDatabase) -> None:
    port = backend(mariadb_database.url)
    take(port, new_attempt("made")).finish(DONE)  # an empty database of MySQL has no records
    attempt = new_attempt("k")
    lock = take(port, attempt)
    mariadb_database.server.execute(f"KILL {holder(mariadb_database, port)}")
    with pytest.raises(LockLost):
        lock.check()
    with pytest.raises(LockLost):
        lock.finish(DONE)
    successor = port.attempt(new_attempt("k"), look=False)
    assert isinstance(successor, MySQLLock), "there is no marker"
    assert [run.run_id for run in successor.unfinished()] == [attempt.run_id]
    successor.release()


def test_no_marker_without_the_lock_even_if_the_session_lives(
    mariadb_database: MariaDBDatabase,
) -> None:
    """As behind a proxy that shares sessions between clients."""
    port = backend(mariadb_database.url)
    session = mysql_session.connect(port.database, 20)
    attempt = new_attempt("k")
    take(port, attempt).release()
    lock = MySQLLock(session, port.tables, attempt)
    with pytest.raises(LockLost, match="does not hold"):
        lock.check()
    with pytest.raises(LockLost, match="does not hold"):
        lock.finish(DONE)
    assert isinstance(port.attempt(new_attempt("k"), look=False), MySQLLock)
    port.record_lost(attempt.run_id, None)  # the row is not left locked


def test_a_silent_session_loses_the_lock_in_time_and_not_sooner(harsh: MariaDB) -> None:
    """The server's wait_timeout is 2 s, ours 4."""
    port = backend(harsh.url(), time_to_die=3.5)
    lock = take(port, new_attempt())
    for _ in range(6):
        time.sleep(0.5)
        lock.check()
    silent_since = time.monotonic()
    database = MariaDBDatabase(harsh, "app")
    wait_until(lambda: holder(database, port) is None, "the server frees the lock", 30)
    assert time.monotonic() - silent_since >= 3.5
    with pytest.raises(LockLost):
        lock.check()


def test_harsh_defaults_do_no_harm(harsh: MariaDB) -> None:
    MariaDBDatabase(harsh, "app").inhabit()
    port = backend(harsh.url(), "harsh")
    attempt = new_attempt("'k\\\"")
    lock = take(port, attempt)
    with closing(harsh.connect("app")) as dump:
        dump.cursor().execute("LOCK TABLES harsh_runs READ")
        # The sign of life waits for longer than the server lets a statement last.
        busy = port.attempt(new_attempt(), look=True)
    assert isinstance(busy, Busy)
    assert busy.situation is not None
    time.sleep(2.5)
    lock.check(os.getpid())
    lock.finish(DONE)
    assert isinstance(port.attempt(new_attempt(attempt.key), look=False), AlreadyDone)
    status = port.status(10)
    (run,) = status.history
    assert 2 < (run.seconds or 0) < 60
    assert abs(status.now.timestamp() - time.time()) < 30, "times are in UTC"
    database = MariaDBDatabase(harsh, "app")
    ((engine,),) = database.rows(
        "SELECT engine FROM information_schema.tables WHERE table_name = 'harsh_runs'"
    )
    assert engine == "InnoDB"


def test_a_dump_that_has_locked_the_table_costs_nobody_the_lock(
    mariadb_database: MariaDBDatabase, client: Callable[[str], "subprocess.Popen[str]"]
) -> None:
    mariadb_database.inhabit()
    port = backend(mariadb_database.url)
    lock = take(port, new_attempt("k"))
    command = client("SELECT sleep(50)")
    with closing(mariadb_database.server.connect(mariadb_database.name)) as dump:
        dump.cursor().execute("LOCK TABLES agtool_install_locks_runs READ")
        lock.check(command.pid)  # has a session to record, and cannot
        busy = port.attempt(new_attempt(), look=True)
        assert isinstance(busy, Busy)
        assert busy.situation is not None
        assert busy.situation.holder is not None
        with pytest.raises(NotYet):
            port.record_start(new_attempt(), 1)
        threading.Timer(1.5, lambda: dump.cursor().execute("UNLOCK TABLES")).start()
        lock.finish(DONE)
    assert isinstance(port.attempt(new_attempt("k"), look=False), AlreadyDone)


def test_many_create_the_table_at_once(mariadb_database: MariaDBDatabase) -> None:
    answers: list[object] = []

    def attempt() -> None:
        try:
            answers.append(backend(mariadb_database.url).attempt(new_attempt("k"), look=True))
        except AgtoolError as error:
            answers.append(error)

    threads = [threading.Thread(target=attempt) for _ in range(25)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not [answer for answer in answers if isinstance(answer, AgtoolError)]
    assert len([answer for answer in answers if isinstance(answer, MySQLLock)]) == 1


# -- the sessions of the command ----------------------------------------------------------


def test_statements_of_a_dead_command_are_stopped(
    mariadb_database: MariaDBDatabase, client: Callable[[str], "subprocess.Popen[str]"]
) -> None:
    port = backend(mariadb_database.url)
    attempt = new_attempt()
    mariadb_database.server.execute(f"CREATE TABLE {mariadb_database.name}.work (n int)")
    # Many rows, as a migration's statement has: MySQL commits a single sleep() that is killed.
    work = "INSERT INTO work SELECT sleep(2) FROM information_schema.collations LIMIT 200"
    lock = take(port, attempt)
    assert port.stop_statements([attempt.run_id]) == []
    active, idle = client(work), client("")
    statement = "SELECT id FROM information_schema.processlist WHERE info LIKE 'INSERT INTO work%'"
    wait_until(lambda: mariadb_database.rows(statement), "the statement runs")
    lock.check(active.pid)
    lock.check(idle.pid)  # as if it were the first one's child: both are remembered
    lock.check()
    active.kill()
    active.wait()
    lock.check(idle.pid)
    assert mariadb_database.rows(statement), "the server does not stop it by itself"
    assert len(port.stop_statements([attempt.run_id, "another"])) == 1
    wait_until(
        lambda: port.stop_statements([attempt.run_id]) == [], "the statement has ended", seconds=10
    )
    assert not mariadb_database.rows(statement)
    assert mariadb_database.rows("SELECT * FROM work") == []
    lock.check()
    assert idle.poll() is None
    lock.release()


def test_the_locks_own_session_is_never_stopped(mariadb_database: MariaDBDatabase) -> None:
    """The command inherits the lock's socket."""
    mariadb_database.inhabit()
    port = backend(mariadb_database.url)
    attempt = new_attempt()
    lock = take(port, attempt)
    with subprocess.Popen(["sleep", "60"], pass_fds=[lock.keep_open]) as command:
        try:
            assert connections_of([command.pid])
            lock.check(command.pid)
        finally:
            command.kill()
    ((sessions,),) = mariadb_database.rows("SELECT sessions FROM agtool_install_locks_runs")
    assert not sessions
    assert port.stop_statements([attempt.run_id]) == []
    lock.check()
    lock.release()


def test_a_session_of_another_account_is_told(
    mariadb_database: MariaDBDatabase, client: Callable[..., "subprocess.Popen[str]"]
) -> None:
    """Without the privilege PROCESS it is not seen."""
    lock = take(backend(mariadb_database.url), new_attempt())
    command = client("", "admin")
    lock.check(command.pid)
    assert lock.observe(command.pid) == []  # it might have connected just now
    lock.check(command.pid)
    (finding,) = lock.observe(command.pid)
    assert finding.code == "unseen-session"
    assert "PROCESS" in finding.hint
    lock.check(command.pid)
    assert lock.observe(command.pid) == []
    lock.release()


def test_a_session_that_may_not_be_ended_is_left_and_named(
    mariadb_database: MariaDBDatabase, client: Callable[..., "subprocess.Popen[str]"]
) -> None:
    server, name = mariadb_database.server, mariadb_database.name
    server.execute(f"GRANT PROCESS ON *.* TO {name}@'%%'")
    server.execute(f"CREATE TABLE {name}.there (n int)")  # so that sessions are recorded
    attempt = new_attempt()
    port = backend(mariadb_database.url)
    lock = take(port, attempt)
    command = client("SELECT sleep(600)", "admin")
    statement = "SELECT id FROM information_schema.processlist WHERE info = 'SELECT sleep(600)'"
    wait_until(lambda: mariadb_database.rows(statement), "the statement runs")
    lock.check(command.pid)
    for stop in (lock.stop_statements, port.stop_statements):
        (session,) = stop([attempt.run_id])
        assert session.refused
        assert str(session).startswith(f"session {session.place} of admin, at work since ")
    ((ident,),) = mariadb_database.rows(statement)
    server.execute(f"KILL {ident}")
    wait_until(lambda: lock.stop_statements([attempt.run_id]) == [], "it has ended")
    lock.release()


def test_strangers_are_those_of_the_runs_time(
    mariadb_database: MariaDBDatabase, client: Callable[..., "subprocess.Popen[str]"]
) -> None:
    # So that it is recorded when a run began.
    mariadb_database.server.execute(f"CREATE TABLE {mariadb_database.name}.there (n int)")
    attempt = new_attempt()
    port = backend(mariadb_database.url)
    statement = "SELECT id FROM information_schema.processlist WHERE info = 'SELECT sleep(600)'"
    client("SELECT sleep(600)")
    wait_until(lambda: mariadb_database.rows(statement), "the application's statement runs")
    time.sleep(3)  # the server tells whole seconds
    lock = take(port, attempt)
    assert lock.strangers([attempt.run_id], 0.0) == []
    command = client("SELECT sleep(600)")
    wait_until(lambda: len(mariadb_database.rows(statement)) == 2, "the command's runs too")
    (stranger,) = lock.strangers([attempt.run_id], 0.0)
    assert port.strangers([attempt.run_id], 0.0) == [stranger]
    assert lock.strangers([attempt.run_id], 60.0) == []
    # Once it is known to be the command's, it is ended.
    lock.check(command.pid)
    assert lock.strangers([attempt.run_id], 0.0) == []
    assert [one.place for one in lock.stop_statements([attempt.run_id])] == [stranger.place]
    # What connects later may be the command's, or not.
    client("SELECT sleep(600)")
    wait_until(lambda: mariadb_database.rows(statement), "a third one runs")
    assert len(lock.strangers([attempt.run_id], 0.0)) == 1
    lock.release()


# -- refusals -----------------------------------------------------------------------------


def failure(url: str, table: str | None = None) -> AgtoolError:
    attempt = new_attempt()
    with pytest.raises(AgtoolError) as caught:  # noqa: PT012  # waiters need no right to create
        port = backend(url, table)
        assert isinstance(port.attempt(attempt, look=False), MySQLLock)
        port.record_start(attempt, 20)
    return caught.value


@pytest.mark.parametrize(
    ("table", "runs"),
    [
        (None, "agtool_install_locks_runs"),
        ('"odd `name`; 100 ünits {t}"', "odd ``name``; 100 ünits {t}_runs"),
        ('"{database} new".locks', "locks_runs"),
    ],
    ids=["default", "odd", "other-database"],
)
def test_no_right_to_create(mariadb: MariaDB, table: str | None, runs: str) -> None:
    """The error's SQL, run by an administrator as it stands, is all that is missing."""
    name = "odd'user"
    mariadb.create_role(name, "secret of odd")
    mariadb.execute("CREATE DATABASE `odd %% data``base`")
    try:
        mariadb.execute("GRANT SELECT ON `odd %% data``base`.nothing TO %s@'%%'", name)
    except pymysql.Error:
        mariadb.execute("CREATE TABLE `odd %% data``base`.nothing (n int)")
        mariadb.execute("GRANT SELECT ON `odd %% data``base`.nothing TO %s@'%%'", name)
    url = mariadb.url("odd % data`base", user=name)
    other = "" if table is None else table.replace("{database}", "odd")
    try:
        error = failure(url, other or None)
        assert isinstance(error, DeniedError)
        assert runs in error.hint
        statements = error.hint.split("\n  ")[1:]
        assert len(statements) >= 2
        with closing(mariadb.connect()) as administrator:
            for statement in statements:
                administrator.cursor().execute(statement.removesuffix(";"))
        port = backend(url, other or None)
        take(port, new_attempt("k")).finish(DONE)
        assert isinstance(port.attempt(new_attempt("k"), look=True), AlreadyDone)
        assert port.status(5).history[0].state == "done"
    finally:
        mariadb.execute("DROP DATABASE `odd %% data``base`")
        mariadb.execute("DROP DATABASE IF EXISTS `odd new`")
        mariadb.execute("DROP USER %s@'%%'", name)


def test_create_is_not_needed_when_the_table_is_there(mariadb_database: MariaDBDatabase) -> None:
    mariadb_database.inhabit()
    server, name = mariadb_database.server, mariadb_database.name
    take(backend(mariadb_database.url), new_attempt()).release()
    server.create_role(f"{name}_b", "secret of b")
    server.execute(
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON {name}.agtool_install_locks_runs TO {name}_b@'%%'"
    )
    try:
        take(backend(server.url(name, user=f"{name}_b")), new_attempt()).finish(DONE)
    finally:
        server.execute(f"DROP USER {name}_b@'%%'")


@pytest.mark.parametrize("user", ["app", "admin"])
def test_a_read_only_server_is_not_used(harsh: MariaDB, user: str) -> None:
    """Also to a superuser, who could write there: the lock would exclude nobody."""
    port = backend(harsh.url(user=user), "read_only")
    take(port, new_attempt()).release()
    harsh.execute("SET GLOBAL read_only = ON")
    try:
        for fresh in (port, backend(harsh.url(user=user), "read_only")):
            with pytest.raises(NotYet, match="replica or read-only") as caught:
                fresh.attempt(new_attempt(), look=False)
            assert "primary" in caught.value.hint
        assert isinstance(failure(harsh.url(user=user), "not_there"), NotYet)
    finally:
        harsh.execute("SET GLOBAL read_only = OFF")
    assert not MariaDBDatabase(harsh, "app").rows("SHOW TABLES LIKE 'not_there%'")
    take(port, new_attempt()).release()


def test_a_node_of_a_cluster_is_warned_about(
    folder: Path, capfd: pytest.CaptureFixture[str], mariadb_database: MariaDBDatabase
) -> None:
    """Named locks are not replicated. Without a provider a node is a cluster of its own."""
    take(backend(mariadb_database.url), new_attempt()).release()
    assert "Galera" not in capfd.readouterr().err
    settings = {"wsrep_on": "ON", "wsrep_provider": "none", "binlog_format": "ROW"}
    with needed(), MariaDB(folder, settings=settings) as node:
        take(backend(node.url()), new_attempt()).release()
    assert "node of a Galera cluster" in capfd.readouterr().err


def test_refused_logins(mariadb_database: MariaDBDatabase) -> None:
    server, name = mariadb_database.server, mariadb_database.name
    wrong = failure(server.url(name, user=name, password="wrong-secret"))
    assert isinstance(wrong, DeniedError)
    assert "Access denied" in wrong.message
    assert "wrong-secret" not in wrong.message + wrong.hint
    for unknown in (server.url("nowhere", user="admin"), server.url("nowhere", user=name)):
        error = failure(unknown)  # it may be made yet
        assert isinstance(error, NotYet)
        assert "nowhere" in error.message
        assert "Create the database" in error.hint
    server.execute(f"ALTER USER {name}@'%%' ACCOUNT LOCK")
    assert isinstance(failure(mariadb_database.url), DeniedError)


def test_what_may_get_better(mariadb_database: MariaDBDatabase) -> None:
    server, name = mariadb_database.server, mariadb_database.name
    assert isinstance(failure(server.url(name, user=name, port=free_port())), NotYet)
    assert isinstance(failure(server.url(name, user=name, host="no.such.invalid")), NotYet)
    server.execute(f"ALTER USER {name}@'%%' WITH MAX_USER_CONNECTIONS 1")
    port = backend(mariadb_database.url)
    lock = port.attempt(new_attempt(), look=False)
    assert isinstance(lock, MySQLLock)
    with pytest.raises(NotYet, match="max_user_connections"):
        port.attempt(new_attempt(), look=False)
    lock.release()


def test_a_server_that_says_nothing(folder: Path) -> None:
    with needed(), new_mariadb(folder) as server:
        port = backend(server.url())
        lock = take(port, new_attempt())
        silent = server.pid
        assert silent is not None
        os.kill(silent, signal.SIGSTOP)  # its kernel still answers
        os.waitid(os.P_PID, silent, os.WSTOPPED)  # all its threads
        try:
            began = time.monotonic()
            with pytest.raises(LockLost):
                lock.check()
            assert 3 < time.monotonic() - began < 15
            with pytest.raises(NotYet):
                backend(server.url() + "?connect_timeout=1").attempt(new_attempt(), look=False)
        finally:
            os.kill(silent, signal.SIGCONT)
        server.stop()
        assert isinstance(failure(server.url()), NotYet)


# -- the URL ------------------------------------------------------------------------------


def test_no_database_in_the_url() -> None:
    with pytest.raises(ConfigurationError, match="names no database"):
        backend("mysql://user@host")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("chraset=utf8", "unknown option 'chraset'"),
        ("connect_timeout=soon", "connect_timeout=soon"),
        ("ssl_ca=/does/not/exist", "cannot read ssl_ca=/does/not/exist"),
    ],
)
def test_options_that_make_no_sense(
    mariadb_database: MariaDBDatabase, options: str, message: str
) -> None:
    error = failure(f"{mariadb_database.url}?{options}")
    assert isinstance(error, ConfigurationError)
    assert message in error.message


@pytest.mark.parametrize(
    "url",
    [
        "{}?charset=utf8mb4&connect_timeout=5&local_infile=1",
        "{other}?conv_strings=1&minsize=3",
        "{}?ssl_disabled=true",
    ],
)
def test_options_that_do(mariadb_database: MariaDBDatabase, url: str) -> None:
    other = mariadb_database.url.replace("mysql+pymysql", "mariadb+aiomysql")
    take(backend(url.format(mariadb_database.url, other=other)), new_attempt()).release()


def test_unix_socket(mariadb: MariaDB) -> None:
    path = quote(str(mariadb.process.folder / "socket"))
    url = f"mysql://app:{quote('app @ secret')}@/app?unix_socket={path}"
    port = backend(url, "by_socket")
    lock = take(port, new_attempt())
    lock.check(os.getpid())
    lock.finish(DONE)


def test_a_password_beyond_latin_1(mariadb_database: MariaDBDatabase) -> None:
    server, name = mariadb_database.server, mariadb_database.name
    url = server.url(name, user=name, password="pässwörd €")
    server.execute(f"ALTER USER {name}@'%%' IDENTIFIED BY 'pässwörd €'")
    take(backend(url), new_attempt()).release()


def cipher(url: str) -> str:
    with suppress(pymysql.Error), mysql_session.connect(parse(url), 20) as session:
        cursor = session.cursor()
        cursor.execute("SHOW SESSION STATUS LIKE 'Ssl_cipher'")
        return str((cursor.fetchone() or ("", ""))[1])
    return ""


def test_tls(harsh: MariaDB) -> None:
    authority = harsh.settings["ssl_cert"]
    for options in (
        *("ssl_mode=REQUIRED", "ssl=true", f"ssl_ca={authority}"),
        f"ssl_ca={authority}&ssl_verify_cert=true&ssl_verify_identity=true",
        f"ssl_mode=VERIFY_IDENTITY&ssl_ca={authority}",
    ):
        assert cipher(f"{harsh.url()}?{options}"), options
    assert not cipher(f"{harsh.url()}?ssl_disabled=true")
    assert not cipher(f"{harsh.url()}?ssl_mode=DISABLED")
    port = backend(f"{harsh.url()}?ssl_ca={authority}", "by_tls")
    lock = take(port, new_attempt())
    lock.check()
    lock.finish(DONE)


@pytest.mark.parametrize(
    "options", ["ssl_mode=VERIFY_CA", "ssl_verify_cert=true", "ssl_verify_identity=1"]
)
def test_tls_with_an_unknown_authority(harsh: MariaDB, options: str) -> None:
    error = failure(f"{harsh.url()}?{options}")
    assert isinstance(error, DeniedError)
    assert "cannot trust" in error.message


def test_tls_with_another_name(harsh: MariaDB) -> None:
    authority = harsh.settings["ssl_cert"]
    url = harsh.url(host="localhost")
    error = failure(f"{url}?ssl_ca={authority}")
    assert isinstance(error, DeniedError)
    assert cipher(f"{url}?ssl_ca={authority}&ssl_check_hostname=false")
    assert cipher(f"{url}?ssl_ca={authority}&ssl_mode=VERIFY_CA")


def test_tls_that_the_server_has_not(folder: Path) -> None:
    with needed():
        server = new_mariadb(folder)
    if not server.is_mariadb:
        server.settings["tls_version"] = ""  # it makes itself a certificate
    with server:
        error = failure(f"{server.url()}?ssl_mode=REQUIRED")
    assert isinstance(error, DeniedError)
    assert "TLS" in error.hint


# -- no place for a sign in an empty database ---------------------------------------------


def occupy(database: MariaDBDatabase) -> None:
    """Leave no place for agtool's sign, as on MySQL, which has none."""
    if database.server.is_mariadb:
        database.server.execute(f"ALTER DATABASE {database.name} COMMENT = 'somebody''s own'")


def abort_a_session(database: MariaDBDatabase) -> None:
    """Let the server count a session that has not ended in order."""
    counted = "SHOW GLOBAL STATUS LIKE 'Aborted_clients'"
    ((_, before),) = database.rows(counted)
    with database.server.connect() as victim, victim.cursor() as cursor:
        cursor.execute("SELECT connection_id()")
        (session,) = cursor.fetchone() or (None,)
        database.server.execute(f"KILL {session}")
        wait_until(lambda: database.rows(counted)[0][1] != before, "it is counted")


def unproven(port: MySQL) -> bool:
    """Whether the lock, taken and released again, tells that an earlier run may be dying."""
    lock = port.attempt(new_attempt(), look=False)
    assert isinstance(lock, MySQLLock)
    found = lock.unfinished()
    lock.release()
    assert all(run.run_id == "" for run in found)
    return bool(found)


def test_a_run_without_a_sign_is_proven_to_be_over_or_waited_for(
    mariadb_database: MariaDBDatabase,
) -> None:
    occupy(mariadb_database)
    abort_a_session(mariadb_database)
    assert unproven(backend(mariadb_database.url)), "nothing is known of the time before"

    waiter = backend(mariadb_database.url)
    idle = backend(mariadb_database.url).attempt(new_attempt(), look=False)
    assert isinstance(idle, MySQLLock)
    assert isinstance(waiter.attempt(new_attempt(), look=True), Busy)
    assert mariadb_database.rows("SHOW TABLES") == [], "there is nothing of agtool's"
    idle.release()
    assert not unproven(waiter), "it has seen the lock held, and no session was lost since"

    lock = take(backend(mariadb_database.url), new_attempt())
    assert isinstance(waiter.attempt(new_attempt(), look=True), Busy)
    assert mariadb_database.rows("SHOW TABLES") == [], "there is nothing of agtool's"
    lock.release()
    wait_until(lambda: holder(mariadb_database, waiter) is None, "the lock is free")
    assert unproven(waiter), "the run has left something for which its successor has to wait"

    lock = take(backend(mariadb_database.url), new_attempt())
    assert isinstance(waiter.attempt(new_attempt(), look=True), Busy)
    mariadb_database.server.execute(f"KILL {holder(mariadb_database, waiter)}")
    wait_until(lambda: holder(mariadb_database, waiter) is None, "the lock is free")
    assert unproven(waiter), "its command may be alive"
    with suppress(LockLost):
        lock.check()


def test_who_gives_up_waiting_for_the_dead_does_not_prove_that_they_are(
    mariadb_database: MariaDBDatabase,
) -> None:
    """Others would take its end for the end of an earlier command. (Found by the model.)"""
    occupy(mariadb_database)
    abort_a_session(mariadb_database)
    port, waiter = backend(mariadb_database.url), backend(mariadb_database.url)
    lock = port.attempt(new_attempt(), look=False)
    assert isinstance(lock, MySQLLock)
    assert [run.run_id for run in lock.unfinished()] == [""], "it has to wait"
    assert isinstance(waiter.attempt(new_attempt(), look=True), Busy)
    lock.release()
    wait_until(lambda: holder(mariadb_database, waiter) is None, "the lock is free")
    assert unproven(waiter), "the command that the first one waited for may be alive"


def test_a_mark_is_not_taken_back(mariadb_database: MariaDBDatabase) -> None:
    """As by an agtool to which the answer to its COMMIT was lost."""
    port, attempt = backend(mariadb_database.url), new_attempt("k1")
    assert take(port, attempt).finish(DONE) is None
    port.record_lost(attempt.run_id, 1)
    assert isinstance(port.attempt(new_attempt("k1"), look=False), AlreadyDone)


def test_a_proxy_proves_nothing(mariadb_database: MariaDBDatabase) -> None:
    """It may end in order on the server's side what it has lost on ours."""
    occupy(mariadb_database)
    server, name = mariadb_database.server, mariadb_database.name
    with TcpProxy(server.host, server.port) as proxy:
        waiter = backend(server.url(name, user=name, port=proxy.port))
        lock = take(backend(mariadb_database.url), new_attempt())
        assert isinstance(waiter.attempt(new_attempt(), look=True), Busy)
        lock.release()
        assert unproven(waiter)


def test_a_long_statement_of_our_account_may_be_a_dead_commands(
    mariadb_database: MariaDBDatabase, client: Callable[[str], "subprocess.Popen[str]"]
) -> None:
    occupy(mariadb_database)
    abort_a_session(mariadb_database)
    port = backend(mariadb_database.url)
    client("SELECT sleep(50)")
    running = "SELECT 1 FROM information_schema.processlist WHERE info LIKE 'SELECT sleep(50)%'"
    wait_until(lambda: mariadb_database.rows(running), "the statement runs")
    lock = port.attempt(new_attempt(), look=False)
    assert isinstance(lock, MySQLLock)
    ids = [run.run_id for run in lock.unfinished()]
    assert lock.stop_statements(ids) == []
    (stranger,) = lock.strangers(ids, 0.0)
    assert stranger.account == mariadb_database.name
    assert mariadb_database.rows(running), "it is not known to be the command's, so it goes on"
    lock.release()


@pytest.mark.parametrize("comment", ["", "somebody's own"])
def test_the_comment_on_a_database_is_left_as_it_was(
    mariadb_database: MariaDBDatabase, comment: str
) -> None:
    server, name = mariadb_database.server, mariadb_database.name
    if not server.is_mariadb:
        pytest.skip("MySQL has no such comment")
    query = f"SELECT schema_comment FROM information_schema.schemata WHERE schema_name = '{name}'"
    server.execute(f"ALTER DATABASE {name} CHARACTER SET latin2 COMMENT = %s", comment)
    port, attempt = backend(mariadb_database.url), new_attempt("k")
    lock = take(port, attempt)
    ((during,),) = mariadb_database.rows(query)
    assert (attempt.run_id in during) == (not comment)
    lock.finish(DONE)
    assert mariadb_database.rows(query) == [(comment,)]
    ((_, create),) = mariadb_database.rows(f"SHOW CREATE DATABASE {name}")
    assert "latin2" in create
