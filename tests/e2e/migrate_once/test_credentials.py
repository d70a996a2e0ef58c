"""Credentials that change while agtool runs: files that are read again, a command for passwords."""

import json
import os
import shlex
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import pytest

from tests.conftest import Database, MariaDBDatabase
from tests.e2e.conftest import Agtool, Gate, Running, wait_until

OLD, NEW = "old s3cr3t", "new s3cr3t"
MARK = "s3cr3t"


class Server(NamedTuple):
    """A database whose account's password a test changes."""

    engine: str
    port: int
    name: str
    url: Callable[[str], str]
    change: Callable[[str], None]

    def parts(self) -> tuple[str, ...]:
        place = ("--engine", self.engine, "--host", "127.0.0.1", "--port", str(self.port))
        return (*place, "--user", self.name, "--database", self.name)


@pytest.fixture(params=["postgresql", "mysql"])
def server(request: pytest.FixtureRequest) -> Server:
    """Give a database with the password OLD."""
    fixture = "database" if request.param == "postgresql" else "mariadb_database"
    made: Database | MariaDBDatabase = request.getfixturevalue(fixture)
    name, port = made.name, made.server.port

    def change(password: str) -> None:
        if isinstance(made, Database):
            made.server.execute(f"ALTER ROLE {name} PASSWORD '{password}'")
        else:
            made.server.execute(f"ALTER USER {name}@'%%' IDENTIFIED BY %s", password)

    def url(password: str) -> str:
        return f"{request.param}://{name}:{quote(password)}@127.0.0.1:{port}/{name}"

    change(OLD)
    return Server(request.param, port, name, url, change)


class Supply(NamedTuple):
    """A way to give the password: its options, and how to change it."""

    arguments: tuple[str, ...]
    set: Callable[[str], None]


SUPPLIES = ("--database-url-file", "--password-file", "--password-command")


def supply(option: str, server: Server, folder: Path) -> Supply:
    file = folder / "given"
    if option == "--database-url-file":
        given = Supply((option, str(file)), lambda word: replace(file, server.url(word)))
    elif option == "--password-file":
        given = Supply((*server.parts(), option, str(file)), lambda word: replace(file, word))
    else:
        command = f"cat {shlex.quote(str(file))}"
        given = Supply((*server.parts(), option, command), lambda word: replace(file, word))
    given.set(OLD)
    return given


def replace(file: Path, text: str) -> None:
    """As kubelet does it: the file is never half written."""
    new = file.with_suffix(".new")
    new.write_text(text + "\n")
    new.replace(file)


def command_lines(running: Running) -> str:
    lines = []
    for pid in running.processes():
        try:
            lines.append(Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " "))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return "\n".join(lines)


@pytest.mark.parametrize("option", SUPPLIES)
def test_a_waiter_goes_on_with_the_new_password(
    option: str, server: Server, agtool: Agtool, gate: Gate, tmp_path: Path
) -> None:
    given = supply(option, server, tmp_path)
    run = ("migrate-once", *given.arguments)
    holder = agtool.start(*run, "--", *gate.command)
    gate.wait()
    waiter = agtool.start(*run, "--", "echo", "worked")
    waiter.wait_for("waiting for")

    server.change(NEW)
    waiter.wait_for("trying again")
    assert "cannot log in" in waiter.stderr
    given.set(NEW)
    gate.open()

    done = waiter.wait()
    assert (done.exit_code, done.stdout) == (0, "worked\n"), done.stderr
    holder.wait()
    for text in (done.stderr, holder.stderr, command_lines(holder), command_lines(waiter)):
        assert MARK not in text


@pytest.mark.parametrize("option", SUPPLIES)
def test_a_refused_password_that_may_change_is_tried_again(
    option: str, server: Server, agtool: Agtool, tmp_path: Path
) -> None:
    given = supply(option, server, tmp_path)
    given.set("never the s3cr3t")
    options = ("--connect-timeout", "1s", "--result-file", str(tmp_path / "result"))
    done = agtool.run("migrate-once", *given.arguments, *options, "--", "true")
    assert done.exit_code == 125
    assert "trying again" in done.stderr
    (error,) = json.loads((tmp_path / "result").read_text())["errors"]
    assert error["code"] == "unreachable"

    running = agtool.start("migrate-once", *given.arguments, "--", "echo", "worked")
    running.wait_for("trying again")
    given.set(OLD)
    assert running.wait().stdout == "worked\n"
    status = agtool.run("migrate-once", *given.arguments, "--status")
    assert status.exit_code == 0
    assert MARK not in done.stderr + running.stderr + status.stdout


def test_a_refused_password_of_a_plain_url_is_told_at_once(server: Server, agtool: Agtool) -> None:
    done = agtool.run("migrate-once", "--", "true", url=server.url("never the s3cr3t"))
    assert done.exit_code == 125
    assert "cannot log in" in done.stderr
    assert "trying again" not in done.stderr


@pytest.mark.parametrize("option", SUPPLIES[:2])
def test_a_file_that_is_away_for_a_moment(
    option: str, server: Server, agtool: Agtool, gate: Gate, tmp_path: Path
) -> None:
    given = supply(option, server, tmp_path)
    run = ("migrate-once", *given.arguments)
    holder = agtool.start(*run, "--", *gate.command)
    gate.wait()
    waiter = agtool.start(*run, "--", "echo", "worked")
    waiter.wait_for("waiting for")
    (tmp_path / "given").unlink()
    waiter.wait_for("trying again")
    assert f"from {tmp_path / 'given'}: No such file" in waiter.stderr
    given.set(OLD)
    gate.open()
    assert (waiter.wait().exit_code, holder.wait().exit_code) == (0, 0)


def test_another_database_in_the_file(
    database: Database, agtool: Agtool, gate: Gate, tmp_path: Path
) -> None:
    """The lock is in the first one."""
    file = tmp_path / "url"
    replace(file, database.url)
    run = ("migrate-once", "--database-url-file", str(file))
    holder = agtool.start(*run, "--", *gate.command)
    gate.wait()
    waiter = agtool.start(*run, "--", "true")
    waiter.wait_for("waiting for")
    replace(file, database.server.url("postgres"))
    done = waiter.wait()
    assert done.exit_code == 125
    assert "has changed from" in done.stderr
    assert "/postgres during the run" in done.stderr
    replace(file, database.url)
    gate.open()
    assert holder.wait().exit_code == 0


def test_a_pipe_is_read_once(database: Database, agtool: Agtool, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    running = agtool.start("migrate-once", "--database-url-file", pipe, "--", "echo", "worked")
    pipe.write_text(database.url)  # waits for the reader
    assert running.wait().stdout == "worked\n"


# -- the command --------------------------------------------------------------------------


def python(code: str) -> str:
    return shlex.join([sys.executable, "-c", code])


TRANSIENT = {
    "fails": (python("import sys; print('s3cr3t'); sys.exit('no s3cr3t today')"), "no *** today"),
    "is killed": (python("import os; os.kill(os.getpid(), 9)"), "failed with signal 9"),
    "is silent": ("true", "the password command true printed nothing"),
    "speaks on stderr": (python("import sys; print('s3cr3t', file=sys.stderr)"), "printed nothing"),
    "prints a line's end": ("echo", "printed nothing"),
    "takes too long": ("sleep 1000", "took longer than 1 s and was ended"),
}

PERMANENT = {
    "is not there": ("/no/such/program x", "cannot run the password command program: No such file"),
    "is a folder": ("/etc", "cannot run the password command etc: Permission denied"),
    "is no words": ("sh -c 's3cr3t", "cannot be split into words"),
    "prints lines": (python("print('s3cr3t\\n1')"), "has several lines"),
    "prints much": (python("print('s3cr3t' * 10**6)"), "printed more than 64 KiB"),
    "never stops": ("yes s3cr3t", "printed more than 64 KiB"),
    "prints bytes": (
        python("import sys; sys.stdout.buffer.write(b's3cr3t' + bytes([255, 254]))"),
        "is not UTF-8 text",
    ),
}


@pytest.mark.parametrize("case", [*TRANSIENT, *PERMANENT])
def test_a_command_that_gives_no_password(case: str, database: Database, agtool: Agtool) -> None:
    command, says = {**TRANSIENT, **PERMANENT}[case]
    url = f"postgresql://{database.name}@127.0.0.1:{database.server.port}/{database.name}"
    done = agtool.run(
        *("migrate-once", "--connect-timeout", "1s", "--password-command", command, "--", "true"),
        url=url,
    )
    assert done.exit_code == 125
    assert says in done.stderr
    assert ("trying again" in done.stderr) == (case in TRANSIENT)
    assert MARK not in done.stderr
    assert done.stdout == ""


def test_a_command_and_what_it_leaves_behind(
    database: Database, agtool: Agtool, tmp_path: Path
) -> None:
    """It has no stdin, its stderr is not shown, and a process of its that stays is ended."""
    server, pid = database.server, tmp_path / "pid"
    script = 'read -r line && exit 3; sleep 1000 & echo $! > "$1"; echo noise >&2; printf %s "$2"'
    command = shlex.join(["sh", "-c", script, "sh", str(pid), server.passwords[database.name]])
    url = f"postgresql://{database.name}@127.0.0.1:{server.port}/{database.name}"
    done = agtool.run("migrate-once", "--password-command", command, "--", "echo", "ok", url=url)
    assert (done.exit_code, done.stdout) == (0, "ok\n"), done.stderr
    assert "noise" not in done.stderr
    left = int(pid.read_text())
    wait_until(lambda: not alive(left), "what the command left has ended")


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_waiter_does_not_run_the_command_at_each_try(
    database: Database, agtool: Agtool, gate: Gate, tmp_path: Path
) -> None:
    """With Vault each run would make an account."""
    server, log = database.server, tmp_path / "log"
    script = 'echo run >> "$1"; printf %s "$2"'
    command = shlex.join(["sh", "-c", script, "sh", str(log), server.passwords[database.name]])
    url = f"postgresql://{database.name}@127.0.0.1:{server.port}/{database.name}"
    # At a first install, in an empty database, there is no table in which waiters are seen.
    server.execute("CREATE TABLE goods (number int)", database.name)
    holder = agtool.start("migrate-once", "--", *gate.command, url=database.url)
    gate.wait()
    waiter = agtool.start("migrate-once", "--password-command", command, "--", "true", url=url)
    waiter.wait_for("waiting for")
    seen = tries(database)
    wait_until(lambda: tries(database) > seen, "it has tried again")
    gate.open()
    assert (holder.wait().exit_code, waiter.wait().exit_code) == (0, 0)
    assert log.read_text() == "run\n"


def tries(database: Database) -> float:
    """When the waiter was seen last, which it says with each look."""
    connection = database.connect()
    try:
        cursor = connection.cursor()
        cursor.execute(
            "SELECT extract(epoch FROM max(seen_at)) FROM agtool.install_locks_runs "
            "WHERE state = 'waiting'"
        )
        return float((cursor.fetchone() or (0,))[0] or 0)
    finally:
        connection.close()


# -- where it is given --------------------------------------------------------------------


def test_variables(server: Server, agtool: Agtool, tmp_path: Path) -> None:
    """Each option has one; what stands on the command line wins."""
    file = tmp_path / "password"
    file.write_text(OLD)
    env = {
        "AGTOOL_ENGINE": server.engine,
        "AGTOOL_HOST": "127.0.0.1",
        "AGTOOL_PORT": str(server.port),
        "AGTOOL_USER": server.name,
        "AGTOOL_DATABASE": server.name,
    }
    from_file = {**env, "AGTOOL_PASSWORD_FILE": str(file)}
    from_command = {**env, "AGTOOL_PASSWORD_COMMAND": shlex.join(["cat", str(file)])}
    url_file = tmp_path / "url"
    url_file.write_text(server.url(OLD))
    tcp = {**from_file, "AGTOOL_PORT": "tcp://10.0.0.1:80"}  # Kubernetes', for a service agtool
    for arguments, given in [
        ((), from_file),
        ((), from_command),
        (("--password-file", str(file)), {**env, "AGTOOL_PASSWORD_COMMAND": "echo wrong"}),
        (("--password-command", f"cat {file}"), {**env, "AGTOOL_PASSWORD_FILE": "/no/file"}),
        (("--port", str(server.port)), tcp),
        ((), {"AGTOOL_DATABASE_URL_FILE": str(url_file)}),
        (("--database-url", server.url(OLD)), {"AGTOOL_DATABASE_URL_FILE": "/no/file"}),
        ((), {"AGTOOL_DATABASE_URL_FILE": str(url_file), "DATABASE_URL": "mysql://other/x"}),
    ]:
        done = agtool.run("migrate-once", *arguments, "--", "echo", "worked", env=given)
        assert (done.exit_code, done.stdout) == (0, "worked\n"), done.stderr
    for arguments, given, says in [
        ((), {**from_file, "AGTOOL_PASSWORD_COMMAND": "true"}, "cannot be given together"),
        (("--port", "tcp://10.0.0.1:80"), from_file, "not a number from 1 to 65535"),
        ((), {**from_file, "AGTOOL_PORT": "0"}, "not a number from 1 to 65535"),
        (
            (),
            {"AGTOOL_DATABASE_URL_FILE": str(url_file), "AGTOOL_DATABASE_URL": server.url(OLD)},
            "are both set",
        ),
        (
            ("--password-command", "true"),
            {"DATABASE_URL": server.url(OLD)},
            "--password-command contradicts the database URL, which has a password",
        ),
        (
            ("--password-command", "true", "--database-url", "sqlite:///x"),
            {},
            "no effect with SQLite",
        ),
    ]:
        done = agtool.run("migrate-once", *arguments, "--", "true", env=given)
        assert done.exit_code == 125
        assert says in done.stderr
        assert MARK not in done.stderr


def test_a_database_that_is_made_later(database: Database, agtool: Agtool) -> None:
    server, name = database.server, f"{database.name}_later"
    running = agtool.start(
        "migrate-once", "--", "echo", "worked", url=server.url(name, user=database.name)
    )
    running.wait_for("trying again")
    server.create_database(name, owner=database.name)
    try:
        assert running.wait().stdout == "worked\n"
    finally:
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_a_cancelled_wait_for_a_command(database: Database, agtool: Agtool) -> None:
    """SIGTERM ends agtool within a second, whatever its command does."""
    url = f"postgresql://{database.name}@127.0.0.1:{database.server.port}/{database.name}"
    running = agtool.start(
        "migrate-once", "--password-command", "sleep 1000", "--", "true", url=url
    )
    wait_until(lambda: "sleep" in children(running.pid), "the command runs")
    began = time.monotonic()
    running.send(signal.SIGTERM)
    assert running.wait().exit_code == 143
    assert time.monotonic() - began < 20


def children(pid: int) -> str:
    names = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            text = (entry / "stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(text.rpartition(")")[2].split()[1]) == pid:
            names.append(text.partition("(")[2].rpartition(")")[0])
    return " ".join(names)
