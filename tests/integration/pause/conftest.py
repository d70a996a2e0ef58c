"""The programs, compiled from the sources as they are now."""

import importlib.util
import platform
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from tests.conftest import needed
from tests.servers.process import ServerUnavailable

ROOT = Path(__file__).parents[3]

HERE = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "armv7l": "arm",
    "riscv64": "riscv64",
    "ppc64le": "ppc64le",
    "s390x": "s390x",
}


@pytest.fixture(scope="session")
def build() -> Callable[[Path], None]:
    """Give the function that compiles all programs into a folder."""
    with needed():
        if importlib.util.find_spec("ziglang") is None:
            raise ServerUnavailable("ziglang, which compiles pause, is not installed: make venv")
    script = runpy.run_path(str(ROOT / "pause" / "build.py"))
    return cast("Callable[[Path], None]", script["build"])


@pytest.fixture(scope="session")
def programs(build: Callable[[Path], None], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder with the programs of all architectures."""
    folder = tmp_path_factory.mktemp("programs")
    build(folder)
    return folder


@pytest.fixture(scope="session")
def pause(programs: Path) -> Path:
    """Give the program for this machine."""
    with needed():
        if platform.machine() not in HERE:
            raise ServerUnavailable(f"there is no pause for {platform.machine()}")
    return programs / f"pause-{HERE[platform.machine()]}"
