"""Files on their way into a container and out of it, as a tar stream.

What comes out of a container is not trusted: whoever has it could name a file `../../.bashrc`, or
lay a symbolic link first and write through it (CVE-2018-1002100, CVE-2019-1002101, CVE-2019-11246,
-11249 and -11251 of kubectl cp). So nothing is written outside the destination, no symbolic link
is made, and none is followed.
"""

from __future__ import annotations

import os
import stat
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, BinaryIO, cast

from agtool.core.errors import AgtoolError, ConfigurationError

_PORTION = 256 * 1024
"""Bytes that are written at once."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

Progress = Callable[[int], None]
"""Called with a number of bytes that have passed."""


class UnsafeError(AgtoolError):
    """What the container sends would be written where it does not belong."""

    exit_code = 5
    code = "unsafe"


def size_of(source: Path) -> int:
    """Bytes of the files in a tree."""
    if not source.is_dir():
        return source.stat().st_size
    files = (path for path in source.rglob("*") if path.is_file() and not path.is_symlink())
    return sum(path.stat().st_size for path in files)


def pack(source: Path, name: str, sink: BinaryIO, progress: Progress) -> None:
    """Write a file or a folder as an archive, under a name; its links as links.

    Raises ConfigurationError for what cannot be read.
    """

    def entry(info: tarfile.TarInfo) -> tarfile.TarInfo:
        info.uid = info.gid = 0
        info.uname = info.gname = ""
        if info.isreg():
            progress(info.size)
        return info

    # The source itself may be a link: it is what it names that is meant.
    source = source.resolve()
    try:
        # Names that are long, as busybox reads them too.
        with tarfile.open(fileobj=sink, mode="w|", format=tarfile.GNU_FORMAT) as archive:
            archive.add(source, name, filter=entry)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise ConfigurationError(
            f"cannot read {error.filename or source}: {error.strerror or error}"
        ) from error


def unpack(source: BinaryIO, root: str, target: Path, progress: Progress) -> list[str]:
    """Write what an archive holds of `root` to `target`; the names of what was left out.

    Links to other files and what is neither file nor folder are left out, as kubectl does.

    Raises:
        UnsafeError: a name, or what stands at the destination, leads elsewhere.
        ConfigurationError: a file cannot be written, or the archive is broken.
    """
    left_out: list[str] = []
    try:
        with tarfile.open(fileobj=source, mode="r|") as archive:
            for member in archive:
                parts = _parts(member.name, root)
                if member.isdir():
                    with _folder(target, parts):
                        pass
                elif member.isreg():
                    with cast("IO[bytes]", archive.extractfile(member)) as content:
                        _write(target, parts, content, member.mode, progress)
                elif member.islnk():
                    _copy(target, _parts(member.linkname, root), parts, member.mode)
                else:
                    left_out.append(member.name)
    except tarfile.TarError as error:
        raise ConfigurationError(f"what tar sent is no whole archive: {error}") from error
    except OSError as error:
        raise ConfigurationError(
            f"cannot write {error.filename or target}: {error.strerror or error}"
        ) from error
    return left_out


def _parts(name: str, root: str) -> list[str]:
    """What a name is below `root`; nothing is the root itself."""
    parts = [part for part in name.split("/") if part != "."]
    if parts and not parts[-1]:
        parts.pop()  # of a folder
    if not parts or parts[0] != root or ".." in parts or "" in parts or "\0" in name:
        raise UnsafeError(
            f"the container sends a file {name!r}, which does not belong to {root!r}",
            hint="Nothing of it was written. Do not trust this container.",
        )
    return parts[1:]


@contextmanager
def _folder(target: Path, parts: list[str]) -> Iterator[int]:
    """A descriptor of a folder below `target`, which is made; no symbolic link is followed."""
    at = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in [target.name, *parts]:
            with suppress(FileExistsError):
                os.mkdir(part, 0o777, dir_fd=at)
            try:
                below = os.open(part, _FOLDER, dir_fd=at)
            except OSError as error:
                raise UnsafeError(
                    f"{target.joinpath(*parts)}: {part!r} is there, and is no folder",
                    hint="Choose another destination, or remove it.",
                ) from error
            os.close(at)
            at = below
        yield at
    finally:
        os.close(at)


@contextmanager
def _place(target: Path, parts: list[str]) -> Iterator[tuple[int, str]]:
    """The folder and the name of a file at or below `target`."""
    if parts:
        with _folder(target, parts[:-1]) as at:
            yield at, parts[-1]
        return
    at = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield at, target.name
    finally:
        os.close(at)


def _write(
    target: Path, parts: list[str], content: IO[bytes], mode: int, progress: Progress
) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    with _place(target, parts) as (at, name):
        try:
            number = os.open(name, flags, mode & 0o777, dir_fd=at)
        except OSError as error:
            raise UnsafeError(
                f"cannot write {target.joinpath(*parts)}: {error.strerror}",
                hint="A symbolic link or a folder is there already. Choose another destination.",
            ) from error
        with os.fdopen(number, "wb") as file:
            if not stat.S_ISREG(os.fstat(number).st_mode):
                raise UnsafeError(f"{target.joinpath(*parts)} is there, and is no file")
            file.truncate()
            while data := content.read(_PORTION):
                file.write(data)
                progress(len(data))


def _copy(target: Path, first: list[str], parts: list[str], mode: int) -> None:
    """What is the same file as an earlier one in the container becomes a copy of that."""
    with _place(target, first) as (at, name):
        number = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
    with os.fdopen(number, "rb") as file:
        if stat.S_ISREG(os.fstat(number).st_mode):
            _write(target, parts, file, mode, lambda _: None)
