"""The root of an image, from Debian's packages: unpacked, not installed, and kept in the cache.

apt gets a configuration of its own, by which nothing is installed here, checks the archive's
signatures, and finds what the packages depend on. No script of a package runs, so what these would
make (alternatives, caches) is not there, as in a distroless image.
"""

import hashlib
import stat
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from bundle import apt
from tests.cluster.places import cache
from tests.servers.process import ServerUnavailable
from tests.servers.versions import new_folder

_WITHOUT = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/lintian")
"""Nothing needs it."""


class Files(NamedTuple):
    """What is in a root, by absolute paths; data: the files that are no programs."""

    content: dict[str, bytes]
    links: dict[str, str]
    data: set[str]

    def add(self, other: "Files") -> "Files":
        """Both together; what is in both, as the other has it."""
        return Files(
            {**self.content, **other.content},
            {**self.links, **other.links},
            self.data | other.data,
        )


def read(folder: Path, place: str = "") -> Files:
    """The files below a folder, as they lie below `place` in the image."""
    found = Files({}, {}, set())
    for path, name in _walk(folder):
        inside = f"{place}/{name}"
        if path.is_symlink():
            found.links[inside] = str(path.readlink())
        elif path.is_file():
            found.content[inside] = path.read_bytes()
            if not path.stat().st_mode & stat.S_IXUSR:
                found.data.add(inside)
    return found


def _walk(folder: Path) -> Iterator[tuple[Path, str]]:
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if not name.startswith(_WITHOUT):
            yield path, name


def unpacked(release: str, packages: Sequence[str]) -> Path:
    """A folder with these packages and all that they depend on. Raises ServerUnavailable."""
    digest = hashlib.sha256(" ".join([release, *sorted(packages)]).encode()).hexdigest()[:12]
    place = cache().with_name("images") / f"{release}-{packages[0]}-{digest}"
    try:
        with new_folder(place) as made:
            if made is not None:
                _fill(made, release, packages)
    except apt.AptError as error:
        raise ServerUnavailable(f"{' '.join(packages)} of Debian {release}: {error}") from error
    return place


def _fill(folder: Path, release: str, packages: Sequence[str]) -> None:
    own = folder / "apt"
    own.mkdir()
    options = apt.options(own, [(apt.DEBIAN, release)])
    apt.run(["apt-get", *options, "update"])
    install = ["install", "--yes", "--download-only", "--no-install-recommends"]
    apt.run(["apt-get", *options, *install, *packages])
    for package in sorted((own / "cache" / "archives").glob("*.deb")):
        apt.run(["dpkg-deb", "--extract", package, folder])
    subprocess.run(["rm", "-r", own], check=True)
