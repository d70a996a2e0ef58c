"""Whether words start an agtool, and which of its options --status needs."""

from pathlib import Path

import pytest
import typer.main

from agtool.core.errors import AgtoolError, ConfigurationError
from agtool.migrate_once.cli.command import app
from agtool.migrate_once.cli.modes import for_status_of
from agtool.migrate_once.running import NotRunningError, neighbour
from agtool.migrate_once.words import LAUNCHER, split

PARAMETERS = typer.main.get_command(app).params


@pytest.mark.parametrize(
    ("words", "before"),
    [
        (["agtool", "migrate-once", "--", "x"], 1),
        ([LAUNCHER, "migrate-once", "x"], 1),
        (["agtool", "--debug", "migrate-once", "--", "x"], 2),
        (["tini", "--", "agtool", "migrate-once"], 3),
        (["env", "A=1", "/opt/bin/agtool", "migrate-once"], 3),
        (["python", "-m", "agtool", "migrate-once"], 3),
        (["/usr/bin/python3", "/usr/local/bin/agtool", "migrate-once"], 2),
        (
            [
                "/f/lib/loader/agtool",
                "--library-path",
                "/f/lib",
                "/f/lib/start.pyc",
                "migrate-once",
            ],
            4,
        ),
    ],
)
def test_an_agtool_is_known(words: list[str], before: int) -> None:
    assert split(words) == (words[:before], words[before + 1 :])


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["migrate-once"],
        ["rails", "db:migrate"],
        ["agtool", "debug"],
        ["other", "migrate-once"],
        ["agtoolish", "migrate-once"],
        ["sh", "-c", "agtool migrate-once -- x"],
        ["bash", "-ec", "agtool", "migrate-once"],
    ],
)
def test_something_else_is_not(words: list[str]) -> None:
    assert split(words) is None


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        (["--", "--key", "no"], {}),
        (["alembic", "--key", "no"], {}),
        (["--key", "1", "--name=n", "--", "x"], {"--key": "1", "--name": "n"}),
        (["--key=1", "--key=2"], {"--key": "2"}),
        (
            ["--database-url-env=A", "--retry", "--lock", "table"],
            {"--database-url-env": "A", "--lock": "table"},
        ),
        (["--attempts", "3", "--kill-grace=3s", "--host", "db"], {"--host": "db"}),
        (["--wait", "--wait-timeout", "1m", "--user=u"], {"--user": "u"}),
        (
            ["--result-file", "/r", "--metrics-file=/m", "--log-format=json"],
            {"--log-format": "json"},
        ),
        (["--status", "-o", "json", "--limit", "3", "--port=1"], {"--port": "1"}),
        (["--unknown", "--port=1"], {"--port": "1"}),
        (["--key"], {"--key": ""}),
    ],
)
def test_the_options_that_status_needs(
    arguments: list[str], options: dict[str, str | None]
) -> None:
    assert for_status_of(arguments, PARAMETERS) == options


def process(proc: Path, pid: int, *words: str, environ: bytes = b"A=1\0B=2\0A=3\0") -> None:
    folder = proc / str(pid)
    folder.mkdir(parents=True)
    (folder / "cmdline").write_bytes("\0".join([*words, ""]).encode() if words else b"")
    (folder / "environ").write_bytes(environ)


def test_the_neighbour_is_the_first_that_works_or_waits(tmp_path: Path) -> None:
    (tmp_path / "self").mkdir()
    process(tmp_path, 1, "sh", "/app/start.sh")
    process(tmp_path, 2)  # a kernel's thread
    process(tmp_path, 7, "agtool", "migrate-once", "--status", "--lock-table=other")
    process(tmp_path, 30, "agtool", "migrate-once", "--lock-table=b", "--", "x", "--status")
    process(tmp_path, 8, "agtool", "migrate-once", "--lock-table=a", "--", "x")
    found = neighbour(tmp_path)
    assert found.pid == 8
    assert found.arguments == ["--lock-table=a", "--", "x"]
    # Of a name that stands there twice, the first.
    assert found.environment == {b"A": b"1", b"B": b"2"}


def test_there_is_no_neighbour(tmp_path: Path) -> None:
    process(tmp_path, 1, "sh", "/app/start.sh")
    with pytest.raises(NotRunningError) as raised:
        neighbour(tmp_path)
    assert raised.value.code == "not-running"


def test_a_neighbour_has_hidden_its_options(tmp_path: Path) -> None:
    title = "agtool migrate-once --database-url postgresql://u:***@db/shop -- x"
    process(tmp_path, 1, title, "", "")
    with pytest.raises(ConfigurationError, match="hidden") as raised:
        neighbour(tmp_path)
    assert "--database-url-env" in raised.value.hint
    assert "db/shop" not in raised.value.message


def test_a_neighbour_has_ended_meanwhile(tmp_path: Path) -> None:
    process(tmp_path, 1, "agtool", "migrate-once", "--", "x")
    (tmp_path / "1" / "environ").unlink()
    with pytest.raises(AgtoolError) as raised:
        neighbour(tmp_path)
    assert raised.value.code == "not-running"
