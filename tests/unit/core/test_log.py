"""Messages as lines for people and as lines of JSON, which are the same messages."""

import json
import subprocess
import sys
from datetime import datetime, timedelta, timezone

import pytest

from agtool.core.errors import DeclinedError, DeniedError
from agtool.core.log import Log, Message, formatted
from agtool.core.output import fail

WARNING = Message("it is\nlate", "late", "warning", "Go home.\nNow.", {"hours": 3, "who": None})


@pytest.fixture
def as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have messages written as JSON."""
    monkeypatch.setattr(Log, "as_json", True)


def test_as_text() -> None:
    assert formatted(WARNING) == (
        "agtool: warning: it is\nagtool: late\nagtool: Go home.\nagtool: Now.\n"
    )
    assert formatted(Message("so", "code", "info", "", {})) == "agtool: so\n"


@pytest.mark.usefixtures("as_json")
def test_as_json() -> None:
    text = formatted(WARNING)
    assert text.count("\n") == 1
    read = json.loads(text)
    moment = datetime.fromisoformat(read.pop("time"))
    assert abs(datetime.now(timezone.utc) - moment) < timedelta(minutes=5)
    assert read == {
        "level": "warning",
        "code": "late",
        "message": "it is\nlate",
        "hint": "Go home.\nNow.",
        "hours": 3,
        "who": None,
    }
    assert "hint" not in json.loads(formatted(Message("so", "code", "info", "", {})))


@pytest.mark.usefixtures("as_json")
def test_whatever_is_in_it_a_line_stays_a_line() -> None:
    text = "a\u2028b\x85c\x1b[2J\r\n\N{SNOWMAN}\udcff"
    line = formatted(Message(text, "code", "info", "", {"place": text}))
    assert line.isascii()
    assert len(line.splitlines()) == 1
    assert json.loads(line)["message"] == json.loads(line)["place"] == text


@pytest.mark.usefixtures("as_json")
def test_an_error_has_the_words_of_its_finding(capfd: pytest.CaptureFixture[str]) -> None:
    fail(DeniedError("no", hint="ask", subject="node a"), exit_code=5)
    fail(DeclinedError("left"))
    first, second = map(json.loads, capfd.readouterr().err.splitlines())
    assert (first["level"], first["code"], first["message"]) == ("error", "denied", "no")
    assert (first["hint"], first["subject"], first["exit_code"]) == ("ask", "node a", 5)
    assert (second["level"], second["code"]) == ("info", "declined")


def test_nobody_pays_for_what_is_not_asked_for() -> None:
    code = "from agtool.core.output import say; import sys; say('x'); print('json' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"
