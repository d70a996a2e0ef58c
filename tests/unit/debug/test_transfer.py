"""What takes files in the container, run by the shell and the tar of this machine."""

import io
import subprocess
from pathlib import Path

import pytest

from agtool.debug.session.archive import pack
from agtool.debug.session.transfer import TAKE, in_bytes

NAME = "-ü'\"\n $(touch evil)"


def take(folder: Path, data: bytes) -> int:
    """The exit code of the script, to which so much of an archive of `./new` comes."""
    words = ["sh", "-c", TAKE, "agtool", f"{folder}/", f"{folder}/new", f"{folder}/{NAME}"]
    return subprocess.run(words, input=data, capture_output=True, check=False).returncode


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_only_the_whole_gets_its_name(tmp_path: Path, kind: str) -> None:
    source, folder = tmp_path / "source", tmp_path / "there"
    folder.mkdir()
    if kind == "file":
        source.write_bytes(b"n" * 3000)
        (folder / NAME).write_text("old")
    else:
        (source / "deep").mkdir(parents=True)
        (source / "deep/file").write_bytes(b"n" * 3000)
        (source / "run").write_text("#!/bin/sh\n")
        (source / "run").chmod(0o755)
    made = io.BytesIO()
    pack(source, "./new", made, lambda _: None, last="./new.last")
    whole = made.getvalue()
    needed = whole.index(b"./new.last")
    before = [path.name for path in folder.iterdir()]
    # A member ends at a multiple of 512: a tar that gets no more may say that all is well.
    for length in [*range(0, needed, 512), needed - 700]:
        assert take(folder, whole[:length]) != 0
        assert [path.name for path in folder.iterdir()] == before
        assert not before or (folder / NAME).read_text() == "old"
    assert take(folder, whole) == 0
    assert [path.name for path in folder.iterdir()] == [NAME]
    same = subprocess.run(["diff", "-r", source, folder / NAME], check=False)
    assert same.returncode == 0
    if kind == "folder":
        assert (folder / NAME / "run").stat().st_mode & 0o777 == 0o755


def test_a_folder_that_came_meanwhile_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "source").write_text("x")
    made = io.BytesIO()
    pack(tmp_path / "source", "./new", made, lambda _: None, last="./new.last")
    (tmp_path / NAME).mkdir()
    assert take(tmp_path, made.getvalue()) != 0
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([NAME, "source"])
    assert not any((tmp_path / NAME).iterdir())


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (3_000_000, "2.9 MiB"),
        (1 << 30, "1.0 GiB"),
        (5 << 40, "5.0 TiB"),
        (5 << 50, "5120.0 TiB"),
    ],
)
def test_bytes_in_words(count: int, text: str) -> None:
    assert in_bytes(count) == text
