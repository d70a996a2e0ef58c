"""Makes the JSON Schemas in agtool/schemas, and the page about them, from the commands' types.

python -m tests.schemas [--check]
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import sys
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from agtool.core import errors
from agtool.core.command import VERSION
from agtool.core.errors import AgtoolError
from agtool.core.finding import Finding
from agtool.core.kube import errors as kube_errors
from agtool.schemas import file_name
from tests.commands import Command, with_document

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "agtool" / "schemas"
PAGE = ROOT / "docs" / "reference" / "json.md"

Json = dict[str, Any]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"

_ENVELOPE = {
    "version": "Another one means that a program which reads this has to be changed.",
    "command": "The command that was run.",
    "status": "ok: exit code 0. failed: an expected negative answer. error: see errors.",
    "exit_code": "The exit code of the process.",
    "data": "What was found or done; an empty object if an error came before.",
    "errors": "What kept the command from doing all of it.",
}


class _Generator(GenerateJsonSchema):
    """As pydantic's, but all fields are always there, and docstrings say what they mean."""

    def dataclass_schema(self, schema: Any) -> Json:
        made: Json = super().dataclass_schema(schema)
        text = ""
        fields: dict[str, str] = {}
        for cls in reversed(schema["cls"].__mro__):
            if isinstance(cls, type) and is_dataclass(cls):  # the fields that are inherited too
                text, own = read_docstring(cls)
                fields |= own
        made["description"] = text
        for name, meaning in fields.items():
            made["properties"][name]["description"] = meaning[:1].upper() + meaning[1:]
        return made

    def field_is_required(self, field: Any, total: bool) -> bool:
        return True

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def default_schema(self, schema: Any) -> Json:
        return dict(self.generate_inner(schema["schema"]))


def read_docstring(cls: type) -> tuple[str, dict[str, str]]:
    """What a dataclass's docstring says of it, and of its fields: there or below each of them."""
    text, _, attributes = inspect.cleandoc(cls.__doc__ or "").partition("\nAttributes:\n")
    fields = {
        match[1]: " ".join(match[2].split())
        for match in re.finditer(
            r"^(\w+): (.*(?:\n .*)*)", textwrap.dedent(attributes), re.MULTILINE
        )
    }
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
    assert isinstance(body, ast.ClassDef)
    for field, after in zip(body.body, body.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(after, ast.Expr):
            assert isinstance(field.target, ast.Name)
            assert isinstance(after.value, ast.Constant)
            fields[field.target.id] = " ".join(str(after.value.value).split())
    return " ".join(text.split()), fields


def make_schema(command: Command) -> Json:
    """The JSON Schema of what a command prints with `--output json`.

    Raises AssertionError if its annotation names no type for that.
    """
    document = command.document()
    assert document, f"{command.name}: its annotation says Result[None]"
    schemas, definitions = TypeAdapter.json_schemas(
        [
            ("data", "serialization", TypeAdapter(document)),
            ("finding", "serialization", TypeAdapter(Finding)),
        ],
        schema_generator=_Generator,
    )
    data, finding = schemas["data", "serialization"], schemas["finding", "serialization"]
    properties: dict[str, Json] = {
        "version": {"const": VERSION},
        "command": {"const": command.name},
        "status": {"enum": ["ok", "failed", "error"]},
        "exit_code": {"type": "integer", "minimum": 0, "maximum": 255},
        "data": {"anyOf": [data, {"type": "object", "maxProperties": 0}]},
        "errors": {"type": "array", "items": finding},
    }
    for name, meaning in _ENVELOPE.items():
        properties[name]["description"] = meaning
    return {
        "$schema": _DIALECT,
        "title": f"agtool {command.name} --output json",
        "description": (command.function.__doc__ or "").partition("\n")[0],
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "if": {"properties": {"status": {"const": "error"}}},
        "else": {"properties": {"data": data, "errors": {"maxItems": 0}}},
        "then": {"properties": {"errors": {"minItems": 1}}},
        **definitions,
    }


def as_type(schema: Json) -> str:  # noqa: PLR0911  # one line for each form
    """What values a field may have, in words."""
    match schema:
        case {"$ref": str(path)}:
            return f"*{path.rpartition('/')[2]}*"
        case {"anyOf": list(kinds)}:
            return " or ".join(map(as_type, kinds))
        case {"enum": words}:
            return ", ".join(f"`{word}`" for word in words)
        case {"const": word}:
            return f"`{word}`"
        case {"type": "array", "items": items}:
            return f"array of {as_type(items)}"
        case {"additionalProperties": dict(values)}:
            return f"object, of {as_type(values)} by name"
        case {"format": "date-time"}:
            return "string, a time in ISO 8601"
    return str(schema.get("type", "anything"))


def fields_table(schema: Json) -> Iterator[str]:
    """The fields of an object as a table in Markdown."""
    yield "| field | value | meaning |"
    yield "|---|---|---|"
    for name, field in schema["properties"].items():
        meaning = field.get("description", "").replace("|", "\\|")
        yield f"| `{name}` | {as_type(field)} | {meaning} |"
    yield ""


def _section(names: Iterable[str], schema: Json) -> Iterator[str]:
    """The part of the page about commands with the same document."""
    yield f"## {', '.join(names)}"
    yield ""
    yield f"`data`: {as_type(schema['else']['properties']['data'])}."
    yield ""
    for name, definition in schema["$defs"].items():
        if name == "Finding":
            continue
        yield f"**{name}**: {definition.get('description') or as_type(definition)}"
        yield ""
        if "properties" in definition:
            yield from fields_table(definition)


def _codes() -> Iterator[str]:
    """The codes of errors that all commands share."""
    yield "| code | exit code | meaning |"
    yield "|---|---|---|"
    kinds = {
        kind.code: kind
        for module in (errors, kube_errors)
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, AgtoolError) and "code" in vars(kind)
    }
    for code, kind in sorted(kinds.items(), key=lambda one: (one[1].exit_code, one[0])):
        meaning = (
            "A bug in agtool." if kind is AgtoolError else (kind.__doc__ or "").partition("\n")[0]
        )
        yield f"| `{code}` | {kind.exit_code} | {meaning} |"
    yield ""


_PAGE = """\
# JSON documents

<!-- Made by `make schemas` from the code. -->

With `--output json` a command prints one JSON document on stdout and nothing else there, also when
it fails. Each command's document has a JSON Schema, which `agtool schema COMMAND` prints:

```sh
agtool schema {example}
```

All documents have these fields:

{envelope}
Within one `version` fields are added at most: ignore those that you do not know. A usage error
before a command is known has a document of the same form, with what was understood in `command`.

Errors, and the problems, warnings and doubts in `data`, have one form:

**Finding**: {finding}

{finding_fields}
The exit code is that of the first error. A command that wraps another one (`agtool debug`,
`agtool migrate-once`) has 125 in the place of a code of its own that could be the other's. These
codes are the same in all commands:

{codes}
"""


def make_page(schemas: dict[str, Json]) -> str:
    """The page about all documents, in Markdown."""
    first = next(iter(schemas.values()))
    alike: dict[str, list[str]] = {}
    for name, schema in schemas.items():
        alike.setdefault(json.dumps([schema["else"], schema["$defs"]]), []).append(name)
    finding = first["$defs"]["Finding"]
    envelope = {
        "properties": {
            **first["properties"],
            "command": {**first["properties"]["command"], "const": "ci-nodepool taint"},
            "data": {**first["properties"]["data"], "anyOf": [{"type": "object"}]},
        }
    }
    head = _PAGE.format(
        example=next(reversed(schemas)),
        envelope="\n".join(fields_table(envelope)),
        finding=finding["description"],
        finding_fields="\n".join(fields_table(finding)),
        codes="\n".join(_codes()),
    )
    sections = ("\n".join(_section(names, schemas[names[0]])) for names in alike.values())
    return head + "\n".join(sections).rstrip("\n") + "\n"


def make_files(commands: Iterable[Command]) -> dict[Path, str]:
    """What is to stand in which file: the schemas, and the page about them."""
    schemas = {command.name: make_schema(command) for command in commands}
    files = {
        FOLDER / file_name(name): json.dumps(schema, indent=2) + "\n"
        for name, schema in schemas.items()
    }
    return {**files, PAGE: make_page(schemas)}


def differing(files: dict[Path, str]) -> list[Path]:
    """The files that do not hold what they should, and the schemas of commands that are gone."""
    wrong = [path for path, text in files.items() if not path.exists() or path.read_text() != text]
    return sorted({*wrong, *(set(FOLDER.glob("*.json")) - set(files))})


def main(arguments: list[str]) -> int:
    """Write what differs, or with --check only name it; return the exit code."""
    files = make_files(with_document())
    wrong = differing(files)
    for path in wrong:
        if "--check" in arguments:
            print(f"{path.relative_to(ROOT)} is not up to date: make schemas")  # noqa: T201
        elif path in files:
            path.write_text(files[path])
        else:
            path.unlink()
    return 1 if wrong and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
