"""The Python of the folder for this machine, with which the folders of all architectures are made.

It compiles, since byte code is of one version, and compresses, since zlib's versions differ in what
they make: whatever machine makes the folder, the bytes are the same.
"""

from __future__ import annotations

import pickle
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path

from bundle import PYTHON

_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}

# Without their docstrings (optimize=2) the standard library, SQLAlchemy and Kubernetes' models
# are smaller. agtool and Typer need theirs, which are the help. The name in the code is what a
# traceback shows. The zeros
# of the header mean that nothing is compared.
_COMPILE = """
import importlib.util, pickle, sys, marshal
sources = pickle.load(sys.stdin.buffer)
made = {}
for name, source in sources.items():
    short = name.startswith(
        ("lib/python", "lib/site/sqlalchemy/", "lib/site/kubernetes/client/models/")
    )
    code = compile(source, name, "exec", dont_inherit=True, optimize=2 if short else 0)
    made[name] = importlib.util.MAGIC_NUMBER + bytes(12) + marshal.dumps(code)
pickle.dump(made, sys.stdout.buffer)
"""

# Level 9 takes four times as long for one percent.
_COMPRESS = """
import gzip, sys
sys.stdout.buffer.write(gzip.compress(sys.stdin.buffer.read(), 6, mtime=0))
"""


def machine() -> str:
    """The architecture of this machine, in Debian's words. Raises KeyError."""
    return _MACHINES[platform.machine()]


class Python:
    """It lies unpacked below `raw`, as folder.unpack left it."""

    def __init__(self, raw: Path) -> None:
        self._system = raw / machine() / "debian"

    def compiled(self, sources: Mapping[str, bytes]) -> dict[str, bytes]:
        """Python code as byte code. Raises CalledProcessError."""
        made: dict[str, bytes] = pickle.loads(  # noqa: S301  # our own process wrote it
            self._run(_COMPILE, pickle.dumps(dict(sources)))
        )
        return made

    def compressed(self, content: bytes) -> bytes:
        """The same as gzip. Raises CalledProcessError."""
        return self._run(_COMPRESS, content)

    def _run(self, program: str, given: bytes) -> bytes:
        (loader,) = self._system.glob("lib/*-linux-gnu/ld-linux-*")
        libraries = ":".join(map(str, self._system.glob("**/*-linux-gnu")))
        python = self._system / "usr/bin" / PYTHON
        done = subprocess.run(
            [
                loader,
                "--library-path",
                libraries,
                "--argv0",
                python,
                python,
                "-S",
                "-s",
                "-B",
                "-c",
                program,
            ],
            input=given,
            stdout=subprocess.PIPE,
            # Sets of texts are written in the order of their hashes.
            env={"PYTHONHASHSEED": "0"},
            check=True,
        )
        return done.stdout
