"""The password stands nowhere: not in messages, results, tables, nor the process list."""

import json
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import pytest

from tests.conftest import Database
from tests.e2e.conftest import Agtool, Gate, Running, wait_until
from tests.servers.process import free_port

# Found in every spelling of it: as it is, percent-encoded, or cut in two by a careless parser.
MARK = "s3cr3t"
PASSWORD = f"{MARK}@ /{MARK}:%{MARK}"


class Place(NamedTuple):
    """Where the URL is given: arguments and environment."""

    arguments: list[str]
    env: dict[str, str]


PLACES = ("flag", "flag=", "AGTOOL_DATABASE_URL", "DATABASE_URL", "file")


def give(url: str, place: str, folder: Path) -> Place:
    """Give the URL in one of PLACES."""
    match place:
        case "flag":
            return Place(["--database-url", url], {})
        case "flag=":
            return Place([f"--database-url={url}"], {})
        case "file":
            (folder / "url").write_text(url)
            return Place(["--database-url-file", str(folder / "url")], {})
        case variable:
            return Place([], {variable: url})


def in_the_account(server: str, user: str, database: str) -> str:
    return f"postgresql://{user}:{quote(PASSWORD, safe='')}@{server}/{database}"


def in_the_query(server: str, user: str, database: str) -> str:
    return f"postgresql://{user}@{server}/{database}?password={quote(PASSWORD, safe='')}"


SPELLINGS = {"account": in_the_account, "query": in_the_query}


class Case(NamedTuple):
    """A way for a run to end. url: what of its parts is wrong, or a text that is no URL."""

    exit_code: int
    command: tuple[str, ...] = ("true",)
    server: str | None = None
    user: str | None = None
    database: str | None = None
    url: str | None = None
    says: str = ""


CASES = {
    "success": Case(0),
    "command fails": Case(3, ("sh", "-c", "exit 3")),
    "command not found": Case(127, ("/no/such/command",), says="cannot run"),
    "wrong password": Case(125, user="postgres", says="password authentication failed"),
    "no such database": Case(125, database="no_such_db", says="does not exist"),
    "refused": Case(125, server="127.0.0.1:{port}", says="refused"),
    "unknown host": Case(125, server="no-such-host.invalid", says="no-such-host.invalid"),
    "unknown dialect": Case(125, url=f"oracle://user:{MARK}@host/db", says="oracle"),
    "no URL": Case(125, url=f"user:{MARK}@host", says="URL is not valid"),
    "port is no number": Case(125, url=f"postgresql://user:{MARK}@host:x/db", says="not valid"),
    "@ not encoded": Case(125, url=f"postgresql://user:{MARK}@{MARK}@127.0.0.1:{{port}}/db"),
    "/ not encoded": Case(125, url=f"postgresql://user:{MARK}/{MARK}@127.0.0.1:{{port}}/db"),
    "@/ not encoded": Case(125, url=f"postgresql://user:{MARK}@/{MARK}@127.0.0.1:{{port}}/db"),
    ": not encoded": Case(125, url=f"postgresql://user:{MARK}:{MARK}@127.0.0.1:{{port}}/db"),
    "# not encoded": Case(125, url=f"postgresql://user:{MARK}#{MARK}@127.0.0.1:{{port}}/db"),
    "? not encoded": Case(125, url=f"postgresql://user:{MARK}?{MARK}@127.0.0.1:{{port}}/db"),
    "unknown option": Case(
        125, url=f"postgresql://user:{MARK}@127.0.0.1:{{port}}/db?ssl_no=1", says="unknown option"
    ),
}


@pytest.fixture
def protected(database: Database) -> Database:
    """A database whose owner has the password that is looked for."""
    database.server.execute(f"ALTER ROLE {database.name} PASSWORD '{PASSWORD}'")
    return database


def everything_in(database: Database) -> str:
    """What others can read in the database: the runs, and what sessions call themselves."""
    texts = []
    with closing(database.server.connect(database.name)) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT a::text FROM pg_stat_activity AS a")
        texts += [row[0] for row in cursor.fetchall()]
        cursor.execute("SELECT to_regclass('agtool.install_locks_runs') IS NOT NULL")
        if cursor.fetchone() == (True,):
            cursor.execute("SELECT r::text FROM agtool.install_locks_runs AS r")
            texts += [row[0] for row in cursor.fetchall()]
    return "\n".join(texts)


@pytest.mark.parametrize("name", CASES)
def test_no_password_however_a_run_ends(
    name: str, agtool: Agtool, protected: Database, tmp_path: Path
) -> None:
    case, result = CASES[name], tmp_path / "result.json"
    server = protected.server
    url = case.url or in_the_account(
        case.server or f"{server.host}:{server.port}",
        case.user or protected.name,
        case.database or protected.name,
    )
    arguments = ("--database-url", url.replace("{port}", str(free_port())))

    done = agtool.run(
        # With the traceback, which may show more.
        *("--debug", "migrate-once", *arguments, "--connect-timeout", "1s"),
        *("--result-file", str(result), "--", *case.command),
    )
    status = agtool.run(
        *("--debug", "migrate-once", *arguments, "--status", "--output", "json"),
    )

    assert done.exit_code == case.exit_code, done.stderr
    assert case.says in done.stderr
    assert json.loads(result.read_text())["exit_code"] == case.exit_code
    assert json.loads(status.stdout)["command"] == "migrate-once"
    told = (done.stdout, done.stderr, result.read_text(), status.stdout, status.stderr)
    for text in (*told, everything_in(protected)):
        assert MARK not in text


def command_lines(running: Running) -> list[str]:
    """What ps(1) shows of agtool, its keeper and its command."""
    lines = []
    for pid in running.processes():
        with suppress(FileNotFoundError, ProcessLookupError):  # it ended meanwhile
            lines.append(Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " "))
    return lines


@pytest.fixture(params=SPELLINGS)
def secret_url(request: pytest.FixtureRequest, protected: Database) -> str:
    """The database's URL, with the password in one place of it or the other."""
    address = f"{protected.server.host}:{protected.server.port}"
    return SPELLINGS[request.param](address, protected.name, protected.name)


@pytest.fixture(params=PLACES)
def given(request: pytest.FixtureRequest, secret_url: str, tmp_path: Path) -> Place:
    return give(secret_url, request.param, tmp_path)


def test_no_password_in_the_process_list_nor_in_what_is_told(
    given: Place, agtool: Agtool, protected: Database, gate: Gate
) -> None:
    """A holder, a waiter, one that waits too long, and a holder that loses its lock."""
    run = ("migrate-once", *given.arguments, "--kill-grace", "1s")

    holder = agtool.start(*run, "--", *gate.command, env=given.env)
    gate.wait()
    waiter = agtool.start(*run, "--", "true", env=given.env)
    waiter.wait_for("waiting for")
    late = agtool.run(*run, "--wait-timeout", "1s", "--", "true", env=given.env)
    table = agtool.run("migrate-once", *given.arguments, "--status", env=given.env)

    assert late.exit_code == 124
    assert table.exit_code == 0
    assert len(command_lines(holder)) >= 3
    for line in (*command_lines(holder), *command_lines(waiter)):
        assert MARK not in line
    assert any("agtool" in line and "migrate-once" in line for line in command_lines(holder))
    assert MARK not in everything_in(protected)

    protected.server.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_locks "
        "WHERE locktype = 'advisory' AND database = "
        "(SELECT oid FROM pg_database WHERE datname = current_database())",
        protected.name,
    )
    lost = holder.wait()
    assert lost.exit_code == 125
    assert "the lock was lost" in lost.stderr
    after = waiter.wait()
    assert after.exit_code == 0
    wait_until(lambda: not holder.processes(), "all of its processes have ended")
    for done in (late, table, lost, after):
        assert MARK not in done.stdout + done.stderr
