"""Every line that installs agtool, run as it stands in the pages and in the hints."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from agtool import __version__
from bundle import cache
from release import ROOT
from tests.servers.versions import new_folder

PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md")])
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
IN_TEXT = re.compile(r"`(pip install [^`]*agtool[^`]*)`")
HINT = re.compile(r"hint=f?\"Install it: (pip install [^\"]+)\"")


def _blocks() -> dict[str, str]:
    """Blocks of shell that install agtool; without a venv of their own, each line by itself."""
    found: dict[str, str] = {}
    for page in PAGES:
        text, name = page.read_text(encoding="utf-8"), page.relative_to(ROOT)
        for number, (language, code) in enumerate(FENCED.findall(text)):
            if language != "sh" or not re.search(r"pip install .*agtool", code):
                continue
            parts = [code] if "-m venv" in code else code.splitlines()
            found |= {f"{name}-{number}-{i}": part for i, part in enumerate(parts) if part}
        found |= {f"{name}: {line}": line for line in IN_TEXT.findall(FENCED.sub("", text))}
    return found


def _hints() -> dict[str, str]:
    """The lines that messages tell."""
    found: dict[str, str] = {}
    for path in sorted((ROOT / "agtool").rglob("*.py")):
        for line in HINT.findall(path.read_text(encoding="utf-8")):
            packages = ("agtool-cli[mysql]", "psycopg2-binary") if "{package}" in line else ("",)
            found |= {line.replace("{package}", each): "" for each in packages}
    return {line: line for line in found}


LINES = {**_blocks(), **_hints()}


@pytest.fixture(scope="session")
def index(release: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Give the settings with which pip finds the release's wheel, and libraries from the cache.

    They are fetched once for each state of the lock.
    """
    lock = ROOT / "requirements/dev.txt"
    (wheel,) = release.glob("*.whl")
    place = cache().with_name("release-wheels") / sha256(lock.read_bytes()).hexdigest()[:12]
    with new_folder(place) as new:
        if new is not None:
            constraints = tmp_path_factory.mktemp("lock") / "constraints.txt"
            pins = re.findall(r"^([\w.-]+==[^\\\n]+)", lock.read_text(), re.MULTILINE)
            constraints.write_text("\n".join(pins))
            argv: list[str | Path] = [
                sys.executable,
                "-m",
                "pip",
                "download",
                "--quiet",
                "--dest",
                new,
            ]
            subprocess.run([*argv, "--constraint", constraints, f"{wheel}[mysql]"], check=True)
            for own in new.glob("agtool_cli-*"):
                own.unlink()
    return {
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": f"{release.as_uri()} {place.as_uri()}",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }


def test_there_are_such_lines() -> None:
    assert len(LINES) >= 6
    assert any("README" in name for name in LINES)
    assert any("psycopg2-binary" in name for name in LINES)


@pytest.mark.parametrize("name", LINES)
def test_the_line_installs_agtool(
    name: str, index: dict[str, str], release: Path, tmp_path: Path
) -> None:
    if os.geteuid():
        pytest.skip("lines write to /opt and /usr/local, which only root can replace")
    script = tmp_path / "script"
    # A package beside agtool comes into an environment that has it.
    before = "" if "agtool" in LINES[name] else "pip install --quiet agtool-cli\n"
    path = f"PATH={tmp_path}/venv/bin:$HOME/.local/bin:$HOME/.local/lib/agtool/bin:$PATH"
    script.write_text(
        f"set -euo pipefail\n{path}\n{before}{LINES[name]}\nhash -r\nagtool --version\n"
    )
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    (tmp_path / "dist").symlink_to(release)
    for folder in ("opt", "local", "home"):
        (tmp_path / folder).mkdir()
    mounts = (
        f"mount --bind {tmp_path}/opt /opt && mount --bind {tmp_path}/local /usr/local/bin"
        " && exec bash script"
    )
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", mounts],
        cwd=tmp_path,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(tmp_path / "home"), **index},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(f"agtool {__version__}\n")


def test_man_finds_the_pages_of_the_wheel(index: dict[str, str], tmp_path: Path) -> None:
    """In any environment whose programs are on PATH."""
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    env = {**os.environ, **index, "PATH": f"{venv}/bin:/usr/bin:/bin", "MANPAGER": "cat"}
    env.pop("MANPATH", None)
    subprocess.run([venv / "bin/pip", "install", "--quiet", "agtool-cli"], env=env, check=True)
    done = subprocess.run(
        ["man", "agtool-debug"], env=env, capture_output=True, text=True, check=True
    )
    assert "agtool debug --target" in done.stdout
    for name in ("kubectl-agtool", "kubectl_complete-agtool"):
        assert os.access(venv / "bin" / name, os.X_OK)
