"""The frame around small techniques, in our own process."""

import io
import sys
from collections.abc import Callable
from typing import NamedTuple

import pytest

from agtool import app
from tests.unit.app import shop


class Done(NamedTuple):
    """How a run of agtool ended, and what it wrote."""

    exit_code: int
    stdout: str
    stderr: str


@pytest.fixture
def agtool(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Done]:
    """Give the function that runs `agtool ARGUMENTS...`, with the techniques of `shop`."""
    techniques = {one.name: one for one in (shop.TECHNIQUE, shop.WRAPPER)}
    monkeypatch.setattr(app, "TECHNIQUES", techniques)
    monkeypatch.setattr(sys, "stdin", io.StringIO())

    def run(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["agtool", *arguments])
        code = app.main()
        return Done(code, *capfd.readouterr())

    return run
