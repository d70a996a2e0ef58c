"""The same commit makes the same bytes: elsewhere, at another time, with other rights."""

import os
from pathlib import Path

import pytest

from bundle import folder
from bundle.__main__ import folder_image
from bundle.python import Python
from bundle.selection import SMALL
from tests import bundles
from tests.cluster.machine import architecture
from tests.conftest import needed


def test_a_second_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with needed():
        (first,) = bundles.made().glob("*.tar.gz")
    raw = tmp_path / ("a long name" * 10)
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    monkeypatch.setenv("LC_ALL", "tr_TR.UTF-8")
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    before = os.umask(0o077)
    try:
        folder.unpack(architecture(), SMALL, raw)
        for number, path in enumerate(raw.rglob("*")):
            if path.is_file() and not path.is_symlink():
                os.utime(path, (number, number))
        files = folder.make(architecture(), SMALL, raw)
    finally:
        os.umask(before)
    shuffled = dict(reversed(files.items()))
    made = folder_image(architecture(), shuffled, Python(raw)).layer
    assert made == first.read_bytes()
