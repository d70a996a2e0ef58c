"""The programs, compiled from the sources as they are now."""

import importlib.util
import os
import platform
import runpy
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from tests.conftest import needed
from tests.servers.process import ServerUnavailable, find_program

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
def pause(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the program for this machine; with PAUSE_SANITIZER one that looks for its own faults."""
    with needed():
        if platform.machine() not in HERE:
            raise ServerUnavailable(f"there is no pause for {platform.machine()}")
        if kind := os.environ.get("PAUSE_SANITIZER"):
            return _sanitized(kind, tmp_path_factory.mktemp("sanitized"))
    programs: Path = request.getfixturevalue("programs")
    return programs / f"pause-{HERE[platform.machine()]}"


def _sanitized(kind: str, folder: Path) -> Path:
    """`undefined`: without a C library, a fault is a SIGILL. `address`: with gcc's library."""
    source = ROOT / "pause"
    if kind == "undefined":
        script = runpy.run_path(str(source / "build.py"))
        script["FLAGS"] += ["-fsanitize=undefined", "-fsanitize-trap=undefined"]
        (folder / "pause").write_bytes(
            script["compile_program"](source / "pause.c", HERE[platform.machine()])
        )
    else:
        compiler, objcopy = find_program("gcc"), find_program("objcopy")
        flags = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
        code = ["-std=c11", "-g", "-O1", "-fno-builtin", "-fno-omit-frame-pointer"]
        main = Path(__file__).with_name("hosted.c")
        commands: list[list[str | Path]] = [
            [compiler, *code, *flags, "-c", source / "pause.c", main],
            [objcopy, "--localize-symbol=_start", "pause.o"],  # the library has one of its own
            [compiler, *flags, "-o", "pause", "pause.o", "hosted.o"],
        ]
        for command in commands:
            subprocess.run(command, cwd=folder, check=True)
    (folder / "pause").chmod(0o755)
    return folder / "pause"
