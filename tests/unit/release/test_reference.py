"""The tables of the reference have what the program has, and nothing else."""

import re
from pathlib import Path

import pytest

from release import reference
from release.described import Described, described
from release.exits import exit_codes
from release.reference import ENVIRONMENT, PageError, made

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def commands() -> list[Described]:
    """Give all commands."""
    return described()


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a page that is filled in."""
    monkeypatch.setattr(reference, "FOLDER", tmp_path)
    monkeypatch.setattr(reference, "ROOT", tmp_path)
    return tmp_path / "page.md"


def filled(page: Path, text: str, commands: list[Described]) -> str:
    page.write_text(text)
    return made(commands)[page]


def test_the_committed_pages_are_up_to_date(commands: list[Described]) -> None:
    for path, text in made(commands).items():
        assert path.read_text(encoding="utf-8") == text, path


def test_every_command_has_its_options_in_the_reference(commands: list[Described]) -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in reference.FOLDER.glob("*.md"))
    told = {
        name
        for names in re.findall(r"<!-- options of ([a-z, -]+?)(?: -->|\n)", text)
        for name in names.split(", ")
    }
    groups = {"ci-nodepool", "le-staging"}
    own = {one.name.removeprefix("agtool ") for one in commands if one.name != "agtool"}
    assert told == own - groups - {"help", "schema", "version"}


def test_a_table_has_each_option_once_with_its_addition(
    commands: list[Described], page: Path
) -> None:
    head = "# Page\n\n<!-- options of le-staging fetch\n--url: More: *of it*.\n-->\n"
    text = f"{head}old\n<!-- end -->\n\nEnd\n"
    got = filled(page, text, commands)
    (fetch,) = (one for one in commands if one.name == "agtool le-staging fetch")
    rows = re.findall(r"^\| `.*", got, re.MULTILINE)
    assert [re.findall(r"--[a-z-]+", row)[0] for row in rows] == [o.name for o in fetch.options]
    assert "old" not in got
    assert got.endswith("<!-- end -->\n\nEnd\n")
    assert next(row for row in rows if "`--url" in row).endswith("More: *of it*. |")
    # A second time nothing changes.
    assert filled(page, got, commands) == got


def test_what_options_of_several_commands_have_in_common(
    commands: list[Described], page: Path
) -> None:
    text = "<!-- options of ci-nodepool taint, ci-nodepool unlabel -->\n<!-- end -->\n"
    got = filled(page, text, commands)
    cells = {row.split(" | ")[0]: row for row in got.splitlines() if row.startswith("| `")}
    assert " | all | " in cells["| `--dry-run`"]
    assert " | taint | " in cells["| `--overwrite`"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<!-- options of debug\n--gone: x\n-->\n<!-- end -->\n", "there is no --gone"),
        ("<!-- options of nothing -->\n<!-- end -->\n", "'nothing'"),
        ("<!-- tables of debug -->\n<!-- end -->\n", "'tables'"),
        ("<!-- findings of ci-nodepool status\ndoubt: x\n-->\n<!-- end -->\n", "what these mean"),
        ("<!-- exit codes of debug\n77: x\n-->\n<!-- end -->\n", "there is no 77"),
    ],
)
def test_what_a_page_may_not_ask_for(
    text: str, said: str, commands: list[Described], page: Path
) -> None:
    with pytest.raises(PageError, match=re.escape(said)) as raised:
        filled(page, text, commands)
    assert "page.md" in str(raised.value)


def test_defaults_and_variables_are_taken_out_of_the_help(commands: list[Described]) -> None:
    options = {
        (command.name, option.name): option for command in commands for option in command.options
    }
    image = options["agtool debug", "--image"]
    assert image.variables == ("AGTOOL_DEBUG_IMAGE",)
    assert image.default.startswith("docker.io/library/alpine:")
    assert image.names == ("--image",)
    assert image.value == "IMAGE"
    assert "[" not in image.meaning
    assert options["agtool migrate-once", "--name"].default == "default"
    assert options["agtool migrate-once", "--lock-table"].default.endswith("beside the database")
    assert options["agtool debug", "--stdin"].names == ("-i", "--stdin", "--no-stdin")


def test_no_variable_of_agtool_is_left_out() -> None:
    """All names of variables in the sources, but those by which agtool speaks to itself."""
    inner = {"AGTOOL_COMPLETE", "AGTOOL_SESSION", "AGTOOL_KEPT_", "AGTOOL_RUN", "AGTOOL_WITHOUT"}
    found = set()
    for path in (ROOT / "agtool").rglob("*.py"):
        found |= set(re.findall(r"\bAGTOOL_[A-Z_]+", path.read_text(encoding="utf-8")))
    told = set(re.findall(r"AGTOOL_[A-Z_]+", ENVIRONMENT.read_text(encoding="utf-8")))
    assert found - told <= inner


def test_exit_codes_of_the_two_kinds(commands: list[Described]) -> None:
    by_name = {command.name: exit_codes(command) for command in commands}
    assert list(by_name["agtool debug"]) == ["N", "124", "125", "126", "127", "128+N", "141"]
    assert list(by_name["agtool ci-nodepool status"]) == [
        *("0", "1", "2", "3", "4", "5", "70", "130", "141")
    ]
    assert by_name["agtool migrate-once inject"].keys() == by_name["agtool"].keys()
