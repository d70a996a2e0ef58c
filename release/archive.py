"""tar.gz files that say nothing of the machine, so that the same input gives the same bytes."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple


class File(NamedTuple):
    """A file in an archive."""

    content: bytes
    executable: bool = False


def read_folder(folder: Path) -> dict[str, File]:
    """The files of a folder, by their paths in it."""
    return {
        path.relative_to(folder).as_posix(): File(
            path.read_bytes(), executable=bool(path.stat().st_mode & 0o100)
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def read_tar(content: bytes) -> dict[str, File]:
    """The files of an archive; links are not kept."""
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        return {
            member.name: File(opened.read(), executable=bool(member.mode & 0o100))
            for member in tar.getmembers()
            if (opened := tar.extractfile(member))
        }


def tar_gz(files: Mapping[str, File], seconds: int) -> bytes:
    """An archive of files, all of this time, in seconds since 1970."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, file in sorted(files.items()):
            member = tarfile.TarInfo(name)
            member.size = len(file.content)
            member.mode = 0o755 if file.executable else 0o644
            member.mtime = seconds
            tar.addfile(member, io.BytesIO(file.content))
    return gzip.compress(raw.getvalue(), 9, mtime=0)
