"""A file or a folder on this side gets its name when all of it is there."""

import errno
import io
import os
import resource
from contextlib import suppress
from pathlib import Path

import pytest

from agtool.core.errors import ConfigurationError
from agtool.debug.session.destination import Destination, UnsafeError


class Full(io.BytesIO):
    """What cannot be written any more after its first part."""

    def read(self, size: int | None = -1) -> bytes:
        if self.tell():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().read(10)


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.parametrize("parts", [(), ("deep", "er", "file")])
def test_a_failure_leaves_what_was(tmp_path: Path, parts: tuple[str, ...]) -> None:
    target = tmp_path / "target"
    before = []
    if not parts:
        target.write_text("old")
        before = ["target"]
    told = f"cannot write {target.joinpath(*parts)}: No space left on device"
    with pytest.raises(ConfigurationError, match=told), Destination(target) as destination:
        destination.write(parts, Full(b"x" * 100), 0o644)
    assert names(tmp_path) == before
    assert parts or target.read_text() == "old"


def test_nothing_has_its_name_before_the_end(tmp_path: Path) -> None:
    target = tmp_path / "target"
    with Destination(target) as destination:
        destination.write(("file",), io.BytesIO(b"new"), 0o755)
        assert names(tmp_path) != []
        assert not target.exists()
    assert (target / "file").read_text() == "new"
    assert names(tmp_path) == ["target", "target/file"]


def test_files_in_a_folder_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("old")
    (tmp_path / "one").chmod(0o600)
    (tmp_path / "two").write_text("old")
    with Destination(tmp_path) as destination:
        assert destination.found == "folder"
        destination.write(("one",), io.BytesIO(b"new"), 0o644)
        with pytest.raises(ConfigurationError):
            destination.write(("two",), Full(b"x" * 100), 0o644)
    assert names(tmp_path) == ["one", "two"]
    assert (tmp_path / "one").read_text() == "new"
    assert (tmp_path / "two").read_text() == "old"
    assert (tmp_path / "one").stat().st_mode & 0o777 == 0o600


def test_a_file_keeps_its_mode(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("old")
    target.chmod(0o600)
    with Destination(target) as destination:
        destination.write((), io.BytesIO(b"new"), 0o755)
    assert (target.read_text(), target.stat().st_mode & 0o777) == ("new", 0o600)


def test_a_link_that_comes_meanwhile_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    with Destination(tmp_path / "target") as destination:
        destination.write((), io.BytesIO(b"new"), 0o644)
        (tmp_path / "target").symlink_to("mine")
    assert (tmp_path / "mine").read_text() == "mine"
    assert (tmp_path / "target").read_text() == "new"
    assert not (tmp_path / "target").is_symlink()


def test_nothing_is_written(tmp_path: Path) -> None:
    with suppress(ConfigurationError), Destination(tmp_path / "target") as destination:
        assert destination.empty
    with Destination(tmp_path / "target") as destination:
        destination.write((), io.BytesIO(b""), 0o644)
        assert not destination.empty


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("none")
    with (
        pytest.raises(UnsafeError, match="what is there is no file"),
        Destination(tmp_path / "link"),
    ):
        pass
    told = f"cannot write {tmp_path}/no/file: No such file"
    with pytest.raises(ConfigurationError, match=told), Destination(tmp_path / "no/file"):
        pass


def test_a_folder_that_cannot_be_opened_is_a_folder(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with Destination(tmp_path) as destination:
        free = os.dup(0)
        os.close(free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (free + 1, hard))  # one more, and no second
        try:
            told = "Too many open files"
            with pytest.raises(ConfigurationError, match=told), destination.folder(("new",)):
                pass
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("kind", ["file", "link"])
def test_what_is_no_folder_is_called_so(tmp_path: Path, kind: str) -> None:
    if kind == "file":
        (tmp_path / "deep").touch()
    else:
        (tmp_path / "deep").symlink_to(tmp_path)
    told = "'deep' is there, and is no folder"
    with (
        Destination(tmp_path) as destination,
        pytest.raises(UnsafeError, match=told),
        destination.folder(("deep",)),
    ):
        pass
