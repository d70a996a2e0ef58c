"""The trust settings of a Chromium profile, and the file that holds them."""

import hashlib
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agtool.core.errors import ConfigurationError, DeniedError
from agtool.le_staging.browser import trust_store

NAMES = st.lists(st.from_regex(r"[a-z0-9.-]{1,253}", fullmatch=True), max_size=20)
A, B = b"certificate A", b"certificate B"


def sha256(der: bytes) -> str:
    return hashlib.sha256(der).hexdigest()


def test_settings_are_what_chromium_writes() -> None:
    # As chrome://certificate-manager of Chromium 156 wrote them.
    assert trust_store.settings([]).hex() == "0a020803"
    limited = "0a020803" + "120d" + "0a0b" + b"example.org".hex()
    assert trust_store.settings(["example.org"]).hex() == limited
    long = trust_store.settings(["x" * 200])
    assert long[4:8] == b"\x12\xcb\x01\x0a"  # the length takes two bytes


@given(NAMES)
def test_domains_are_read_back(names: list[str]) -> None:
    assert trust_store.domains(trust_store.settings(names)) == tuple(names)


@given(NAMES, st.integers(0, 40), st.binary(max_size=4))
def test_no_settings_are_mistaken_for_ours(names: list[str], at: int, junk: bytes) -> None:
    ours = trust_store.settings(names)
    settings = ours[:at] + junk + ours[at:]
    found = trust_store.domains(settings)
    assert found is None or trust_store.settings(found) == settings
    assert trust_store.domains(bytes.fromhex("0a020801")) is None  # a hint, not trust
    assert trust_store.domains(b"") is None


def test_the_file_holds_exactly_what_was_written_last(tmp_path: Path) -> None:
    assert trust_store.read(tmp_path) == {}
    trust_store.write(tmp_path, {A: ("example.org",), B: ()})
    assert trust_store.read(tmp_path) == {sha256(A): ("example.org",), sha256(B): ()}
    trust_store.write(tmp_path, {B: ("a.dev", "b.dev")})
    assert trust_store.read(tmp_path) == {sha256(B): ("a.dev", "b.dev")}
    file = tmp_path / "ServerCertificate"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_of_the_browsers_own_becomes_private(tmp_path: Path) -> None:
    trust_store.write(tmp_path, {A: ()})
    (tmp_path / "ServerCertificate").chmod(0o644)
    trust_store.write(tmp_path, {B: ()})
    assert stat.S_IMODE((tmp_path / "ServerCertificate").stat().st_mode) == 0o600


def test_while_the_browser_runs_it_can_be_read_and_not_written(tmp_path: Path) -> None:
    trust_store.write(tmp_path, {A: ()})
    path = tmp_path / "ServerCertificate"
    assert not trust_store.locked(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as browser:
        browser.execute("BEGIN EXCLUSIVE")
        assert trust_store.locked(path)
        assert trust_store.read(tmp_path) == {sha256(A): ()}
        with pytest.raises(DeniedError, match="the browser is running") as raised:
            trust_store.write(tmp_path, {B: ()})
    assert "Close its windows" in raised.value.hint
    assert trust_store.read(tmp_path) == {sha256(A): ()}
    assert not trust_store.locked(tmp_path / "missing")
    assert not (tmp_path / "missing").exists()


def test_a_newer_format_is_refused_and_left_alone(tmp_path: Path) -> None:
    trust_store.write(tmp_path, {A: ()})
    with closing(sqlite3.connect(tmp_path / "ServerCertificate")) as connection:
        connection.execute("UPDATE meta SET value = '2'")
        connection.commit()
    with pytest.raises(ConfigurationError, match="newer than agtool knows"):
        trust_store.write(tmp_path, {B: ()})
    assert trust_store.read(tmp_path) == {sha256(A): ()}


def test_what_is_no_database_is_no_trust(tmp_path: Path) -> None:
    (tmp_path / "ServerCertificate").write_bytes(b"x" * 5000)
    assert trust_store.read(tmp_path) == {}
    with pytest.raises(ConfigurationError, match="cannot write"):
        trust_store.write(tmp_path, {A: ()})


def test_what_was_added_with_other_settings_is_not_told_as_ours(tmp_path: Path) -> None:
    trust_store.write(tmp_path, {A: ()})
    with closing(sqlite3.connect(tmp_path / "ServerCertificate")) as connection:
        connection.execute("INSERT INTO certificates VALUES('x', ?, ?)", (B, b"\x0a\x02\x08\x01"))
        connection.commit()
    assert trust_store.read(tmp_path) == {sha256(A): ()}
