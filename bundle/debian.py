"""The Debian packages of the folder: which, locked in debian.lock, and fetched by their hashes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from bundle import ARCHITECTURES, HERE, PYTHON, apt, cache
from bundle.selection import Selection

LOCK = HERE / "debian.lock"

PACKAGES = (
    f"{PYTHON}-minimal",
    f"lib{PYTHON}-minimal",
    f"lib{PYTHON}-stdlib",
    "libc6",
    "libssl3",
    "zlib1g",
    "libexpat1",
    "libffi8",
    "libsqlite3-0",
    "libbz2-1.0",
    "liblzma5",
    "libuuid1",
    "libgcc-s1",
    # The wheel has an OpenSSL of its own in it, and is three times as large.
    "python3-cryptography",
    "python3-cffi-backend",
)

_RELEASES = (
    (apt.DEBIAN, "bookworm"),
    (apt.DEBIAN, "bookworm-updates"),
    (apt.SECURITY, "bookworm-security"),
)

_HEADER = (
    "# Made by `make lock`: architecture, package, version, SHA-256, path in Debian's archive.\n"
)


class Package(NamedTuple):
    """A Debian package in one version, for one architecture."""

    architecture: str
    name: str
    version: str
    sha256: str
    path: str

    @property
    def archive(self) -> str:
        """The archive that has it, by its label."""
        return apt.SECURITY if self.path.startswith("pool/updates/") else apt.DEBIAN


def locked(architecture: str, selection: Selection) -> list[Package]:
    """The packages of the lock that a folder for an architecture is made of."""
    lines = LOCK.read_text(encoding="utf-8").splitlines()
    packages = (Package(*line.split()) for line in lines if not line.startswith("#"))
    return [
        package
        for package in packages
        if package.architecture == architecture and package.name not in selection.packages_without
    ]


def unpack(packages: Iterable[Package], target: Path) -> None:
    """Unpack packages below a folder. Raises apt.AptError."""
    target.mkdir(parents=True, exist_ok=True)
    for package in packages:
        apt.run(["dpkg", "--extract", _fetched(package), target])


def _fetched(package: Package) -> Path:
    """The file of a package, from the cache or from Debian."""
    kept = cache() / f"{package.sha256}.deb"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
            new = Path(folder, "deb")
            try:
                apt.download(package.archive, package.path, package.sha256, new)
            except apt.AptError as error:
                raise apt.AptError(
                    f"{package.name} {package.version} cannot be fetched ({error}). "
                    "If Debian has a newer one in its place, run `make lock`."
                ) from error
            new.replace(kept)
    return kept


def lock() -> None:
    """Write the lock anew, with what Debian has now. Raises apt.AptError."""
    found = [package for one in ARCHITECTURES for package in _offered(one)]
    lines = [" ".join(package) + "\n" for package in found]
    LOCK.write_text(_HEADER + "".join(lines), encoding="utf-8")


def _offered(architecture: str) -> Iterator[Package]:
    with tempfile.TemporaryDirectory(prefix="agtool-") as folder:
        own = apt.options(Path(folder), _RELEASES, architecture)
        apt.run(["apt-get", *own, "update"])
        shown = apt.run(["apt-cache", *own, "show", "--no-all-versions", *PACKAGES])
    for text in sorted(shown.strip().split("\n\n")):
        lines = (line.partition(": ") for line in text.splitlines() if not line.startswith(" "))
        fields = {name: value for name, _, value in lines}
        yield Package(
            architecture,
            *(fields[name] for name in ("Package", "Version", "SHA256", "Filename")),
        )


if __name__ == "__main__":
    lock()
