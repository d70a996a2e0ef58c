"""Fingerprints as people have them, and where the roots lie."""

from pathlib import Path

import pytest

from agtool.core.errors import ConfigurationError, DeniedError, UsageError
from agtool.le_staging.roots import store
from agtool.le_staging.roots.fetch import parse_fingerprint
from agtool.le_staging.roots.pins import PINS

DIGITS = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    "text",
    [
        DIGITS,
        DIGITS.upper(),
        ":".join(DIGITS[at : at + 2] for at in range(0, 64, 2)),
        f"SHA256 Fingerprint={DIGITS}",
        f"sha256 Fingerprint={DIGITS}\n",
        f"SHA256:{DIGITS}",
        f"sha-256 {DIGITS}",
        f"{DIGITS[:32]} {DIGITS[32:]}",
    ],
)
def test_fingerprints(text: str) -> None:
    assert parse_fingerprint(text) == DIGITS


@pytest.mark.parametrize("text", ["", "00", DIGITS[1:], DIGITS + "0", "g" * 64, "SHA1 " + DIGITS])
def test_what_is_no_fingerprint(text: str) -> None:
    with pytest.raises(UsageError):
        parse_fingerprint(text)


@pytest.mark.parametrize("pin", [pin for pin in PINS if pin.retired], ids=lambda pin: pin.name)
def test_retired_ones_are_refused(pin: object) -> None:
    with pytest.raises(DeniedError, match="is refused"):
        parse_fingerprint(pin.sha256)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({"XDG_DATA_HOME": "/data"}, "/data/agtool/le-staging"),
        ({"XDG_DATA_HOME": "relative"}, "~/.local/share/agtool/le-staging"),
        ({"XDG_DATA_HOME": ""}, "~/.local/share/agtool/le-staging"),
        ({}, "~/.local/share/agtool/le-staging"),
    ],
)
def test_the_folder(environment: dict[str, str], folder: str) -> None:
    assert store.folder(environment) == Path(folder).expanduser()


def test_no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", nowhere)
    with pytest.raises(ConfigurationError, match="no home"):
        store.folder({})
