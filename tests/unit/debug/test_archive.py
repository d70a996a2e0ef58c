"""What a container sends is written where it belongs and nowhere else: kubectl cp's CVEs."""

import io
import os
import socket
import tarfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agtool.core.errors import AgtoolError, ConfigurationError
from agtool.debug.session import archive as archives
from agtool.debug.session.archive import pack, size_of
from agtool.debug.session.destination import Destination, UnsafeError

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


def unpack(source: BinaryIO, root: str, target: Path) -> list[str]:
    """Write an archive to a target, which gets its name; what was left out."""
    with Destination(target) as destination:
        return archives.unpack(source, root, destination, lambda _: None)


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
        unpack(archive(*entries), "root", place / "target")
    assert tree(tmp_path) == {"secret": "mine"}
    assert os.listdir(place) == []  # noqa: PTH208


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
    left = unpack(archive(*entries), "root", tmp_path / "target")
    assert left == ["root/pipe", "root/device", "root/up"]
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
        unpack(archive(*entries), "root", tmp_path / "target")
    assert tree(outside) == {"file": "theirs"}


def test_a_pipe_at_the_destination_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "target")
    with pytest.raises(UnsafeError):
        unpack(archive(("root", FILE, "x")), "root", tmp_path / "target")


def test_one_file_and_its_rights(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("old and longer")
    unpack(archive(("./root", FILE, "new")), "root", target)
    assert target.read_text() == "new"
    assert not target.stat().st_mode & 0o7000


def test_hard_links_become_files(tmp_path: Path) -> None:
    entries = [("root", FOLDER, ""), ("root/a", FILE, "same"), ("root/b", HARD, "root/a")]
    assert unpack(archive(*entries), "root", tmp_path / "t") == []
    assert tree(tmp_path) == {"t/a": "same", "t/b": "same"}


@pytest.mark.parametrize("cut", [100, 600, 1500])
def test_an_archive_that_breaks_off(tmp_path: Path, cut: int) -> None:
    whole = archive(("root", FILE, "x" * 5000)).getvalue()
    with pytest.raises(ConfigurationError):
        unpack(io.BytesIO(whole[:cut]), "root", tmp_path / "t")


@pytest.mark.parametrize(
    ("entries", "files", "left"),
    [
        (  # a ConfigMap, a Secret, a token
            [
                ("root/k", LINK, "..data/k"),
                ("root/..data", LINK, "..2026_11_30/"),
                ("root/..2026_11_30", FOLDER, ""),
                ("root/..2026_11_30/k", FILE, "v"),
            ],
            {"k": "v", "..2026_11_30/k": "v"},
            [],
        ),
        (  # from link to link, and up
            [
                ("root/a/f", FILE, "x"),
                ("root/b/one", LINK, "./two"),
                ("root/b/two", LINK, "../a//f"),
                ("root/b/three", HARD, "root/a/f"),
                ("root/four", LINK, "b/three"),
            ],
            {"a/f": "x", "b/one": "x", "b/two": "x", "b/three": "x", "four": "x"},
            [],
        ),
        (  # `..` is that of the folder that the link leads to
            [
                ("root/deep/er/k", FILE, "wrong"),
                ("root/deep/k", FILE, "right"),
                ("root/short", LINK, "deep/er"),
                ("root/k", LINK, "short/../k"),
            ],
            {"deep/er/k": "wrong", "deep/k": "right", "k": "right"},
            ["root/short"],
        ),
        (  # in a circle, out, to nothing, to a folder
            [
                ("root/one", LINK, "two"),
                ("root/two", LINK, "one"),
                ("root/self", LINK, "self/x"),
                ("root/out", LINK, "../secret"),
                ("root/in/out", LINK, "../../root/f"),
                ("root/absolute", LINK, "/etc/passwd"),
                ("root/dangling", LINK, "none"),
                ("root/folder", LINK, "in"),
                ("root/hard", HARD, "root/absolute"),
                ("root/f", FILE, "x"),
            ],
            {"f": "x"},
            [
                *("root/hard", "root/one", "root/two", "root/self", "root/out", "root/in/out"),
                *("root/absolute", "root/dangling", "root/folder"),
            ],
        ),
    ],
)
def test_links_to_files_become_files(
    tmp_path: Path, entries: Sequence[Entry], files: dict[str, str], left: list[str]
) -> None:
    (tmp_path / "secret").write_text("mine")
    assert unpack(archive(("root", FOLDER, ""), *entries), "root", tmp_path / "t") == left
    assert tree(tmp_path / "t") == files


def test_a_link_leads_to_nothing_that_was_not_sent(tmp_path: Path) -> None:
    """Nor is a link replaced that stands where a copy is to go."""
    target = tmp_path / "t"
    target.mkdir()
    (target / "mine").write_text("mine")
    (target / "there").symlink_to("mine")
    entries = [
        ("root/f", FILE, "x"),
        ("root/stolen", LINK, "mine"),
        ("root/hard", HARD, "root/mine"),
        ("root/there", LINK, "f"),
    ]
    assert unpack(archive(*entries), "root", target) == ["root/hard", "root/stolen", "root/there"]
    assert tree(target) == {"f": "x", "mine": "mine", "there": "-> mine"}


some = st.lists(st.sampled_from(["a", "b", "..", ".", "", "root", "out"]), min_size=1, max_size=4)
entry = st.tuples(
    st.one_of(some.map(lambda parts: "/".join(["root", *parts])), some.map("/".join)),
    st.sampled_from([FILE, FOLDER, LINK, HARD, tarfile.FIFOTYPE]),
    st.one_of(some.map("/".join), some.map(lambda parts: "/".join(["root", *parts]))),
)


@given(st.lists(entry, max_size=8), st.sampled_from(["a", "a/b", "b"]), st.booleans())
def test_any_archive_stays_in_its_place(
    tmp_path_factory: pytest.TempPathFactory, entries: list[Entry], link: str, merged: bool
) -> None:
    folder = tmp_path_factory.mktemp("any")
    (folder / "out").mkdir()
    (folder / "out/a").write_text("mine")
    if merged:
        (folder / "t" / link).parent.mkdir(parents=True)
        (folder / "t" / link).symlink_to(folder / "out")
    before = tree(folder)
    with suppress(AgtoolError):
        unpack(archive(*entries), "root", folder / "t")
    after = tree(folder)
    assert before.items() <= after.items()
    sent = {content for _, kind, content in entries if kind == FILE}
    for name in after.keys() - before.keys():
        assert name.split("/")[0] == "t"
        assert after[name] in sent
        assert ".agtool" not in name


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
    unpack(made, "root", folder / "target")
    assert (folder / "target" / name).read_bytes() == data


@given(st.binary(max_size=3000))
def test_any_bytes_are_an_archive_or_an_error(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    folder = tmp_path_factory.mktemp("bytes")
    with suppress(AgtoolError):
        unpack(io.BytesIO(data), "root", folder / "t")
    assert set(os.listdir(folder)) <= {"t"}  # noqa: PTH208


def members(made: io.BytesIO) -> list[str]:
    made.seek(0)
    with tarfile.open(fileobj=made) as tar:
        return tar.getnames()


def test_the_last_file_is_the_proof(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source/z").write_text("x")
    (tmp_path / "source/a").write_text("x")
    made = io.BytesIO()
    pack(tmp_path / "source", "./t", made, lambda _: None, last="./t.last")
    assert members(made) == ["./t", "./t/a", "./t/z", "./t.last"]


def test_what_is_sent_is_counted_as_it_goes(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(bytes(1 << 20))
    made, ahead = io.BytesIO(), []
    done = 0

    def progress(count: int) -> None:
        nonlocal done
        done += count
        ahead.append(done - made.tell())

    pack(tmp_path / "big", "./big", made, progress)
    assert done == 1 << 20
    assert max(ahead) < 1 << 16


def test_a_source_that_cannot_be_read(tmp_path: Path) -> None:
    for work in (size_of, lambda path: pack(path, "./x", io.BytesIO(), lambda _: None)):
        with pytest.raises(ConfigurationError, match=r"cannot read .*/none: No such file"):
            work(tmp_path / "none")


@pytest.mark.parametrize(
    ("what", "told"), [("shorter", "b: unexpected end"), ("gone", "c: No such file")]
)
def test_a_source_that_changes_meanwhile(tmp_path: Path, what: str, told: str) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for name in "abc":
        (source / name).write_bytes(bytes(100_000))
    done = 0

    def progress(count: int) -> None:
        nonlocal done
        done += count
        if done > 150_000:
            if what == "gone":
                (source / "c").unlink(missing_ok=True)
            else:
                os.truncate(source / "b", 0)

    made = io.BytesIO()
    with pytest.raises(ConfigurationError, match=f"cannot read {source}/{told}"):
        pack(source, "./t", made, progress, last="./t.last")
    assert b"t.last" not in made.getvalue()


def test_a_socket_is_not_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "source").mkdir()
    monkeypatch.chdir(tmp_path)  # its name may be no longer than a hundred bytes
    with socket.socket(socket.AF_UNIX) as one:
        one.bind("source/socket")
        made = io.BytesIO()
        pack(tmp_path / "source", "./t", made, lambda _: None)
    assert members(made) == ["./t"]
