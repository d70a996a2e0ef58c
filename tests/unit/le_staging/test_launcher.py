"""The desktop entry, and what of it stays after removal."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agtool.core.errors import ConfigurationError
from agtool.le_staging.browser import launcher


@pytest.fixture
def share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a data folder that is the user's."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    return tmp_path


def unquoted(text: str) -> str:
    """The inverse of `quoted`, as the Desktop Entry Specification tells it."""
    assert "%" not in text.replace("%%", "")  # a field code
    value = text.replace("\\\\", "\0").replace("%%", "%").replace("\0", "\\")
    assert value[0] == value[-1] == '"'
    argument, rest = "", value[1:-1]
    while rest:
        if rest[0] == "\\":
            assert rest[1] in '"`$\\'
            rest = rest[1:]
        else:
            assert rest[0] not in '"`$'
        argument, rest = argument + rest[0], rest[1:]
    return argument


@given(st.text(st.characters(min_codepoint=32, exclude_categories=["Cs", "Cc"])))
def test_arguments_survive_the_quoting(argument: str) -> None:
    assert unquoted(launcher.quoted(argument)) == argument


def test_the_entry_does_not_offer_itself_for_links() -> None:
    entry = launcher.entry(["/opt/my agtool/agtool", "le-staging", "chrome"])
    assert 'Exec="/opt/my agtool/agtool" "le-staging" "chrome" %U\n' in entry
    assert "MimeType" not in entry


def test_what_others_put_there_stays(share: Path) -> None:
    launcher.install({"applications/a.desktop": b"a", "icons/hicolor/48x48/apps/a.png": b"b"})
    assert (share / "applications/a.desktop").read_bytes() == b"a"
    others = share / "icons/hicolor/48x48/apps/theirs.png"
    others.write_bytes(b"c")
    launcher.remove()
    assert not (share / "applications").exists()
    assert others.read_bytes() == b"c"
    assert not (share / "icons/hicolor/48x48/apps/a.png").exists()
    launcher.remove()  # there is nothing to do


def test_an_interrupted_installation_can_be_taken_away(share: Path) -> None:
    (share / "icons").write_text("no folder")
    with pytest.raises(ConfigurationError, match="cannot write") as raised:
        launcher.install({"applications/a.desktop": b"a", "icons/hicolor/a.png": b"b"})
    assert "agtool le-staging remove" in raised.value.hint
    assert (share / "applications/a.desktop").exists()
    launcher.remove()
    assert not (share / "applications").exists()
    assert (share / "icons").read_text(encoding="utf-8") == "no folder"


def test_a_tool_of_the_desktop_that_fails_does_no_harm(
    share: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (share / "applications").mkdir()
    (share / "applications/mimeinfo.cache").touch()
    monkeypatch.setattr("shutil.which", lambda _: "/bin/false")
    launcher.install({"applications/a.desktop": b"a"})

    def hang(*_: object, **__: object) -> None:
        raise subprocess.TimeoutExpired("x", 30)

    monkeypatch.setattr(subprocess, "run", hang)
    launcher.install({"applications/a.desktop": b"a"})


def test_the_package_has_all_icons() -> None:
    made = launcher.contents(["agtool"])
    assert len(made) == len(launcher.SIZES) + 2
    assert all(made.values())
    assert sum(map(len, made.values())) < 40_000  # a package for servers, too


def test_an_error_shows_on_the_desktop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "notify-send"
    program.write_text(f'#!/bin/sh\nprintf "%s|" "$@" > {tmp_path}/said\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(ConfigurationError), launcher.notifying():
        raise ConfigurationError("--what happened", hint="what to do")
    said = (tmp_path / "said").read_text(encoding="utf-8")
    assert said == "--icon=chrome-le|--|Let's Encrypt staging|--what happened\nwhat to do|"
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    with pytest.raises(ConfigurationError), launcher.notifying():
        raise ConfigurationError("again")
