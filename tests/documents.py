"""Holds every JSON document that a test sees against the schema of its command."""

from __future__ import annotations

import json
from copy import deepcopy
from datetime import datetime
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import best_match

from agtool import schemas

Json = dict[str, Any]

_FORMATS = FormatChecker(formats=())


@_FORMATS.checks("date-time", raises=ValueError)
def _is_time(text: object) -> bool:
    return not isinstance(text, str) or datetime.fromisoformat(text).tzinfo is not None


def check(document: str | Json) -> Json:
    """A document of agtool, which is as its command's schema says, and has no field besides.

    Raises AssertionError if it is another.
    """
    read: Json = json.loads(document) if isinstance(document, str) else document
    error = best_match(validator(read.get("command", "")).iter_errors(read))
    assert error is None, f"{error.json_path} of {read.get('command')!r}: {error.message}"
    return read


def check_if_any(text: str) -> None:
    """Check what a run of agtool has written, if that is a document of agtool.

    Raises AssertionError if it is one, and other than its schema says.
    """
    if not text.startswith("{"):
        return
    try:
        read = json.loads(text)
    except ValueError:
        return
    if {"version", "command"} <= set(read):
        check(read)


@cache
def validator(command: str) -> Draft202012Validator:
    """What checks the documents of a command."""
    known = command in schemas.commands()
    schema = json.loads(schemas.read(command)) if known else _before_any_command(command)
    return Draft202012Validator(_strict(schema), format_checker=_FORMATS)


def _before_any_command(command: str) -> Json:
    """The schema for a usage error in a group of commands, or in agtool's own options."""
    schema: Json = json.loads(schemas.read(schemas.commands()[0]))
    schema["properties"] |= {"command": {"const": command}, "data": {"maxProperties": 0}}
    return {**schema, "else": False}


def _strict(schema: Json) -> Json:
    """The schema without room for fields that it does not name."""
    made = deepcopy(schema)
    for kind in (made, *made["$defs"].values()):
        if "properties" in kind:
            kind["additionalProperties"] = False
    return made
