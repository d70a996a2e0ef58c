"""The reference says what --help of each command says."""

import re
import subprocess
import sys
from functools import cache
from pathlib import Path

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

COMMANDS = (
    *("status", "taint", "untaint", "label", "unlabel", "patch-runner", "apply", "undo"),
    *("check", "edit", "watch", "emit"),
)


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
