"""What goes wrong before any work: a clear message, an exit code, no traceback, no password."""

import json
import os
import re
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

import psycopg2
import pytest

from tests.conftest import Database, needed
from tests.e2e.conftest import Agtool, Done
from tests.servers.postgresql import PostgreSQL
from tests.servers.process import free_port

SECRET = "s3cr3t-t0k3n"


@dataclass(frozen=True)
class Case:
    """A database URL that cannot work; {port} is one with no, a silent or a wrong server."""

    name: str
    url: str
    says: tuple[str, ...]
    word: str
    status: int
    server: str = "refused"


CASES = [
    Case(
        "not a URL",
        f"user:{SECRET}@host",
        ("the database URL is not valid", "percent-encoded"),
        "configuration",
        3,
    ),
    Case(
        "port is no number",
        f"postgresql://user:{SECRET}@host:port/db",
        ("the database URL is not valid",),
        "configuration",
        3,
    ),
    Case(
        "password with @ and /",
        f"postgresql://user:{SECRET}@/{SECRET}:@127.0.0.1:{{port}}/db",
        ("the database URL is not valid", "percent-encoded"),
        "configuration",
        3,
    ),
    Case(
        "unknown dialect",
        f"oracle://user:{SECRET}@host/db",
        ("unknown dialect 'oracle'", "agtool knows postgresql, mysql, mariadb and sqlite"),
        "configuration",
        3,
    ),
    Case(
        "unknown option",
        f"postgresql://user:{SECRET}@127.0.0.1:{{port}}/db?sslmod=require",
        ("unknown option 'sslmod'",),
        "configuration",
        3,
    ),
    Case(
        "bad value of an option",
        f"postgresql://user:{SECRET}@127.0.0.1:{{port}}/db?sslmode=maybe",
        ("sslmode", "maybe"),
        "configuration",
        3,
    ),
    Case(
        "wrong password",
        f"postgresql://app:{SECRET}@{{server}}/app",
        ("cannot log in to postgresql://app@", "password authentication failed", "Check the user"),
        "denied",
        5,
    ),
    Case(
        "no password",
        "postgresql://app@{server}/app",
        ("cannot log in to postgresql://app@", "holds no password"),
        "denied",
        5,
    ),
    Case(
        "unknown role",
        f"postgresql://nobody_here:{SECRET}@{{server}}/app",
        ('password authentication failed for user "nobody_here"',),
        "denied",
        5,
    ),
    Case(
        "unknown database",
        "postgresql://app:app%20%40%20secret@{server}/no_such_db",
        ('database "no_such_db" does not exist', "Create the database"),
        "unreachable",
        4,
    ),
    Case(
        "unknown host",
        f"postgresql://user:{SECRET}@no-such-host.invalid/db",
        ("cannot connect to postgresql://user@no-such-host.invalid/db", "Check that host"),
        "unreachable",
        4,
    ),
    Case(
        "refused",
        f"postgresql://user:{SECRET}@127.0.0.1:{{port}}/db",
        ("cannot connect to postgresql://user@127.0.0.1:{port}/db", "refused"),
        "unreachable",
        4,
    ),
    Case(
        "no answer",
        f"postgresql://user:{SECRET}@127.0.0.1:{{port}}/db",
        ("cannot connect to postgresql://user@127.0.0.1:{port}/db", "timeout"),
        "unreachable",
        4,
        "silent",
    ),
    Case(
        "not PostgreSQL",
        f"postgresql://user:{SECRET}@127.0.0.1:{{port}}/db",
        ("cannot connect to postgresql://user@127.0.0.1:{port}/db",),
        "unreachable",
        4,
        "http",
    ),
]


@contextmanager
def bad_server(kind: str) -> Iterator[int]:
    """A port: refused, silent (never accepts), or of a server that speaks HTTP."""
    if kind == "refused":
        yield free_port()
        return
    with socket.create_server(("127.0.0.1", 0)) as listening:
        if kind == "http":
            Thread(target=speak_http, args=(listening,), daemon=True).start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)


def speak_http(listening: socket.socket) -> None:
    while True:
        try:
            client, _ = listening.accept()
        except OSError:
            return
        with client:
            client.recv(65536)
            client.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


def assert_clear(done: Done, lines: int = 4) -> None:
    """A message of at most so many lines, each agtool's own; no traceback, no password."""
    assert "Traceback" not in done.stdout + done.stderr
    assert SECRET not in done.stdout + done.stderr
    told = done.stderr.splitlines()
    assert all(line.startswith("agtool: ") for line in told), done.stderr
    # Notices of tries come first.
    error = [i for i, line in enumerate(told) if line.startswith("agtool: error: ")]
    assert len(error) == 1, done.stderr
    assert len(told) - error[0] <= lines, done.stderr


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_url_that_cannot_work(
    case: Case, postgresql: PostgreSQL, agtool: Agtool, tmp_path: Path
) -> None:
    worked, result = tmp_path / "worked", tmp_path / "result.json"
    with bad_server(case.server) as port:
        places = {"port": str(port), "server": f"{postgresql.host}:{postgresql.port}"}
        url = case.url.format(**places)
        run = agtool.start(
            *("migrate-once", "--connect-timeout", "1s", "--result-file", result),
            *("--", "touch", worked),
            url=url,
        )
        # One try may take its ten seconds.
        status = agtool.run("migrate-once", "--status", "--output", "json", url=url, seconds=40)
        done = run.wait(40)

    assert done.exit_code == 125
    assert done.stdout == ""
    assert not worked.exists()
    assert_clear(done)
    for text in case.says:
        assert text.format(**places) in done.stderr

    written = json.loads(result.read_text())
    assert (written["status"], written["exit_code"]) == ("error", 125)
    assert [error["code"] for error in written["errors"]] == [case.word]
    assert SECRET not in result.read_text()

    assert status.exit_code == case.status
    assert status.stderr == ""
    document = json.loads(status.stdout)
    assert document["status"] == "error"
    assert document["exit_code"] == case.status
    (error,) = document["errors"]
    assert error["code"] == case.word
    for text in case.says:
        assert text.format(**places) in error["message"] + error["hint"]
    assert SECRET not in status.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "COMMAND to run"),
        (["--output", "json"], "COMMAND to run"),
        (["--", ""], "it is empty"),
        (["--"], "COMMAND to run"),
        (["--wait-timeout", "soon", "--", "true"], "'soon' is not a duration"),
        (["--wait-timeout", "-1", "--", "true"], "'-1' is not a duration"),
        (["--connect-timeout", "2 m", "--", "true"], "'2 m' is not a duration"),
        (["--kill-grace", "", "--", "true"], "'' is not a duration"),
        (["--lock-table", "a.b.c", "--", "true"], "'a.b.c' is not a valid name of a table"),
        (["--lock-table", "x; DROP TABLE y", "--", "true"], "is not a valid name of a table"),
        (["--lock-table", "x" * 59, "--", "true"], "is too long"),
        (["--lock", "row", "--", "true"], "'row' is not one of 'table', 'advisory'"),
        (["--kill-grace", "2h", "--", "true"], "1h at most"),
        (["--limit", "0", "--", "true"], "--limit"),
        (["--output", "json", "--limit", "5", "--", "true"], "--limit has no effect without"),
        (["--name", "", "--", "true"], "it is empty"),
        (["--key", "k" * 501, "--", "true"], "It may have 500 at most"),
        (["--database-url-file", "/etc/hostname", "--database-url", "x", "--", "true"], "together"),
        (["--status", "--", "true"], "--status runs no command"),
        (["--status", "--wait-timeout", "1s"], "--wait-timeout has no effect with --status"),
        (["--status", "--name", "x"], "--name has no effect without --key"),
        (["--status", "--connect-timeout", "soon"], "'soon' is not a duration"),
        (["--status", "--lock-table", "a.b.c"], "is not a valid name of a table"),
        (["--nosuch", "--", "true", "--status"], "--nosuch"),
        (["--status", "--nosuch"], "--nosuch"),
        (["--name"], "--name"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else "",
)
def test_options_that_make_no_sense(
    arguments: list[str], says: str, agtool: Agtool, database: Database
) -> None:
    done = agtool.run("migrate-once", *arguments, url=database.url)

    assert done.exit_code == 125
    if "json" in arguments:
        document = json.loads(done.stdout)
        assert (document["exit_code"], document["status"]) == (125, "error")
        assert [error["code"] for error in document["errors"]] == ["usage"]
        assert says in done.stdout
    else:
        assert_clear(done)
        assert says in done.stderr


def test_settings_of_the_pod_do_not_disturb_the_status(agtool: Agtool, database: Database) -> None:
    env = {"AGTOOL_KEY": "k", "AGTOOL_NAME": "n", "AGTOOL_RESULT_FILE": "/no/such/folder/result"}
    done = agtool.run("migrate-once", "--status", url=database.url, env=env)

    assert (done.exit_code, done.stderr) == (0, "")


@pytest.mark.parametrize("options", ["--lock advisory", "--lock-table foo"])
def test_a_lock_where_there_is_none(options: str, agtool: Agtool, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/app.db"
    done = agtool.run("migrate-once", *options.split(), "--", "echo", "worked", url=url)

    assert (done.exit_code, done.stdout) == (125, "")
    assert_clear(done)
    assert options.split(maxsplit=1)[0] in done.stderr


def test_an_empty_variable_counts_as_not_set(agtool: Agtool, tmp_path: Path) -> None:
    names = "LOCK_TABLE LOCK NAME KEY WAIT_TIMEOUT CONNECT_TIMEOUT KILL_GRACE"
    env = {f"AGTOOL_{name}": "" for name in [*names.split(), "RESULT_FILE"]}
    for _ in range(2):
        done = agtool.run(
            *("migrate-once", "--", "echo", "worked"), url=f"sqlite:///{tmp_path}/app.db", env=env
        )
        assert (done.exit_code, done.stdout) == (0, "worked\n")


def test_arguments_that_are_not_utf_8(agtool: Agtool, tmp_path: Path) -> None:
    url = f"sqlite://user:{SECRET}@/{tmp_path}/app.db"
    show = (
        "--",
        "sh",
        "-c",
        'printf %s "$1"; tr "\\0" " " </proc/$PPID/cmdline >&2',
        "sh",
        "\udcff",
    )
    done = agtool.run("migrate-once", "--database-url", url, *show)
    assert done.exit_code == 0, done.stderr
    assert SECRET not in done.stderr
    for option in ("--key", "--name"):
        done = agtool.run("migrate-once", "--database-url", url, option, "\udcff", "--", "true")
        assert done.exit_code == 125
        assert_clear(done)
        assert f"{option} is not UTF-8" in done.stderr


@pytest.mark.parametrize("engine", ["postgres", "mysql"])
@pytest.mark.parametrize(
    ("byte", "told"), [("\udcff", "is not UTF-8 text"), ("%00", "holds a NUL")]
)
def test_a_password_that_cannot_be_sent(engine: str, byte: str, told: str, agtool: Agtool) -> None:
    url = f"{engine}://u:{SECRET}{byte}@127.0.0.1:1/d"
    for arguments, exit_code in (["--", "true"], 125), (["--status"], 3), (["--check"], 1):
        done = agtool.run("migrate-once", "--database-url", url, *arguments)
        assert done.exit_code == exit_code, done.stderr
        assert f"the database's password {told}" in done.stderr + done.stdout
        assert SECRET not in done.stderr + done.stdout


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("PGSERVICE", "\udcff", "definition of service"),
        ("PGHOST", "/nowhere/\udcff", "No such file or directory"),
    ],
)
def test_variables_of_libpq_that_are_not_utf_8(
    variable: str, value: str, told: str, agtool: Agtool
) -> None:
    done = agtool.run(
        *("migrate-once", "--connect-timeout", "0.1s", "--", "true"),
        url="postgresql:///d",
        env={variable: value},
    )
    assert done.exit_code == 125
    assert_clear(done)
    assert told in done.stderr


def test_the_name_of_a_table_that_is_not_utf_8(agtool: Agtool) -> None:
    done = agtool.run(
        *("migrate-once", "--lock-table", '"\udcff"', "--", "true"), url="postgresql:///d"
    )
    assert done.exit_code == 125
    assert_clear(done)
    assert "is not a valid name of a table" in done.stderr


@pytest.mark.parametrize("option", ["--no-such-option", "--limit=none", "--output=yaml"])
def test_a_usage_error_is_no_exit_code_of_the_command(option: str, agtool: Agtool) -> None:
    done = agtool.run("migrate-once", option, "--", "true")

    assert done.exit_code == 125
    assert option.partition("=")[0] in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_no_url_at_all(agtool: Agtool) -> None:
    done = agtool.run("migrate-once", "--", "true")

    assert done.exit_code == 125
    assert_clear(done)
    for source in ("--database-url", "AGTOOL_DATABASE_URL", "DATABASE_URL"):
        assert source in done.stderr
    status = agtool.run("migrate-once", "--status")
    assert status.exit_code == 3
    assert_clear(status)


def test_missing_driver(agtool: Agtool, database: Database, tmp_path: Path) -> None:
    missing = "raise ModuleNotFoundError(f'No module named {__name__!r}', name=__name__)\n"
    (tmp_path / "psycopg2.py").write_text(missing)
    env = {"PYTHONPATH": str(tmp_path)}

    done = agtool.run("migrate-once", "--", "true", url=database.url, env=env)

    assert done.exit_code == 125
    assert_clear(done)
    assert "no driver for postgresql: the Python module psycopg2 is missing" in done.stderr
    assert "pip install 'psycopg2-binary'" in done.stderr
    assert agtool.run("migrate-once", "--status", url=database.url, env=env).exit_code == 3


# -- the file with the URL -----------------------------------------------------------------


def test_url_from_a_file_with_a_newline(agtool: Agtool, database: Database, tmp_path: Path) -> None:
    secret = tmp_path / "url"
    secret.write_text(database.url + "\n")

    done = agtool.run("migrate-once", "--database-url-file", secret, "--", "echo", "worked")

    assert (done.exit_code, done.stdout) == (0, "worked\n")


def without_root_s_rights() -> list[str]:
    """How to start agtool so that a file's mode counts for it."""
    # Root may read everything by a capability, which a smaller bounding set takes away.
    drop = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]
    return [*(drop if os.geteuid() == 0 else []), sys.executable, "-m", "agtool"]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: path.unlink(missing_ok=True), "No such file or directory"),
        (lambda path: path.touch(), "is empty"),
        (lambda path: path.write_text(" \n"), "is empty"),
        (lambda path: path.touch(mode=0o000), "Permission denied"),
        (lambda path: path.mkdir(), "Is a directory"),
        (lambda path: path.write_bytes(b"\xff\xfe"), "not UTF-8"),
    ],
    ids=["missing", "empty", "blank", "unreadable", "directory", "binary"],
)
def test_url_file_that_cannot_be_used(
    make: Callable[[Path], object], says: str, agtool: Agtool, tmp_path: Path
) -> None:
    secret = tmp_path / "url"
    make(secret)
    program = without_root_s_rights()

    done = agtool.run("migrate-once", "--database-url-file", secret, "--", "true", program=program)

    assert done.exit_code == 125
    assert_clear(done)
    assert str(secret) in done.stderr
    assert says in done.stderr
    status = agtool.run("migrate-once", "--database-url-file", secret, "--status", program=program)
    assert status.exit_code == 3


# -- rights --------------------------------------------------------------------------------


@pytest.mark.parametrize("table", ["agtool.install_locks", "public.locks", '"Odd Schema"."T-1"'])
def test_no_right_to_create_and_the_sql_that_helps(
    table: str, agtool: Agtool, database: Database
) -> None:
    server, user = database.server, f"{database.name}_limited"
    server.create_role(user, SECRET)
    # As it is by itself since PostgreSQL 15.
    server.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC", database.name)
    try:
        url = server.url(database.name, user=user)
        arguments = ("migrate-once", "--lock-table", table, "--", "echo", "worked")
        done = agtool.run(*arguments, url=url)

        assert done.exit_code == 125
        assert done.stdout == ""
        assert_clear(done, lines=7)
        assert "permission denied for" in done.stderr
        sql = re.findall(r"^agtool:   (.*;)$", done.stderr, re.MULTILINE)
        assert len(sql) == 5
        for statement in sql:
            server.execute(statement, database.name)

        # Both modes, since the lock needs rights of its own.
        for mode in ("table", "advisory"):
            done = agtool.run(*arguments[:3], "--lock", mode, *arguments[3:], url=url)
            assert (done.exit_code, done.stdout) == (0, "worked\n"), done.stderr
        with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT has_database_privilege(current_database(), 'CREATE')")
            assert cursor.fetchone() == (False,)
    finally:
        server.execute(f"DROP OWNED BY {user}", database.name)
        server.execute(f"DROP ROLE {user}")


def test_read_only_server(agtool: Agtool, database: Database) -> None:
    """default_transaction_read_only is a default, which agtool overrides; a standby is refused."""
    database.server.execute(f"ALTER ROLE {database.name} SET default_transaction_read_only = on")

    done = agtool.run("migrate-once", "--", "echo", "worked", url=database.url)

    assert (done.exit_code, done.stdout) == (0, "worked\n")


# -- a server that comes later -------------------------------------------------------------


def test_waits_for_a_server_that_starts(agtool: Agtool, folder: Path) -> None:
    with needed(), PostgreSQL(folder) as server:
        server.stop()
        running = agtool.start(
            *("migrate-once", "--connect-timeout", "60s", "--", "echo", "worked"), url=server.url()
        )
        running.wait_for("trying again")
        assert "cannot connect to postgresql://app@" in running.stderr
        server.start()
        done = running.wait()

    assert (done.exit_code, done.stdout) == (0, "worked\n")


# -- where results and messages go ---------------------------------------------------------


@pytest.mark.parametrize("place", ["/no/such/folder/result.json", "/proc/result.json", "/"])
def test_result_file_that_cannot_be_written(
    place: str, agtool: Agtool, database: Database, tmp_path: Path
) -> None:
    worked = tmp_path / "worked"

    done = agtool.run(
        *("migrate-once", "--result-file", place, "--", "touch", worked), url=database.url
    )

    assert done.exit_code == 125
    assert_clear(done)
    assert f"cannot write the result file {place}" in done.stderr
    assert not worked.exists()


@pytest.mark.parametrize("code", [0, 7])
def test_full_disk_changes_no_exit_code(code: int, agtool: Agtool, database: Database) -> None:
    done = agtool.run(
        *("migrate-once", "--result-file", "/dev/full", "--", "sh", "-c", f"exit {code}"),
        url=database.url,
    )

    assert done.exit_code == code
    assert "warning: cannot write the result file /dev/full: No space left" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "redirection",
    ["2>&1 | true", "2>/dev/full", ">/dev/full 2>&1", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"],
)
def test_output_that_goes_nowhere_stops_no_command(
    redirection: str, agtool: Agtool, database: Database, tmp_path: Path
) -> None:
    worked = tmp_path / "worked"
    # Two beats of the heart pass, so that a message to a wrong descriptor would show.
    work = f"trap '' PIPE; sleep 2.5; echo noise; echo noise >&2; touch {worked}; exit 7"

    done = agtool.run(
        *("migrate-once", "--result-file", tmp_path / "result.json", "--", "sh", "-c", work),
        url=database.url,
        program=[
            *("bash", "-c", f'"$0" "$@" {redirection}; exit ${{PIPESTATUS[0]}}'),
            *(sys.executable, "-m", "agtool"),
        ],
    )

    assert done.exit_code == 7
    assert worked.exists()
    assert json.loads((tmp_path / "result.json").read_text())["exit_code"] == 7


# -- status --------------------------------------------------------------------------------


def test_status_of_a_fresh_database(agtool: Agtool, database: Database) -> None:
    done = agtool.run("migrate-once", "--status", url=database.url)

    assert (done.exit_code, done.stderr) == (0, "")
    assert (
        "advisory lock of agtool.install_locks: free, 0 waiting; nothing has run yet" in done.stdout
    )

    done = agtool.run("migrate-once", "--status", "--output", "json", url=database.url)

    assert (done.exit_code, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    assert document["status"] == "ok"
    assert document["data"]["held"] is False
    assert document["data"]["history"] == []
    with closing(database.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_namespace WHERE nspname = 'agtool'")
        assert cursor.fetchone() == (0,), "--status has created something"
