"""The libraries of the folder that come from PyPI, each pinned by its hash in a lock."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from hashlib import sha256
from pathlib import Path

from bundle import PYTHON, cache

_PLATFORMS = {"amd64": "x86_64", "arm64": "aarch64"}
"""Architectures as wheels name them."""


def unpack(architecture: str, lock: Path, target: Path) -> None:
    """Unpack all wheels of a lock into a folder. Raises CalledProcessError."""
    target.mkdir(parents=True, exist_ok=True)
    for wheel in _fetched(architecture, lock):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(target)


def _fetched(architecture: str, lock: Path) -> list[Path]:
    """The wheels, from the cache or from PyPI; pip checks their hashes."""
    folder = cache() / f"wheels-{architecture}-{sha256(lock.read_bytes()).hexdigest()[:16]}"
    whole = folder / ".whole"
    if not whole.exists():
        version = PYTHON.removeprefix("python")
        machine = _PLATFORMS[architecture]
        platforms = [f"manylinux_2_28_{machine}", f"manylinux_2_17_{machine}"]
        subprocess.run(
            [
                *(sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"),
                *("download", "--require-hashes", "--no-deps", "--only-binary=:all:"),
                *(
                    f"--platform={platform}"
                    for platform in (*platforms, f"manylinux2014_{machine}")
                ),
                *(f"--python-version={version}", "--implementation=cp"),
                *(f"--abi={abi}" for abi in (f"cp{version.replace('.', '')}", "abi3", "none")),
                *("--dest", folder, "--requirement", lock),
            ],
            check=True,
        )
        whole.touch()
    return sorted(folder.glob("*.whl"))
