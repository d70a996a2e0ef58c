"""The man pages: one for each command, and nothing that a formatter or a linter warns of."""

import os
import subprocess
from pathlib import Path

import pytest

from release.described import Described, described
from release.manual import pages
from tests.conftest import needed
from tests.servers.process import find_program


@pytest.fixture(scope="module")
def commands() -> list[Described]:
    """Give all commands."""
    return described()


@pytest.fixture(scope="module")
def manual(commands: list[Described], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder with all pages."""
    folder = tmp_path_factory.mktemp("man") / "man1"
    folder.mkdir()
    for name, text in pages(commands, "2026-01-31").items():
        (folder / name).write_text(text)
    return folder


def shown(page: Path) -> str:
    """A page as man shows it, on a wide terminal, without bold letters."""
    with needed():
        man = find_program("man")
    env = {
        **os.environ,
        "MANWIDTH": "200",
        "LC_ALL": "C.UTF-8",
        "MANPAGER": "cat",
        "GROFF_NO_SGR": "1",
    }
    argv: list[str | Path] = [man, "--warnings", "--local-file", page]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout


def test_each_command_has_a_page(commands: list[Described], manual: Path) -> None:
    names = {f"{command.name.replace(' ', '-')}.1" for command in commands}
    assert {path.name for path in manual.iterdir()} == names
    assert {"agtool.1", "agtool-debug.1", "agtool-ci-nodepool-taint.1"} <= names


def test_a_page_has_all_that_its_command_has(commands: list[Described], manual: Path) -> None:
    (debug,) = (command for command in commands if command.name == "agtool debug")
    text = shown(manual / "agtool-debug.1")
    for option in debug.options:
        assert ", ".join(option.names) in text
    for example in debug.examples:
        assert example in text
    assert "2026-01-31" in text
    assert "AGTOOL_DEBUG_IMAGE" in text
    for section in ("NAME", "SYNOPSIS", "EXAMPLES", "ENVIRONMENT", "EXIT STATUS", "SEE ALSO"):
        assert f"\n{section}\n" in text


def test_no_page_has_what_formatters_or_linters_warn_of(manual: Path) -> None:
    with needed():
        groff, mandoc = find_program("groff"), find_program("mandoc")
    paths = sorted(manual.iterdir())
    for argv in ([str(mandoc), "-Tlint", "-Wwarning"], [str(groff), "-man", "-ww", "-Tutf8", "-z"]):
        done = subprocess.run([*argv, *paths], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_what_looks_like_roff_is_text(tmp_path: Path) -> None:
    one = Described(
        "agtool x",
        False,
        "[OPTIONS]",
        "It is.",
        [".so /etc/passwd", "'x \\fB \\n[y]"],
        [".TH example", "a\\b 'c'"],
        [],
        [],
        {},
    )
    page = tmp_path / "x.1"
    page.write_text(pages([one], "2026-01-31")["agtool-x.1"])
    text = shown(page)
    for wanted in (".so /etc/passwd", "'x \\fB \\n[y]", ".TH example", "a\\b 'c'"):
        assert wanted in text
