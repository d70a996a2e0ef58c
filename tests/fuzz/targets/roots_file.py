"""A file of roots, ours or one of --cacert: roots or an error of agtool's, and none twice."""

import tempfile
from functools import cache
from pathlib import Path

from agtool.core.errors import AgtoolError
from agtool.le_staging.roots import given, store


@cache
def file() -> Path:
    """The one that all checks write."""
    return Path(tempfile.mkdtemp()) / "roots.pem"


def check(data: bytes) -> None:
    """What is in it."""
    file().write_bytes(data)
    for read in (given.read, store._read):  # noqa: SLF001  # a folder for each would be slow
        try:
            found = read(file())
        except AgtoolError as error:
            assert error.hint
        else:
            assert found is not None
            assert all(len(root.sha256) == 64 for root in found)
