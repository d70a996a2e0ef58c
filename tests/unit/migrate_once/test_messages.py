"""Every message of migrate-once has a code word, so that `--log-format json` is worth reading."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3] / "agtool"
FILES = [*ROOT.glob("migrate_once/**/*.py"), *ROOT.glob("core/process/*.py")]


def calls_of_say(file: Path) -> Iterator[ast.Call]:
    """The calls of `say` in a file."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "say":
            yield node


CALLS = [(file, call) for file in FILES for call in calls_of_say(file)]


def test_there_are_messages() -> None:
    assert len(CALLS) > 10


@pytest.mark.parametrize(
    ("file", "call"), CALLS, ids=[f"{file.stem}-{call.lineno}" for file, call in CALLS]
)
def test_a_message_has_a_code_and_no_mark_of_its_level(file: Path, call: ast.Call) -> None:
    assert len(call.args) == 2, f"{file}:{call.lineno}: say(TEXT, CODE)"
    code = call.args[1]
    assert isinstance(code, ast.Constant)
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", str(code.value))
    assert not ast.unparse(call.args[0]).lstrip("f'\"").startswith(("warning:", "error:"))


def test_nothing_else_writes_to_stderr() -> None:
    for file in FILES:
        text = file.read_text(encoding="utf-8")
        assert "print_exc" not in text, file
        assert "sys.stderr.write" not in text, file
