"""The examples of the README, in the form in which people paste them."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.e2e.conftest import clean_environment

README = Path(__file__).parents[1] / "README.md"

_EXAMPLES = re.compile(r"^### (.+?)$(.*?)(?=^##)", re.MULTILINE | re.DOTALL)
_SHELL = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def examples() -> dict[str, str]:
    """The lines of the examples, by their headings."""
    text = README.read_text(encoding="utf-8")
    return {
        heading: block
        for heading, section in _EXAMPLES.findall(text)
        for block in _SHELL.findall(section)
    }


def paste(
    lines: str, folder: Path, env: Mapping[str, str] | None = None, path: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run lines in a bash in a folder, with agtool on PATH; path: one more folder of programs."""
    before = [str(Path(sys.executable).parent), *([str(path)] if path else [])]
    own = {"PATH": os.pathsep.join([*before, os.environ["PATH"]]), "HOME": str(folder)}
    return subprocess.run(
        ["bash", "-c", lines],
        cwd=folder,
        env=clean_environment({**own, **(env or {})}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
