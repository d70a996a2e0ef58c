"""Of what there is, what belongs in a folder: for migrate-once alone, or for all of agtool."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from bundle import PYTHON, ROOT

_NOT_FOR_PROGRAMS = (
    # Tests, windows, packaging, documentation, debuggers.
    *("test", "idlelib", "tkinter", "turtledemo", "turtle.py", "distutils", "ensurepip", "venv"),
    *("_distutils_system_mod.py", "lib2to3", "pydoc_data", "doctest.py", "pdb.py", "zipapp.py"),
    *("unittest", "curses", "dbm", "antigravity.py", "this.py"),
    # Debian's, which reads /etc.
    "sitecustomize.py",
    # Compiled modules that need libraries which are not here, or are for tests.
    *("lib-dynload/_crypt", "lib-dynload/nis", "lib-dynload/readline", "lib-dynload/_curses"),
    *("lib-dynload/_dbm", "lib-dynload/_tkinter", "lib-dynload/_test", "lib-dynload/_xx"),
    "lib-dynload/xx",
)
"""Of the standard library, in every folder left out."""

_NOT_FOR_MIGRATIONS = (
    # Protocols, formats and tools that neither migrate-once nor a library of it uses.
    *("asyncore.py", "asynchat.py", "smtpd.py", "imaplib.py", "nntplib.py", "poplib.py"),
    *("telnetlib.py", "mailbox.py", "cgi.py", "cgitb.py", "aifc.py", "sunau.py", "wave.py"),
    *("pickletools.py", "cProfile.py", "profile.py", "pstats.py", "trace.py", "webbrowser.py"),
    *("modulefinder.py", "pyclbr.py", "tabnanny.py", "shelve.py", "sndhdr.py", "imghdr.py"),
    *("wsgiref", "xmlrpc", "xml", "pydoc.py"),
)
"""Of the standard library, where there is migrate-once alone."""

_UNUSED = (
    # agtool has SQLAlchemy for URLs. Its compiled modules have the same in Python beside them.
    *("sqlalchemy/testing", "sqlalchemy/orm", "sqlalchemy/ext", "sqlalchemy/dialects/[!_]"),
    "sqlalchemy/*.so",
    # The client of Kubernetes a second time, for asyncio.
    *("kubernetes/aio", "*/tests", "*_test.py"),
)
"""Of the libraries, in every folder left out."""

_NOT_OF_AGTOOL = (
    # An __init__ tells a command's name, and that it is not here.
    *("ci_nodepool/[!_]", "debug/[!_]", "le_staging/[!_]", "pause", "core/kube"),
    *("schemas/[!_m]", "schemas/migrate-once-"),
    # What works on clusters and manifests, from a laptop.
    *("migrate_once/cluster", "migrate_once/inject", "migrate_once/workload.py"),
    *("migrate_once/cli/inject.py", "migrate_once/cli/status.py", "core/yamltext.py"),
)
"""Of agtool, where there is migrate-once alone."""

_DATA = (
    "lib/site/agtool/schemas/*.json",
    "lib/site/agtool/le_staging/icons/*",
    "lib/site/agtool/pause/data/*",
    "lib/site/certifi/cacert.pem",
)
"""What is read beside the code."""


@dataclass(frozen=True)
class Selection:
    """What is in a folder of one kind."""

    name: str
    """How its archives and its image are called."""

    wheels: Path
    """The lock of what it has from PyPI."""

    packages_without: tuple[str, ...]
    """Of the Debian packages."""

    without: tuple[str, ...]
    """Beginnings of paths in the folder, as patterns."""

    def has(self, name: str) -> bool:
        """Whether a file that would have this path in the folder belongs there."""
        suffixes = PurePosixPath(name).suffixes
        is_code = suffixes[-1:] == [".py"] or ".so" in suffixes
        if not is_code and not any(fnmatchcase(name, pattern) for pattern in _DATA):
            return False
        return not any(fnmatchcase(name, f"{pattern}*") for pattern in self.without)


def _below(folder: str, patterns: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{folder}/{pattern}" for pattern in patterns)


_ALWAYS_WITHOUT = (
    *_below(f"lib/{PYTHON}", _NOT_FOR_PROGRAMS),
    *_below("lib/site", _UNUSED),
)

SMALL = Selection(  # for images of applications
    "agtool",
    ROOT / "requirements" / "bundle.txt",
    packages_without=(),
    without=(
        *_ALWAYS_WITHOUT,
        *_below(f"lib/{PYTHON}", _NOT_FOR_MIGRATIONS),
        *_below("lib/site/agtool", _NOT_OF_AGTOOL),
    ),
)

FULL = Selection(  # for laptops, and for ci-nodepool watch in a cluster
    "agtool-full",
    ROOT / "requirements" / "bundle-full.txt",
    # Debian's cryptography is smaller, and too old for stores of Java.
    packages_without=("python3-cryptography", "python3-cffi-backend"),
    without=_ALWAYS_WITHOUT,
)
