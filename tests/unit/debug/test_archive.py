"""What a container sends is written where it belongs and nowhere else: kubectl cp's CVEs."""

import io
import os
import tarfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agtool.core.errors import AgtoolError, ConfigurationError
from agtool.debug.session.archive import UnsafeError, pack, size_of, unpack

Entry = tuple[str, bytes, str]
"""A name, the type of tar, and content or what a link names."""


def archive(*entries: Entry) -> io.BytesIO:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w|") as tar:
        for name, kind, content in entries:
            info = tarfile.TarInfo(name)
            info.type = kind
            info.mode = 0o755 if kind == tarfile.DIRTYPE else 0o4644
            if kind == tarfile.REGTYPE:
                info.size = len(content)
            else:
                info.linkname = content
            tar.addfile(info, io.BytesIO(content.encode()) if kind == tarfile.REGTYPE else None)
    made.seek(0)
    return made


def tree(folder: Path) -> dict[str, str]:
    """All files below a folder, links as `-> target`."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = f"-> {path.readlink()}"
        elif path.is_file():
            found[name] = path.read_text()
    return found


FILE, FOLDER, LINK, HARD = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE


@pytest.mark.parametrize(
    "entries",
    [
        # CVE-2018-1002100
        [("../evil", FILE, "x")],
        [("root/../../evil", FILE, "x")],
        [("root/a/../../../evil", FILE, "x")],
        [("/evil", FILE, "x")],
        [("/root/evil", FILE, "x")],
        [("other", FILE, "x")],
        [("root//evil/../x", FILE, "x")],
        # CVE-2019-11246: a folder, and up from it
        [("root", FOLDER, ""), ("root/..", FOLDER, ""), ("root/../evil", FILE, "x")],
        # A hard link to what is not of the archive.
        [("root", FOLDER, ""), ("root/x", HARD, "/etc/passwd")],
        [("root", FOLDER, ""), ("root/x", HARD, "../secret")],
    ],
)
def test_names_that_lead_elsewhere(tmp_path: Path, entries: Sequence[Entry]) -> None:
    (tmp_path / "secret").write_text("mine")
    place = tmp_path / "a/b"
    place.mkdir(parents=True)
    with pytest.raises(UnsafeError):
        unpack(archive(*entries), "root", place / "target", lambda _: None)
    assert {name for name in tree(tmp_path) if "target" not in name} == {"secret"}


def test_links_are_not_made_and_not_followed(tmp_path: Path) -> None:
    # CVE-2019-1002101, CVE-2019-11249, CVE-2019-11251: a link first, and then a file through it.
    outside = tmp_path / "outside"
    outside.mkdir()
    entries = [
        ("root", FOLDER, ""),
        ("root/up", LINK, str(outside)),
        ("root/up/evil", FILE, "x"),
        ("root/pipe", tarfile.FIFOTYPE, ""),
        ("root/device", tarfile.CHRTYPE, ""),
    ]
    left = unpack(archive(*entries), "root", tmp_path / "target", lambda _: None)
    assert left == ["root/up", "root/pipe", "root/device"]
    assert tree(tmp_path) == {"target/up/evil": "x"}  # a folder of its own


@pytest.mark.parametrize("name", ["target", "target/inner", "target/inner/file"])
def test_links_that_are_there_already(tmp_path: Path, name: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("theirs")
    link = tmp_path / name
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(outside / "file" if name.endswith("file") else outside)
    entries = [("root", FOLDER, ""), ("root/inner", FOLDER, ""), ("root/inner/file", FILE, "x")]
    with pytest.raises(UnsafeError):
        unpack(archive(*entries), "root", tmp_path / "target", lambda _: None)
    assert tree(outside) == {"file": "theirs"}


def test_a_pipe_at_the_destination_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "target")
    with pytest.raises(UnsafeError):
        unpack(archive(("root", FILE, "x")), "root", tmp_path / "target", lambda _: None)


def test_one_file_and_its_rights(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("old and longer")
    unpack(archive(("./root", FILE, "new")), "root", target, lambda _: None)
    assert target.read_text() == "new"
    assert not target.stat().st_mode & 0o7000


def test_hard_links_become_files(tmp_path: Path) -> None:
    entries = [("root", FOLDER, ""), ("root/a", FILE, "same"), ("root/b", HARD, "root/a")]
    assert unpack(archive(*entries), "root", tmp_path / "t", lambda _: None) == []
    assert tree(tmp_path) == {"t/a": "same", "t/b": "same"}


@pytest.mark.parametrize("cut", [100, 600, 1500])
def test_an_archive_that_breaks_off(tmp_path: Path, cut: int) -> None:
    whole = archive(("root", FILE, "x" * 5000)).getvalue()
    with pytest.raises(ConfigurationError):
        unpack(io.BytesIO(whole[:cut]), "root", tmp_path / "t", lambda _: None)


names = st.text(
    st.characters(blacklist_characters="/\0", blacklist_categories=["Cs"]), min_size=1, max_size=60
).filter(lambda name: name not in {".", ".."})


@given(names, st.binary(max_size=2000))
def test_any_name_comes_back(
    tmp_path_factory: pytest.TempPathFactory, name: str, data: bytes
) -> None:
    folder = tmp_path_factory.mktemp("names")
    source = folder / "source"
    source.mkdir()
    try:
        (source / name).write_bytes(data)
    except OSError:
        return  # too long for the file system
    passed: list[int] = []
    made = io.BytesIO()
    pack(source, "./root", made, passed.append)
    assert sum(passed) == size_of(source) == len(data)
    made.seek(0)
    unpack(made, "root", folder / "target", lambda _: None)
    assert (folder / "target" / name).read_bytes() == data


@given(st.binary(max_size=3000))
def test_any_bytes_are_an_archive_or_an_error(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    folder = tmp_path_factory.mktemp("bytes")
    with suppress(AgtoolError):
        unpack(io.BytesIO(data), "root", folder / "t", lambda _: None)
    assert set(os.listdir(folder)) <= {"t"}  # noqa: PTH208


def test_a_source_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot read"):
        pack(tmp_path / "none", "./x", io.BytesIO(), lambda _: None)
