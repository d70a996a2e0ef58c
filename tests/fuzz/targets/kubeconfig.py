"""A kubeconfig: an access, or an error of agtool's."""

import re
import tempfile
from functools import cache
from pathlib import Path

from agtool.core.errors import AgtoolError
from agtool.core.kube.access import find_access


@cache
def file() -> Path:
    """The one that all checks write."""
    return Path(tempfile.mkdtemp()) / "config"


def check(data: bytes) -> None:
    """What is in it."""
    # It may name programs, which would be run, and files.
    if re.search(rb"exec|auth-provider|cmd|[*&!]|\\", data):
        return
    file().write_bytes(data)
    try:
        access = find_access(file(), None, None, None, ())
        access.identity()
    except AgtoolError as error:
        assert error.message
