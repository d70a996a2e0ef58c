"""The folder: what goes where.

    agtool              launcher.c
    lib/loader/agtool   the C library's loader
    lib/*.so*           the C library, and the libraries that Python needs
    lib/python          Python
    lib/python3.11/     its standard library
    lib/site/           agtool and what it needs
    lib/start.pyc       start.py
    lib/licences/       of each of these
    lib/contents.cdx.json   what is in it, with versions and licences
    lib/SHA256SUMS      of all other files, for sha256sum --check

Python code is there as byte code only: that is half the size, and nothing has to be written or
checked when it is imported.
"""

from __future__ import annotations

import runpy
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from agtool.core.folder import SUMS
from bundle import HERE, PYTHON, ROOT, contents, debian, python, wheels
from bundle.selection import Selection

CONTENTS = "lib/contents.cdx.json"

_LOADERS = {"amd64": "ld-linux-x86-64.so.2", "arm64": "ld-linux-aarch64.so.1"}

TRIPLETS = {"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}
"""Architectures as Debian's folders of libraries name them."""

_LIBRARIES = (
    *("libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1", "libutil.so.1"),
    *("libresolv.so.2", "libnss_dns.so.2", "libnss_files.so.2", "libgcc_s.so.1"),
    *("libssl.so.3", "libcrypto.so.3", "libz.so.1", "libbz2.so.1.0", "liblzma.so.5"),
    *("libexpat.so.1", "libffi.so.8", "libsqlite3.so.0", "libuuid.so.1"),
)


class File(NamedTuple):
    """A file of the folder."""

    content: bytes
    executable: bool = False


def make(architecture: str, selection: Selection, raw: Path) -> dict[str, File]:
    """All files, by their paths in the folder.

    raw: where `unpack` left what this architecture and this machine's need.
    Raises what debian, wheels and python raise.
    """
    system, site = raw / architecture / "debian", raw / architecture / "wheels"
    packages = debian.locked(architecture, selection)
    files = {
        "agtool": File(_launcher(architecture), executable=True),
        "lib/loader/agtool": _first(system, architecture, _LOADERS[architecture]),
        "lib/python": File((system / "usr/bin" / PYTHON).read_bytes(), executable=True),
        **{f"lib/{name}": File(_first(system, architecture, name).content) for name in _LIBRARIES},
        **{
            f"lib/licences/{name}": File(text)
            for name, text in contents.licences(packages, system, site).items()
        },
    }
    sources: dict[str, bytes] = {"lib/start.py": (HERE / "start.py").read_bytes()}
    for name, path in _offered(system, site):
        if not selection.has(name):
            continue
        if name.endswith(".py"):
            sources[name] = path.read_bytes()
        else:
            files[name] = File(path.read_bytes())
    for name, code in python.Python(raw).compiled(sources).items():
        files[f"{name}c"] = File(code)
    files[CONTENTS] = File(contents.document(architecture, packages, site, sorted(files)))
    sums = (f"{sha256(file.content).hexdigest()}  {name}\n" for name, file in sorted(files.items()))
    files[SUMS] = File("".join(sums).encode())
    return dict(sorted(files.items()))


def unpack(architecture: str, selection: Selection, raw: Path) -> None:
    """Unpack below `raw` what the folder is made of."""
    debian.unpack(debian.locked(architecture, selection), raw / architecture / "debian")
    wheels.unpack(architecture, selection.wheels, raw / architecture / "wheels")


def _launcher(architecture: str) -> bytes:
    build = runpy.run_path(str(ROOT / "pause" / "build.py"))
    program: bytes = build["compile_program"](HERE / "launcher.c", architecture)
    return program


def _first(system: Path, architecture: str, name: str) -> File:
    """A file of one of the two folders in which Debian has libraries."""
    places = (system / "lib", system / "usr/lib")
    paths = (place / TRIPLETS[architecture] / name for place in places)
    return File(next(path for path in paths if path.exists()).read_bytes(), executable=True)


def _offered(system: Path, site: Path) -> Iterator[tuple[str, Path]]:
    """What the standard library, libraries and agtool have, with where it would belong."""
    for folder, place in (
        (system / "usr/lib" / PYTHON, f"lib/{PYTHON}"),
        (system / "usr/lib/python3/dist-packages", "lib/site"),
        (site, "lib/site"),
        (ROOT / "agtool", "lib/site/agtool"),
    ):
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                yield f"{place}/{path.relative_to(folder).as_posix()}", path
