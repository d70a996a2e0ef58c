"""What does not run on Windows says so; that the rest could run there is checked by its types."""

import sys

import pytest

from agtool import app

REFUSED = {
    "debug": 125,
    "debug --list": 3,
    "migrate-once -- true": 125,
    "migrate-once --wait --key a": 125,
    "migrate-once --status": 3,
    "migrate-once --check": 3,
    "le-staging chrome": 3,
    "le-staging desktop": 3,
    "le-staging status": 3,
    "le-staging remove": 3,
    "install folder": 3,
}


@pytest.mark.parametrize("words", REFUSED)
def test_it_refuses_with_words(
    words: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    name = words.partition(" --")[0].removesuffix(" folder")
    monkeypatch.setattr(sys, "argv", ["agtool", *words.split()])
    monkeypatch.setattr(sys, "platform", "win32")
    code = app.main()
    out, err = capfd.readouterr()
    assert (code, out) == (REFUSED[words], ""), err
    assert f"agtool {name} does not run on Windows itself" in err
    assert "Windows Subsystem for Linux" in err
