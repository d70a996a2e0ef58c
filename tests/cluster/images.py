"""Images for tests, made of this machine's files by agtool's own code for images."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from agtool.pause import binary
from agtool.pause.image import Image, pause_image, write_archive
from tests.cluster.machine import architecture
from tests.servers.process import ServerUnavailable, find_program

ROOT = "0:0"


class Images(NamedTuple):
    """The names of the images.

    Attributes:
        pause: has nothing but pause, as which it runs.
        busybox: busybox with all its commands, and pause, as which it runs.
        bash: the same with bash.
    """

    pause: str = "localhost/agtool-tests/pause:1"
    busybox: str = "localhost/agtool-tests/busybox:1"
    bash: str = "localhost/agtool-tests/bash:1"


NAMES = Images()


def write(folder: Path) -> list[Path]:
    """Write an archive of each image, for containerd or docker to import; return their paths.

    Raises ServerUnavailable when the machine lacks the files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    made: dict[str, Callable[[], Image]] = {
        NAMES.pause: lambda: pause_image(architecture()),
        NAMES.busybox: busybox,
        NAMES.bash: _bash,
    }
    paths = []
    for name, make in made.items():
        path = folder / f"{name.rpartition('/')[2].partition(':')[0]}.tar"
        write_archive(path, name, [make()])
        paths.append(path)
    return paths


def busybox() -> Image:
    """The image of that name. Raises ServerUnavailable."""
    program = find_program("busybox")
    if b"\x7fELF" not in program.read_bytes()[:4] or libraries(program):
        raise ServerUnavailable("busybox needs libraries; busybox-static is the one without")
    listed = subprocess.run([program, "--list"], capture_output=True, text=True, check=True)
    files = {
        "/bin/busybox": program.read_bytes(),
        "/pause": binary(architecture()).read_bytes(),
        "/etc/passwd": b"root:x:0:0:root:/:/bin/sh\n",
    }
    links = {f"/bin/{name}": "busybox" for name in listed.stdout.split() if name != "busybox"}
    return Image(architecture(), files, ["/pause"], ROOT, links)


def _bash() -> Image:
    base = busybox()
    program = find_program("bash")
    files = {str(path): path.read_bytes() for path in libraries(program)}
    files["/bin/bash"] = program.read_bytes()
    links = {name: target for name, target in base.links.items() if name not in files}
    return Image(base.architecture, {**base.files, **files}, base.entrypoint, base.user, links)


def libraries(program: Path) -> list[Path]:
    """What a program loads when it starts, the loader included; nothing for a static one."""
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=False)
    return [Path(path) for path in re.findall(r"(?:=> |^\s+)(/\S+) \(", listed.stdout, re.M)]
