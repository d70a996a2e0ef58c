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
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from agtool.core.folder import SUMS
from bundle import HERE, PYTHON, ROOT, contents, debian, python, wheels

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

_STANDARD_LIBRARY_WITHOUT = (
    # Not for programs that serve: tests, windows, packaging, documentation, debuggers.
    *(
        "test",
        "idlelib",
        "tkinter",
        "turtledemo",
        "turtle.py",
        "distutils",
        "_distutils_system_mod.py",
    ),
    *(
        "ensurepip",
        "venv",
        "lib2to3",
        "pydoc_data",
        "pydoc.py",
        "doctest.py",
        "pdb.py",
        "zipapp.py",
    ),
    *("unittest", "curses", "dbm", "wsgiref", "xmlrpc", "antigravity.py", "this.py"),
    # Protocols, formats and tools that neither agtool nor a library of it uses.
    *("asyncore.py", "asynchat.py", "smtpd.py", "imaplib.py", "nntplib.py", "poplib.py"),
    *("telnetlib.py", "mailbox.py", "cgi.py", "cgitb.py", "aifc.py", "sunau.py", "wave.py"),
    *("pickletools.py", "cProfile.py", "profile.py", "pstats.py", "trace.py", "webbrowser.py"),
    *("modulefinder.py", "pyclbr.py", "tabnanny.py", "shelve.py", "xml", "sndhdr.py", "imghdr.py"),
    # Debian's, which reads /etc.
    "sitecustomize.py",
)

_MODULES_WITHOUT = (
    "_crypt",
    "nis",
    "readline",
    "_curses",
    "_dbm",
    "_tkinter",
    "_test",
    "_xx",
    "xx",
)
"""Beginnings of names of compiled modules: what needs libraries that are not here, and tests."""

_LIBRARIES_WITHOUT = (
    "sqlalchemy/testing",
    "sqlalchemy/orm",
    "sqlalchemy/ext",
    "sqlalchemy/dialects/[!_]*",
)
"""agtool has SQLAlchemy for URLs. Patterns of paths, or of their beginnings."""

_COMPILED_WITHOUT = "sqlalchemy/"
"""Its compiled modules have the same in Python beside them, and are 9 MB."""

_AGTOOL = ("core", "migrate_once", "schemas")
"""What of agtool is whole; of the other techniques there is what tells their names."""

_AGTOOL_WITHOUT = ("core/kube", "migrate_once/cluster")


class File(NamedTuple):
    """A file of the folder."""

    content: bytes
    executable: bool = False


def make(architecture: str, raw: Path) -> dict[str, File]:
    """All files, by their paths in the folder.

    raw: where `python.Python` of this machine and the packages of all architectures are unpacked.
    Raises what debian, wheels and python raise.
    """
    system, site = raw / architecture / "debian", raw / architecture / "wheels"
    files = {
        "agtool": File(_launcher(architecture), executable=True),
        "lib/loader/agtool": _first(system, architecture, _LOADERS[architecture]),
        "lib/python": File((system / "usr/bin" / PYTHON).read_bytes(), executable=True),
        **{f"lib/{name}": File(_first(system, architecture, name).content) for name in _LIBRARIES},
        **{
            f"lib/licences/{name}": File(text)
            for name, text in contents.licences(system, site).items()
        },
    }
    sources: dict[str, bytes] = {"lib/start.py": (HERE / "start.py").read_bytes()}
    for name, path in _library_files(system, site):
        if name.endswith(".py"):
            sources[name] = path.read_bytes()
        else:
            files[name] = File(path.read_bytes())
    for name, code in python.Python(raw).compiled(sources).items():
        files[f"{name}c"] = File(code)
    files[CONTENTS] = File(contents.document(architecture, site, sorted(files)))
    sums = (f"{sha256(file.content).hexdigest()}  {name}\n" for name, file in sorted(files.items()))
    files[SUMS] = File("".join(sums).encode())
    return dict(sorted(files.items()))


def unpack(architecture: str, raw: Path) -> None:
    """Unpack below `raw` what the folder is made of."""
    debian.unpack(architecture, raw / architecture / "debian")
    wheels.unpack(architecture, raw / architecture / "wheels")


def _launcher(architecture: str) -> bytes:
    build = runpy.run_path(str(ROOT / "pause" / "build.py"))
    program: bytes = build["compile_program"](HERE / "launcher.c", architecture)
    return program


def _first(system: Path, architecture: str, name: str) -> File:
    """A file of one of the two folders in which Debian has libraries."""
    places = (system / "lib", system / "usr/lib")
    paths = (place / TRIPLETS[architecture] / name for place in places)
    return File(next(path for path in paths if path.exists()).read_bytes(), executable=True)


def _library_files(system: Path, site: Path) -> Iterator[tuple[str, Path]]:
    """Python code and compiled modules, with where they belong."""
    standard = system / "usr/lib" / PYTHON
    for name, path in _code(standard, _STANDARD_LIBRARY_WITHOUT):
        if path.parent.name != "lib-dynload" or not path.name.startswith(_MODULES_WITHOUT):
            yield f"lib/{PYTHON}/{name}", path
    debians = system / "usr/lib/python3/dist-packages"
    for folder in (debians, site):
        for name, path in _code(folder, _LIBRARIES_WITHOUT):
            if name.endswith(".py") or not name.startswith(_COMPILED_WITHOUT):
                yield f"lib/site/{name}", path
    package = ROOT / "agtool"
    for name, path in _code(package, _AGTOOL_WITHOUT):
        top, *below = name.split("/")
        if not below or top in _AGTOOL or below == ["__init__.py"]:
            yield f"lib/site/agtool/{name}", path
    for path in sorted((package / "schemas").glob("migrate-once*.json")):
        yield f"lib/site/agtool/schemas/{path.name}", path


def _code(folder: Path, without: tuple[str, ...]) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if any(fnmatchcase(name, one) or fnmatchcase(name, f"{one}/*") for one in without):
            continue
        is_code = path.suffix == ".py" or ".so" in path.suffixes
        if is_code and path.is_file() and "__pycache__" not in path.parts:
            yield name, path


def total(files: Mapping[str, File]) -> int:
    """The size of all files, in bytes."""
    return sum(len(file.content) for file in files.values())
