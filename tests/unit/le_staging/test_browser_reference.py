"""The reference of the browsers' commands says what --help says."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.unit.test_reference import Option, options_of_help

ROOT = Path(__file__).parents[3]
REFERENCE = (ROOT / "docs/reference/le-staging.md").read_text(encoding="utf-8")
HOW_TO = (ROOT / "docs/how-to/le-staging-browser.md").read_text(encoding="utf-8")
COMMANDS = ("chrome", "desktop", "remove")


def help_of(command: str) -> dict[str, Option]:
    """The options of a command, as --help tells them."""
    done = subprocess.run(
        [sys.executable, "-m", "agtool", "le-staging", command, "--help"],
        env={**os.environ, "COLUMNS": "200", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return options_of_help(done.stdout)


def test_the_how_to_uses_no_other_option() -> None:
    known = {option for command in COMMANDS for option in help_of(command)}
    lines = "\n".join(re.findall(rf"agtool le-staging (?:{'|'.join(COMMANDS)})( .*)", HOW_TO))
    used = set(re.findall(r"(?<!\S)--[a-z][a-z-]*", lines))
    assert used
    assert used <= known
