"""`agtool install`, with a small folder in the place of the real one."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from agtool.core.errors import ConfigurationError, UsageError
from agtool.core.folder import SUMS
from agtool.install import install


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a folder of which this Python seems to be."""
    made = tmp_path / "source"
    (made / "lib" / "site").mkdir(parents=True)
    (made / "agtool").write_text("launcher")
    (made / "agtool").chmod(0o555)
    (made / "lib" / "site" / "code").write_text("code")
    (made / SUMS).write_text("sums")
    monkeypatch.setattr(sys, "prefix", str(made))
    return made


def _files(folder: Path) -> dict[str, str]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_text() for path in found}


def test_copies_everything_whatever_the_umask_is(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "volume" / "agtool"
    before = os.umask(0o077)
    try:
        assert install(target)
    finally:
        os.umask(before)
    assert _files(target) == _files(source)
    assert (target / "agtool").stat().st_mode & 0o777 == 0o755
    assert (target / "lib" / "site").stat().st_mode & 0o777 == 0o755
    assert (target / "lib" / "site" / "code").stat().st_mode & 0o777 == 0o644


@pytest.mark.usefixtures("source")
def test_does_nothing_the_second_time(tmp_path: Path) -> None:
    assert install(tmp_path / "target")
    assert not install(tmp_path / "target")


def test_takes_the_place_of_another_version(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    install(target)
    (target / "lib" / "old").touch()
    (source / SUMS).write_text("newer")
    (target / ".agtool-killed").mkdir()
    assert install(target)
    assert _files(target) == _files(source)
    assert sorted(path.name for path in target.iterdir()) == ["agtool", "lib"]


@pytest.mark.parametrize("name", ["agtool", "lib"])
@pytest.mark.usefixtures("source")
def test_leaves_alone_what_is_somebody_elses(tmp_path: Path, name: str) -> None:
    target = tmp_path / "target"
    (target / name).mkdir(parents=True)
    with pytest.raises(ConfigurationError, match=f"{name} is there, and is not agtool's"):
        install(target)
    assert list(target.rglob("*")) == [target / name]


@pytest.mark.usefixtures("source")
def test_a_target_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "target").touch()
    with pytest.raises(ConfigurationError, match="cannot install agtool in "):
        install(tmp_path / "target")


def test_several_at_once_make_one(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(lambda _: install(target), range(4))) == [False] * 3 + [True]
    assert _files(target) == _files(source)


def test_an_installed_agtool_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no self-contained folder"):
        install(tmp_path / "target")
    assert not (tmp_path / "target").exists()
