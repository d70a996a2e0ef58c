"""The reference says what --help says."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from agtool.core import errors
from agtool.core.command import plain
from agtool.debug.pod.leftovers import judge
from tests.unit.debug.test_leftovers import NOW, pod
from tests.unit.test_reference import examples, rows, shape

ROOT = Path(__file__).parents[3]
REFERENCE = (ROOT / "docs/reference/debug.md").read_text()
HOW_TO = (ROOT / "docs/how-to/debug.md").read_text()
EXPLANATION = (ROOT / "docs/explanation/debug-pod.md").read_text()


@pytest.fixture(scope="module")
def help_text() -> str:
    """Give what `agtool debug --help` prints."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AGTOOL_")}
    argv = [sys.executable, "-m", "agtool", "debug", "--help"]
    env = {**kept, "COLUMNS": "200", "NO_COLOR": "1"}
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=True)
    return done.stdout


Option = tuple[frozenset[str], str, tuple[str, ...]]


def variables(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"\b(?:AGTOOL_[A-Z_]+|KUBECONFIG)\b", text))


def options_of_help(text: str) -> list[Option]:
    """The names, the default and the variables of each option."""
    listed = text.partition("\nOptions:\n")[2]
    found: list[Option] = []
    for block in re.split(r"\n(?=  -)", f"\n{listed}")[1:]:
        words = " ".join(block.split())
        default = re.search(r"default: ([^\]]+?)(?:; x>=0)?\]", words)
        names = frozenset(re.findall(r"(?<!\S)--?[a-z][a-z-]*", re.split(r"  +", block.strip())[0]))
        found.append((names, default[1] if default else "", variables(words)))
    return found


@pytest.mark.parametrize("text", [REFERENCE, HOW_TO, EXPLANATION], ids=["ref", "how-to", "why"])
def test_no_other_option_is_mentioned(help_text: str, text: str) -> None:
    known = {name for names, _, _ in options_of_help(help_text) for name in names}
    lines = [line.partition(" -- ")[0] for line in re.findall(r"agtool debug( .*)", text)]
    spans = re.findall(r"`(--[a-z].*?)`", text)
    used = re.findall(r"(?<!\S)--[a-z][a-z-]*", "\n".join([*lines, *spans]))
    assert used
    assert set(used) <= known


def test_reference_has_the_exit_codes_of_help(help_text: str) -> None:
    told = set(re.findall(r"\b(1\d\d):", help_text))
    assert told == {
        str(code)
        for code in (
            errors.TIMED_OUT,
            errors.WRAPPER_FAILED,
            errors.CANNOT_EXECUTE,
            errors.NOT_FOUND,
        )
    }
    assert told <= {cells[0] for cells in rows(REFERENCE, "Exit codes")}


def test_the_json_example_has_the_shape_of_the_real_thing() -> None:
    (example,) = map(json.loads, examples(REFERENCE, "json"))
    (told,) = example["data"]["pods"]
    assert shape(told) == shape(plain(judge(pod(), NOW, lambda _: False)))
