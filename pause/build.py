"""Compile pause for every architecture, with the C compiler that PyPI's `ziglang` brings.

    python pause/build.py FOLDER [ARCHITECTURE ...]

writes FOLDER/pause-amd64 and so on. setup.py does the same for the wheel. The same version of
ziglang gives the same bytes, wherever this is run; pyproject.toml names the version.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Collection
from pathlib import Path

HERE = Path(__file__).resolve().parent

COMPILER = (sys.executable, "-m", "ziglang", "cc")

SOURCES = ("pause.c", "syscalls.h")

TARGETS = {
    "amd64": ["-target", "x86_64-linux-none"],
    "arm64": ["-target", "aarch64-linux-none"],
    # ARMv7 without a floating-point unit: pause calculates with whole numbers only.
    "arm": ["-target", "arm-linux-eabi", "-mcpu=generic+v7a"],
    "riscv64": ["-target", "riscv64-linux-none"],
    "ppc64le": ["-target", "powerpc64le-linux-none"],
    "s390x": ["-target", "s390x-linux-none"],
}
"""How zig names what Kubernetes names so (the label kubernetes.io/arch)."""

FLAGS = [
    "-std=c11",
    "-Wall",
    "-Wextra",
    "-Wpedantic",
    "-Werror",
    "-Os",
    # There is no C library: neither its functions nor what it does before main().
    "-ffreestanding",
    "-nostdlib",
    # A loop stays a loop. Compilers like to call memset() and strlen() instead.
    "-fno-builtin",
    # Nobody could handle what these prepare for: a broken stack, or an exception.
    "-fno-stack-protector",
    "-fno-unwind-tables",
    "-fno-asynchronous-unwind-tables",
    # At fixed addresses: there is no loader that could relocate anything.
    "-static",
    "-fno-pie",
    # Nothing of the machine that compiles, and nothing for debuggers.
    "-fno-ident",
    "-Wl,--build-id=none",
    "-s",
    "-Wl,-z,noexecstack",
]


def build(folder: Path, architectures: Collection[str] = TARGETS) -> None:
    """Compile into a folder, which is made if need be, and copy the sources there.

    Raises CalledProcessError, after the compiler has said why on stderr.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for architecture in architectures:
        program = compile_program(HERE / "pause.c", architecture)
        # A program that runs cannot be written over, but another can take its name.
        target = folder / f"pause-{architecture}"
        target.unlink(missing_ok=True)
        target.write_bytes(program)
        target.chmod(0o755)
    for source in SOURCES:
        shutil.copyfile(HERE / source, folder / source)


def compile_program(source: Path, architecture: str) -> bytes:
    """Compile one C file into a program without a C library. Raises CalledProcessError."""
    # zig keeps a cache: here an empty one, so that nothing old can get into a build.
    with tempfile.TemporaryDirectory(prefix="pause-") as cache:
        program = Path(cache, "program")
        subprocess.run(
            [*COMPILER, *TARGETS[architecture], *FLAGS, "-o", str(program), source.name],
            cwd=source.parent,
            env={**os.environ, "ZIG_GLOBAL_CACHE_DIR": cache, "ZIG_LOCAL_CACHE_DIR": cache},
            check=True,
        )
        return program.read_bytes()


if __name__ == "__main__":
    if len(sys.argv) < 2 or not set(sys.argv[2:]) <= TARGETS.keys():
        sys.exit(f"Usage: {sys.argv[0]} FOLDER [{'|'.join(TARGETS)} ...]")
    if importlib.util.find_spec("ziglang") is None:
        sys.exit(f"{sys.executable} lacks ziglang; pyproject.toml names the version to install")
    build(Path(sys.argv[1]), sys.argv[2:] or TARGETS)
