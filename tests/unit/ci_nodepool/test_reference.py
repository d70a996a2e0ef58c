"""The reference says what --help of each command says."""

import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from agtool.ci_nodepool.status.judge import WORST_FIRST

ROOT = Path(__file__).parents[3]
REFERENCE = (ROOT / "docs/reference/ci-nodepool.md").read_text(encoding="utf-8")
PAGES = [
    REFERENCE,
    *(
        (ROOT / f"docs/{page}.md").read_text(encoding="utf-8")
        for page in (
            "tutorial/move-ci-to-preemptible-nodes",
            "explanation/node-recreation",
            "explanation/runner-nodes",
            "how-to/send-jobs-to-preemptible-nodes",
        )
    ),
]

COMMANDS = {
    "status": "status",
    "taint": "taint, untaint, label, unlabel",
    "untaint": "taint, untaint, label, unlabel",
    "label": "taint, untaint, label, unlabel",
    "unlabel": "taint, untaint, label, unlabel",
    "patch-runner": "patch-runner",
    "apply": "apply",
    "undo": "undo",
    "check": "check",
    "edit": "edit",
    "watch": "watch",
    "emit": "emit",
}
"""The commands, and the headings under which they are."""


@cache
def help_of(command: str) -> set[str]:
    """The long options of a command, without --help."""
    text = subprocess.run(
        [sys.executable, "-m", "agtool", "ci-nodepool", command, "--help"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    listed = text.partition("\nOptions:\n")[2]
    return set(re.findall(r"^  (?:-\w, )?(--[a-z-]+)", listed, flags=re.MULTILINE)) - {"--help"}


def told(heading: str, command: str) -> set[str]:
    """The options in the tables under a heading that are for a command."""
    section = re.split(r"^## ", REFERENCE.partition(f"## {heading}\n")[2], flags=re.MULTILINE)[0]
    found = set()
    for line in section.splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        name = re.match(r"`(--[a-z-]+)", cells[0]) if cells else None
        # A table with a column for the commands has four.
        if name and (len(cells) == 3 or cells[2] == "all" or command in cells[2].split(", ")):
            found.add(name[1])
    return found


@pytest.mark.parametrize("command", COMMANDS)
def test_reference_has_the_options_of_help(command: str) -> None:
    options = help_of(command)
    common = told("Options of all commands but edit and emit", command) - {"--help"}
    own = told(COMMANDS[command], command)
    assert own | (common if command not in ("edit", "emit") else set()) == options


def test_all_commands_are_told() -> None:
    text = subprocess.run(
        [sys.executable, "-m", "agtool", "ci-nodepool", "--help"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    listed = re.findall(r"^  ([a-z-]+)  ", text.partition("\nCommands:\n")[2], flags=re.MULTILINE)
    assert set(listed) == set(COMMANDS)


def test_no_other_command_or_option_is_mentioned() -> None:
    for page in PAGES:
        for command, rest in re.findall(r"agtool ci-nodepool ([a-z-]+)(.*)", page):
            assert command in COMMANDS, command
            used = set(re.findall(r"(?<!\S)--[a-z][a-z-]*", rest.partition("|")[0]))
            assert used <= {*help_of(command), "--help"}, rest


def test_the_words_of_problems() -> None:
    words = re.findall(r"^\| `([a-z-]+)` \| [^|`]", REFERENCE, flags=re.MULTILINE)
    assert [word for word in words if word in WORST_FIRST] == list(WORST_FIRST)
