"""Files on their way into a container and out of it, as a tar stream.

What comes out of a container is not trusted: whoever has it could name a file `../../.bashrc`, or
lay a symbolic link first and write through it (CVE-2018-1002100, CVE-2019-1002101, CVE-2019-11246,
-11249 and -11251 of kubectl cp). So a name must be one below what was asked for, and nothing is
written but by `Destination`, which makes no symbolic link and follows none. A link within what is
sent becomes a copy of the file that it leads to: that is found by names alone, among those sent.
"""

from __future__ import annotations

import stat
import tarfile
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO, cast

from agtool.core.errors import ConfigurationError
from agtool.debug.session.destination import UnsafeError

if TYPE_CHECKING:
    from agtool.debug.session.destination import Destination

_LINKS = 40
"""How many links may lead to a file; as Linux has it, see path_resolution(7)."""

Progress = Callable[[int], None]
"""Called with a number of bytes that have passed."""


def kind_of(source: Path) -> str:
    """What a source is, or the link that it is leads to: folder or file.

    Raises ConfigurationError for what cannot be read, such as a link that leads to itself.
    """
    with _reading(source):
        return "folder" if stat.S_ISDIR(source.stat().st_mode) else "file"


def size_of(source: Path) -> int:
    """Bytes of the files in a tree.

    Raises ConfigurationError for what cannot be read.
    """
    total = 0
    for path, _ in _tree(source.resolve(), ""):
        with _reading(path):
            status = path.lstat()
        total += status.st_size if stat.S_ISREG(status.st_mode) else 0
    return total


def pack(source: Path, name: str, sink: BinaryIO, progress: Progress, *, last: str = "") -> None:
    """Write a file or a folder as an archive, under a name; its links as links.

    Args:
        last: the name of an empty file after all others; empty: none.

    Raises ConfigurationError for what cannot be read.
    """
    # Names that are long, as busybox reads them too.
    with tarfile.open(fileobj=sink, mode="w|", format=tarfile.GNU_FORMAT) as archive:
        # The source itself may be a link: it is what it names that is meant.
        for path, inside in _tree(source.resolve(), name):
            with _reading(path):
                _add(archive, path, inside, progress)
        if last:
            archive.addfile(tarfile.TarInfo(last))


def _add(archive: tarfile.TarFile, path: Path, name: str, progress: Progress) -> None:
    if stat.S_ISSOCK(path.lstat().st_mode):  # which no archive has
        return
    info = archive.gettarinfo(path, name)
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    if not info.isreg():
        archive.addfile(info)
        return
    with path.open("rb") as file:
        archive.addfile(info, cast("IO[bytes]", _Counted(file, progress)))


class _Counted:
    """A file that tells what is read of it."""

    def __init__(self, file: BinaryIO, progress: Progress) -> None:
        self._file = file
        self._progress = progress

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        self._progress(len(data))
        return data


def _tree(path: Path, name: str) -> Iterator[tuple[Path, str]]:
    """A file, or a folder and all that is in it, each with its name in the archive."""
    yield path, name
    if not path.is_symlink() and path.is_dir():
        with _reading(path):
            below = sorted(path.iterdir())
        for one in below:
            yield from _tree(one, f"{name}/{one.name}")


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:  # of the archive's reader
        raise
    except OSError as error:
        raise ConfigurationError(
            f"cannot read {path}: {error.strerror or error}", hint="Check the source of --cp."
        ) from error


def unpack(source: BinaryIO, root: str, destination: Destination, progress: Progress) -> list[str]:
    """Write what an archive holds of `root`; the names of what was left out.

    What is neither a file nor a folder is left out, as kubectl does, and so are links that do not
    lead to a file in the archive.

    Raises:
        UnsafeError: a name, or what stands at the destination, leads elsewhere.
        ConfigurationError: a file cannot be written, or the archive is broken.
    """
    left_out: list[str] = []
    sent: set[tuple[str, ...]] = set()
    links: dict[tuple[str, ...], str] = {}
    try:
        with tarfile.open(fileobj=source, mode="r|") as archive:
            for member in archive:
                parts = _parts(member.name, root)
                if member.isdir():
                    with destination.folder(parts):
                        pass
                elif member.isreg():
                    with cast("IO[bytes]", archive.extractfile(member)) as content:
                        destination.write(parts, content, member.mode, progress)
                    sent.add(parts)
                elif member.issym():
                    links[parts] = member.linkname
                elif member.islnk() and (first := _parts(member.linkname, root)) in sent:
                    destination.copy(first, parts)
                    sent.add(parts)
                else:
                    left_out.append("/".join((root, *parts)))
    except tarfile.TarError as error:
        raise ConfigurationError(f"what tar sent is no whole archive: {error}") from error
    return [*left_out, *_copy_links(links, sent, root, destination)]


def _copy_links(
    links: Mapping[tuple[str, ...], str],
    sent: Container[tuple[str, ...]],
    root: str,
    destination: Destination,
) -> Iterator[str]:
    """Write what links lead to; the names of those that lead to no file that was sent."""
    for parts in links:
        if parts[-1:] == ("..data",):  # the kubelet's, in each ConfigMap: all of it has been sent
            continue
        try:
            found = _followed(parts, links)
            if found and found in sent:
                destination.copy(found, parts)
                continue
        except UnsafeError:  # a link stands there too: it stays
            pass
        yield "/".join((root, *parts))


def _parts(name: str, root: str) -> tuple[str, ...]:
    """What a name is below `root`; nothing is the root itself."""
    parts = [part for part in name.split("/") if part != "."]
    if parts and not parts[-1]:
        parts.pop()  # of a folder
    if not parts or parts[0] != root or ".." in parts or "" in parts or "\0" in name:
        raise UnsafeError(
            f"the container sends a file {name!r}, which does not belong to {root!r}",
            hint="Nothing of it was written. Do not trust this container.",
        )
    return tuple(parts[1:])


def _followed(parts: Sequence[str], links: Mapping[tuple[str, ...], str]) -> tuple[str, ...]:
    """Where a name leads by links, those of its folders too; empty: out of them, or in a circle."""
    at: list[str] = []
    rest = list(reversed(parts))
    followed = 0
    while rest:
        part = rest.pop()
        if part == "..":
            if not at:
                return ()
            at.pop()
        elif part not in {"", "."}:
            link = links.get((*at, part))
            if link is None:
                at.append(part)
                continue
            followed += 1
            if link.startswith("/") or followed > _LINKS:
                return ()
            rest.extend(reversed(link.split("/")))
    return tuple(at)
