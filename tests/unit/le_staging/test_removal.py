"""What `remove` takes away, also in homes that are arranged in other ways."""

import os
import pwd
import shutil
from pathlib import Path

import pytest

from agtool.core import shells
from agtool.core.errors import ConfigurationError
from agtool.le_staging import removal
from agtool.le_staging.browser import installed, launcher
from agtool.le_staging.roots import store


@pytest.fixture
def data_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the data folder of a user's home, without anything in it."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "data"))
    return home / "data"


@pytest.fixture
def homeless(data_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a data folder, and no home: a number without an entry in passwd, as on OpenShift."""

    def nobody(uid: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    return data_home


def fill(folder: Path) -> None:
    """What le-staging makes: a launcher, a profile and a file."""
    launcher.install({launcher.ENTRY: b"[Desktop Entry]"})
    (folder / "browsers/chromium-0/profile").mkdir(parents=True)
    (folder / "roots.pem").write_text("# none")


def test_a_linked_folder_goes_with_what_is_there(data_home: Path, tmp_path: Path) -> None:
    """As somebody has it whose home is small."""
    elsewhere, link = tmp_path / "elsewhere", data_home / "agtool/le-staging"
    elsewhere.mkdir()
    link.parent.mkdir(parents=True)
    link.symlink_to(elsewhere)
    fill(link)
    assert link in removal.find()
    removal.remove()
    assert not os.path.lexists(link)
    assert not elsewhere.exists()
    assert not (data_home / launcher.ENTRY).exists()
    assert removal.find() == []


def test_a_linked_profile_and_links_to_nowhere(data_home: Path, tmp_path: Path) -> None:
    folder, elsewhere = data_home / "agtool/le-staging", tmp_path / "elsewhere"
    (elsewhere / "profile").mkdir(parents=True)
    (folder / "browsers").mkdir(parents=True)
    (folder / "browsers/one").symlink_to(elsewhere)
    (folder / "browsers/two").symlink_to(tmp_path / "nowhere")
    removal.remove()
    assert not folder.exists()
    assert not elsewhere.exists()
    folder.parent.mkdir()
    folder.symlink_to(tmp_path / "nowhere")
    assert removal.find() == [folder]
    removal.remove()
    assert removal.find() == []


def test_an_error_without_a_name_is_told(data_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(data_home / "agtool/le-staging")

    def refuse(path: Path) -> None:
        raise OSError(f"odd: {path.name}")

    monkeypatch.setattr(shutil, "rmtree", refuse)
    with pytest.raises(ConfigurationError, match=r"cannot remove /.*/chromium-0: odd: chromium-0"):
        removal.remove()


def test_without_a_home(homeless: Path) -> None:
    fill(homeless / "agtool/le-staging")
    removal.remove()
    assert removal.find() == []


@pytest.mark.usefixtures("homeless")
def test_what_needs_a_home_says_so() -> None:
    with pytest.raises(ConfigurationError, match="no home folder was found"):
        installed.describe("/snap/bin/chromium")
    with pytest.raises(ConfigurationError, match="no home folder was found"):
        shells.install("bash")
    with pytest.raises(ConfigurationError, match="no home folder was found"):
        store.folder({})
