"""Results and errors as data, and which exit code they have."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timezone
from enum import Enum
from pathlib import Path

import pytest

from agtool.core.command import Format, Invocation, Result, Technique, document, plain, show
from agtool.core.errors import (
    CANNOT_EXECUTE,
    NOT_FOUND,
    TIMED_OUT,
    AgtoolError,
    ConfigurationError,
    DeclinedError,
    DeniedError,
    UnreachableError,
    UsageError,
)
from agtool.core.finding import Finding

PLAIN = Technique("plain", "", "")
WRAPPER = Technique("wrapper", "", "", wraps_command=True)


class Colour(str, Enum):
    red = "red"


@dataclass(frozen=True)
class Seed:
    sown: datetime
    place: Path


@dataclass(frozen=True)
class Apple:
    colour: Colour
    seeds: tuple[Seed, ...] = ()
    prices: dict[str, float | None] = field(default_factory=dict)
    problem: Finding | None = None


def test_data_as_json_can_have_it() -> None:
    seed = Seed(datetime(2026, 1, 2, tzinfo=timezone.utc), Path("/a"))
    apple = Apple(Colour.red, (seed,), {"a": None, "b": 1.5}, Finding("worm", "a worm"))
    assert plain(apple) == {
        "colour": "red",
        "seeds": [{"sown": "2026-01-02T00:00:00+00:00", "place": "/a"}],
        "prices": {"a": None, "b": 1.5},
        "problem": {"code": "worm", "message": "a worm", "hint": "", "subject": ""},
    }


def test_the_document_for_programs() -> None:
    assert document("x", data=Apple(Colour.red)) == {
        "version": 2,
        "command": "x",
        "status": "ok",
        "exit_code": 0,
        "data": {"colour": "red", "seeds": [], "prices": {}, "problem": None},
        "errors": [],
    }
    assert document("x", exit_code=7)["status"] == "failed"
    refused = document("x", exit_code=5, errors=[DeniedError("no", hint="ask", subject="node a")])
    assert (refused["status"], refused["data"]) == ("error", {})
    assert refused["errors"] == [
        {"code": "denied", "message": "no", "hint": "ask", "subject": "node a"}
    ]


def error(kind: type[AgtoolError], exit_code: int | None = None) -> AgtoolError:
    made = kind("x")
    if exit_code is not None:
        made.exit_code = exit_code
    return made


@pytest.mark.parametrize(
    ("failure", "alone", "wrapping", "listing"),
    [
        (error(DeclinedError), 1, 125, 1),
        (error(UsageError), 2, 125, 125),
        (error(ConfigurationError), 3, 125, 3),
        (error(UnreachableError), 4, 125, 4),
        (error(DeniedError), 5, 125, 5),
        (error(AgtoolError), 70, 125, 70),
        (error(UnreachableError, TIMED_OUT), 124, 124, 124),
        (error(ConfigurationError, CANNOT_EXECUTE), 126, 126, 126),
        (error(ConfigurationError, NOT_FOUND), 127, 127, 127),
    ],
)
def test_exit_codes(failure: AgtoolError, alone: int, wrapping: int, listing: int) -> None:
    assert Invocation().exit_code(failure) == alone
    invocation = Invocation()
    invocation.enter(PLAIN)
    assert invocation.exit_code(failure) == alone
    invocation.enter(WRAPPER)
    assert invocation.exit_code(failure) == wrapping
    invocation.runs_command = False  # a form such as --list
    assert invocation.exit_code(failure) == listing


def test_errors_beside_a_result(capfd: pytest.CaptureFixture[str]) -> None:
    """The exit code is that of the first one, unless the result has one."""
    errors = [DeniedError("no"), UnreachableError("nobody")]
    assert show(Result(None, ["shown"], errors=errors), Invocation()) == 5
    assert capfd.readouterr() == ("shown\n", "agtool: error: no\nagtool: error: nobody\n")
    assert show(Result(None, errors=errors, exit_code=1), Invocation()) == 1


def test_names_only(capfd: pytest.CaptureFixture[str]) -> None:
    result, named = Result(None, ["a table"], names=["a", "b"]), Invocation()
    named.output = Format.name
    assert show(result, named) == 0
    assert capfd.readouterr() == ("a\nb\n", "")
