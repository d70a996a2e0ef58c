"""The JSON Schemas: made from the types, shipped, and what every document is held against."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from agtool import schemas
from tests import commands, documents
from tests.schemas import differing, make_files, make_page, make_schema
from tests.unit.app import shop
from tests.unit.app.conftest import Done
from tests.unit.test_documentation import DOCUMENTS, ROOT

Run = Callable[..., Done]


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give a folder in the place of agtool/schemas, with those of the small techniques."""
    for command in commands.with_document([shop.TECHNIQUE]):
        path = tmp_path / schemas.file_name(command.name)
        path.write_text(json.dumps(make_schema(command)))
    monkeypatch.setattr(schemas, "_FOLDER", tmp_path)
    documents.validator.cache_clear()
    yield tmp_path
    documents.validator.cache_clear()


def test_they_are_up_to_date() -> None:
    """Also: each command with --output has one, and none is left of a command that is gone."""
    assert differing(make_files(commands.with_document())) == [], "make schemas"


def test_they_are_in_the_package() -> None:
    """The wheel is looked at in tests/integration/pause/test_package.py."""
    settings = (ROOT / "pyproject.toml").read_text()
    (line,) = [line for line in settings.splitlines() if line.startswith("agtool = [")]
    patterns = json.loads(line.partition("=")[2])
    assert any(fnmatch("schemas/debug.json", pattern) for pattern in patterns)
    assert "py.typed" in patterns
    assert (ROOT / "agtool" / "py.typed").exists()


@pytest.mark.parametrize("command", ["debug", "ci-nodepool taint"])
def test_they_are_shown(command: str) -> None:
    argv = [sys.executable, "-m", "agtool", "schema", *command.split()]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    schema = json.loads(done.stdout)
    Draft202012Validator.check_schema(schema)
    assert schema["properties"]["command"]["const"] == command


@pytest.mark.usefixtures("shipped")
def test_one_is_shown(agtool: Run) -> None:
    done = agtool("schema", "shop", "sell")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["title"] == "agtool shop sell --output json"
    done = agtool("schema", "shop", "close")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "Commands with one: shop sell." in done.stderr


@pytest.mark.usefixtures("shipped")
def test_docstrings_say_what_the_fields_mean() -> None:
    schema = json.loads(schemas.read("shop sell"))
    Draft202012Validator.check_schema(schema)
    apple = schema["$defs"]["Apple"]
    assert apple["description"] == "An apple."
    assert apple["required"] == ["colour", "weight", "eaten_at"]
    told = {name: field.get("description") for name, field in apple["properties"].items()}
    assert told == {
        "colour": "Of most of it; a word that a person uses.",
        "weight": "In grams.",
        "eaten_at": "When it was eaten; null: it was not.",
    }
    page = make_page({"shop sell": schema})
    assert "## shop sell\n" in page
    assert "| `colour` | `red`, `green` | Of most of it; a word that a person uses. |" in page


@pytest.mark.usefixtures("shipped")
@pytest.mark.parametrize(
    "arguments",
    [
        "shop sell -y -o json",
        "shop sell -y --as joe -o json",
        "shop sell -o json",
        "shop sell -o json --nosuch",
        "shop -o json",
        "--nosuch -o json",
    ],
)
def test_documents_are_as_the_schema_says(agtool: Run, arguments: str) -> None:
    documents.check(agtool(*arguments.split()).stdout)


@pytest.mark.usefixtures("shipped")
@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.update(version=1),
        lambda d: d.update(command="shop close"),
        lambda d: d.update(more=1),
        lambda d: d.update(data={}),
        lambda d: d.update(status="error"),
        lambda d: d.update(errors=[{"code": "x", "message": "", "hint": "", "subject": ""}]),
        lambda d: d["data"]["apples"][0].update(colour="blue"),
        lambda d: d["data"]["apples"][0].update(eaten_at="yesterday"),
        lambda d: d["data"]["apples"][0].update(eaten_at="2026-01-01T00:00:00"),
        lambda d: d["data"]["apples"][0].pop("eaten_at"),
        lambda d: d["data"]["problems"][0].update(word="x"),
        lambda d: d["data"].update(more=1),
    ],
)
def test_another_document_is_refused(
    agtool: Run, change: Callable[[dict[str, object]], object]
) -> None:
    document = json.loads(agtool("shop", "sell", "-y", "-o", "json").stdout)
    change(document)
    with pytest.raises(AssertionError):
        documents.check(document)


@pytest.mark.usefixtures("shipped")
def test_what_is_not_a_document_is_let_through() -> None:
    for text in ("", "text", "{", "{}", '{"version": 1}', "[1]"):
        documents.check_if_any(text)
    with pytest.raises(AssertionError):
        documents.check_if_any('{"version": 1, "command": "shop sell"}')


def documentation() -> list[str]:
    """The JSON documents that the pages show."""
    texts = [path.read_text(encoding="utf-8") for path in DOCUMENTS]
    blocks = [
        block for text in texts for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    ]
    return [block for block in blocks if '"version": 2' in block]


@pytest.mark.parametrize("document", documentation())
def test_what_the_pages_show_is_as_the_schema_says(document: str) -> None:
    documents.check(document)
