"""`agtool install`, of a folder that is as small as can be."""

import os
from pathlib import Path

import pytest

from agtool import install
from agtool.core.folder import SUMS


def test_whatever_the_umask_others_can_enter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "source"
    (source / SUMS).parent.mkdir(parents=True)
    (source / SUMS).write_text("sums")
    (source / "agtool").write_text("#!/bin/sh\n")
    (source / "agtool").chmod(0o755)
    monkeypatch.setattr(install, "root", lambda: source)
    target = tmp_path / "new" / "folder" / "agtool"
    before = os.umask(0o077)
    try:
        assert install.install(target)
    finally:
        os.umask(before)
    made = [target, target.parent, target.parent.parent, *target.rglob("*")]
    modes = {str(path.relative_to(tmp_path)): path.stat().st_mode & 0o777 for path in made}
    files = {f"new/folder/agtool/{SUMS}": 0o644}
    assert modes == {name: files.get(name, 0o755) for name in modes}
    assert len(made) == 6
