"""pause, the main process of a container that only has to be there, for every architecture.

The programs are compiled from pause/pause.c when the wheel is built, and are part of the package
like any other data: static Linux programs of a few KB, which need nothing else in an image. So they
can be copied into a container, mounted from a ConfigMap, or made an image of: see `image`.

Architectures have the names of the label kubernetes.io/arch.
"""

from __future__ import annotations

from pathlib import Path

from agtool.core.errors import ConfigurationError, UsageError

ARCHITECTURES = ("amd64", "arm64", "arm", "riscv64", "ppc64le", "s390x")

DATA = Path(__file__).with_name("data")
"""The programs, and the C files they were compiled from."""


def binary(architecture: str) -> Path:
    """The program for an architecture: an executable file.

    Raises UsageError for an architecture that has none, ConfigurationError when the package was
    installed without its programs (an editable installation can be).
    """
    if architecture not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise UsageError(f"there is no pause for {architecture}", hint=f"There is one for {known}.")
    path = DATA / f"pause-{architecture}"
    if not path.is_file():
        raise ConfigurationError(
            f"this installation of agtool lacks {path.name}",
            hint="Install agtool from a wheel, or compile it: `python pause/build.py "
            "agtool/pause/data` in a checkout, with ziglang installed.",
        )
    return path
