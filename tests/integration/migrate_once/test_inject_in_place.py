"""`inject --in-place` where one of several files cannot be written: all are as they were."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import needed
from tests.e2e.conftest import clean_environment
from tests.servers.process import ServerUnavailable, find_program

MANIFEST = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  template:
    spec:
      containers:
        - name: main
          image: registry.example/shop:1.4.2   # pinned
          env: [{{name: DATABASE_URL, value: x}}]
"""
INJECT = [sys.executable, "-m", "agtool", "migrate-once", "inject"]

# Of these a mount namespace remembers nothing when the program ends.
READ_ONLY = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0"'
FULL = (
    'cp "$0/b.yaml" a-copy && mount -t tmpfs -o size=32k tmpfs "$0" && cp a-copy "$0/b.yaml" '
    '&& rm a-copy && { cat /dev/zero > "$0/rest" 2> /dev/null || true; }'
)
CLOSED = 'chmod a-w "$0" "$0/b.yaml"'

# What is in the folder, once agtool has ended, and how it ended.
LOOK = 'code=0; "$@" || code=$?; ls -A "$0" >&3; cat "$0/b.yaml" >&3; exit $code'


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        pytest.param(READ_ONLY, "Read-only file system", id="read-only"),
        pytest.param(FULL, "No space left on device", id="full"),
        pytest.param(CLOSED, "Permission denied", id="closed"),
    ],
)
def test_nothing_is_changed_if_one_cannot_be_written(
    tmp_path: Path, make: str, reason: str
) -> None:
    with needed():
        if os.geteuid() != 0:
            raise ServerUnavailable("a mount namespace needs root")
        unshare, setpriv = find_program("unshare"), find_program("setpriv")
    first, second = tmp_path / "a" / "a.yaml", tmp_path / "b" / "b.yaml"
    env = clean_environment({"AGTOOL_IMAGE": "registry.example/agtool:1"})
    for file in (first, second):
        file.parent.mkdir()
        file.write_text(MANIFEST.format(name=file.stem))
        made = subprocess.run(
            [*INJECT, file, "--in-place", "--", "migrate"],
            env=env,
            capture_output=True,
            check=False,
        )
        assert made.returncode == 0, made.stderr
    before = first.read_text(), second.read_text()
    assert "agtool-install" in before[0]
    seen = tmp_path / "seen"

    # Without the right by which root writes everywhere.
    done = subprocess.run(
        [
            *(unshare, "--mount", "sh", "-c", f"{make} && exec 3> seen && {LOOK}", second.parent),
            *(setpriv, "--bounding-set", "-dac_override,-dac_read_search"),
            *INJECT,
            *(first, second, "--remove", "--in-place"),
        ],
        env=env,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 3, done.stderr
    assert f"cannot write {second}: {reason}" in " ".join(done.stderr.split())
    assert "Nothing was changed." in done.stderr
    assert first.read_text() == before[0]
    names, _, left = seen.read_text().partition("apiVersion")
    assert names.replace("rest\n", "") == "b.yaml\n"
    assert f"apiVersion{left}" == before[1]
    assert list(first.parent.iterdir()) == [first]
