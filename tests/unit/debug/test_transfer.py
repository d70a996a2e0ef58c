"""What takes files in the container, run by the shell and the tar of this machine."""

import io
import os
import signal
import subprocess
from pathlib import Path
from typing import cast

import pytest

from agtool.core.errors import ConfigurationError
from agtool.debug.interrupts import Interrupts, Stopped
from agtool.debug.model import Copy
from agtool.debug.session.archive import pack
from agtool.debug.session.place import Place
from agtool.debug.session.transfer import TAKE, in_bytes, transfer

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


class Elsewhere:
    """Stands for a place in a container in which nothing may be done."""

    def look(self, path: str) -> str:
        raise AssertionError(path)


def copying(local: Path, *, into: bool, found: str, path: str = "/there/it") -> None:
    copy = Copy(local, "web-0", path, into)
    with Interrupts() as interrupts:
        transfer(cast("Place", Elsewhere()), copy, found, interrupts)


def test_a_link_that_leads_to_itself(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(link)
    with pytest.raises(ConfigurationError, match=f"cannot read {link}: "):
        copying(link, into=True, found="nothing")


@pytest.mark.parametrize("into", [True, False])
def test_a_name_that_is_too_long(tmp_path: Path, into: bool) -> None:
    with pytest.raises(ConfigurationError, match=": File name too long"):
        copying(tmp_path / ("x" * 300), into=into, found="nothing" if into else "file")


@pytest.mark.parametrize("missing", ["it", "missing/it"])
def test_a_file_in_a_folder_that_is_not_there(tmp_path: Path, missing: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="there is no folder"):
        copying(tmp_path / "file" / missing, into=False, found="file")


@pytest.mark.parametrize(
    ("found", "path", "told"),
    [
        ("folder", "/there/it", "is a folder, and"),
        ("nothing", "/there/it/", "has no folder /there/it"),
        ("nowhere", "/there/it", "has no folder /there"),
    ],
)
def test_the_destination_is_looked_at_before_the_source_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: str, path: str, told: str
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(Elsewhere, "look", lambda *_: "folder")
    monkeypatch.setattr("agtool.debug.session.transfer.size_of", lambda _: pytest.fail("measured"))
    with pytest.raises(ConfigurationError, match=told):
        copying(tmp_path / "file", into=True, found=found, path=path)


def test_a_signal_while_the_source_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()

    def measured(_: Path) -> int:
        os.kill(os.getpid(), signal.SIGTERM)
        pytest.fail("it went on")

    monkeypatch.setattr("agtool.debug.session.transfer.size_of", measured)
    with pytest.raises(Stopped):
        copying(tmp_path / "file", into=True, found="nothing")


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
