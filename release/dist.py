"""`make dist`: all that a release is made of, in one folder.

    python -m release.dist FOLDER [--repository URL] [--sign KEY]

It is made from the last commit, whatever else lies in the work tree. The same commit gives the
same bytes on the same kind of machine.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from bundle import ARCHITECTURES
from release import ROOT, inventory
from release.archive import File, read_folder, read_tar, tar_gz
from release.links import absolute
from release.plugin import krew_manifest

PLACEHOLDER = "https://example.com/agtool"
"""The address of the repository in pyproject.toml."""

SUMS = "SHA256SUMS"
NAMESPACE = "file"
"""What a signature is for, as ssh-keygen(1) recommends for files."""

FOLDERS = ("agtool", "agtool-full")
"""The self-contained folders: with migrate-once alone, and with all commands."""

Say = Callable[[str], None]


class DistError(Exception):
    """It cannot be made, and why."""


class Source(NamedTuple):
    """The commit, unpacked.

    Attributes:
        folder: with its files, and with what is made from the program.
        version: of agtool.
        seconds: the commit's time, in seconds since 1970.
        repository: its address.
    """

    folder: Path
    version: str
    seconds: int
    repository: str

    def python(self, *arguments: str | Path) -> str:
        """Run our Python with the commit's code; what it prints. Raises DistError."""
        return _run([sys.executable, *arguments], self.folder, SOURCE_DATE_EPOCH=str(self.seconds))


def unpack(scratch: Path, repository: str = PLACEHOLDER) -> Source:
    """Unpack the last commit below a folder, and make there what is made from the program.

    Raises DistError.
    """
    archive, folder = scratch / "source.tar", scratch / "source"
    _run(["git", "archive", "--output", archive, "HEAD"], ROOT)
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="tar")
    seconds = int(_run(["git", "log", "-1", "--format=%ct"], ROOT))
    version = _run([sys.executable, "-c", "import agtool; print(agtool.__version__)"], folder)
    source = Source(folder, version.strip(), seconds, repository.rstrip("/"))
    project = folder / "pyproject.toml"
    project.write_text(project.read_text().replace(PLACEHOLDER, source.repository))
    readme = folder / "README.md"
    readme.write_text(absolute(readme.read_text(), source.repository, source.version))
    source.python("pause/build.py", "agtool/pause/data")
    day = time.strftime("%Y-%m-%d", time.gmtime(seconds))
    source.python("-m", "release.share", "share", day)
    return source


def python_packages(source: Source, target: Path) -> Path:
    """Write the wheel and the source distribution; the wheel's path. Raises DistError."""
    # No other backend than that of pyproject.toml, without an environment made for it each time.
    hooks = "import sys; from setuptools.build_meta import build_wheel, build_sdist;"
    source.python("-c", f"{hooks} build_sdist(sys.argv[1])", target)
    source.python("-c", f"{hooks} build_wheel(sys.argv[1])", target)
    (wheel,) = target.glob("agtool_cli-*.whl")
    (sdist,) = target.glob("agtool_cli-*.tar.gz")
    sdist.write_bytes(tar_gz(read_tar(sdist.read_bytes()), source.seconds))
    _write(target / f"{wheel.stem}.cdx.json", inventory.of_wheel(wheel, source.seconds))
    return wheel


def folders(source: Source, target: Path) -> None:
    """Write the self-contained folders and images with their lists. Raises DistError."""
    for name in FOLDERS:
        source.python("-m", "bundle", target, *(["--full"] if name == "agtool-full" else []))
        image = target / f"{name}-{source.version}-image.tar"
        lists = {each: _folder(source, target, name, each, ".cdx.json") for each in ARCHITECTURES}
        listed = inventory.of_image(image, lists, source.version, source.seconds)
        _write(image.with_suffix(".cdx.json"), listed)


def extras(source: Source, target: Path) -> None:
    """Write what surrounds them: manual, completions, plugin, chart and kustomizations."""

    def archive(name: str, files: dict[str, File]) -> None:
        path = target / f"{name}-{source.version}.tar.gz"
        _write(path, tar_gz(files, source.seconds))

    licence = {"LICENSE": File((source.folder / "LICENSE").read_bytes())}
    shared = read_folder(source.folder / "share")
    archive("agtool-share", {f"share/{name}": file for name, file in shared.items()})
    deploy = read_folder(source.folder / "deploy")
    archive("kubectl-agtool", {**_below(deploy, "kubectl-plugin"), **licence})
    charts = {path.rpartition("/")[0]: path for path in deploy if path.endswith("/Chart.yaml")}
    for folder, path in charts.items():
        name = _chart_name(deploy[path].content.decode(), source.version)
        files = {f"{name}/{path}": file for path, file in _below(deploy, folder).items()}
        _write(target / f"{name}-{source.version}.tgz", tar_gz(files, source.seconds))
    others = {
        f"deploy/{path}": file
        for path, file in deploy.items()
        if not path.startswith((*(f"{folder}/" for folder in charts), "kubectl-plugin/"))
    }
    archive("agtool-deploy", {**others, **licence})


def _below(files: Mapping[str, File], folder: str) -> dict[str, File]:
    """The files of a folder, by their paths in it."""
    start = f"{folder}/"
    return {
        path.removeprefix(start): file for path, file in files.items() if path.startswith(start)
    }


def _chart_name(text: str, version: str) -> str:
    """The name of a chart. Raises DistError: its versions are not agtool's."""
    fields = re.findall(r"^(name|version|appVersion): (.+)$", text, re.MULTILINE)
    chart: dict[str, str] = dict(fields)
    if not chart["version"] == chart["appVersion"] == version:
        raise DistError(f"the chart {chart['name']} is of another version than agtool {version}")
    return chart["name"]


def krew(source: Source, target: Path) -> None:
    """Write the manifest for krew, of the folders that are there."""
    full = {one: _folder(source, target, "agtool-full", one, ".tar.gz") for one in ARCHITECTURES}
    sums = {one: (path.name, _sum(path)) for one, path in full.items()}
    made = krew_manifest(source.repository, source.version, sums)
    _write(target / "agtool.krew.yaml", made.encode())


def sums(target: Path) -> None:
    """Write SHA256SUMS of all files."""
    lines = [f"{_sum(path)}  {path.name}\n" for path in sorted(target.iterdir())]
    _write(target / SUMS, "".join(lines).encode())


def sign(target: Path, key: Path) -> None:
    """Write the signature of SHA256SUMS. Raises DistError."""
    _run(["ssh-keygen", "-q", "-Y", "sign", "-f", key, "-n", NAMESPACE, target / SUMS], target)


def make(target: Path, *, repository: str, key: Path | None, say: Say) -> None:
    """Make a release in a folder, in whose place it comes when it is whole.

    Raises DistError.
    """
    if key and not key.is_file():
        raise DistError(f"the key {key} is no file")
    if _run(["git", "status", "--porcelain", "--untracked-files=no"], ROOT).strip():
        say("the work tree has changes that are not committed: they are not in the release")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".dist-", dir=target.parent) as name:
        made = Path(name, "dist")
        made.mkdir()
        say("unpacking the last commit, and making manual and completions")
        source = unpack(Path(name), repository)
        say("making wheel and sdist")
        python_packages(source, made)
        say("making folders and images for amd64 and arm64 (a minute; half a minute more to fetch)")
        folders(source, made)
        extras(source, made)
        krew(source, made)
        sums(made)
        if key:
            sign(made, key)
        old = Path(name, "old")
        with suppress(FileNotFoundError):
            target.rename(old)
        made.rename(target)
    for path in sorted(target.iterdir()):
        say(f"{path.name}  {path.stat().st_size / 1e6:.1f} MB")


def _folder(source: Source, target: Path, name: str, architecture: str, suffix: str) -> Path:
    return target / f"{name}-{source.version}-linux-{architecture}{suffix}"


def _sum(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def _run(argv: Sequence[str | Path], folder: Path, **more: str) -> str:
    """Run a program to its end; what it prints. Raises DistError with the end of what it said."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
        "LC_ALL": "C.UTF-8",
        # Sets of texts are in the order of their hashes.
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        **more,
    }
    try:
        done = subprocess.run(
            argv,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            umask=0o022,
            check=False,
        )
    except FileNotFoundError as error:
        raise DistError(f"{error.filename} is not installed") from None
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()[-15:]
        raise DistError("\n".join([f"{argv[0]} ended with {done.returncode}:", *said]))
    return done.stdout


def main() -> int:
    """Run from the command line; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m release.dist", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--repository", default=PLACEHOLDER, metavar="URL")
    parser.add_argument("--sign", type=Path, metavar="KEY", help="a private key of ssh-keygen")
    given = parser.parse_args()

    def say(text: str) -> None:
        sys.stderr.write(f"dist: {text}\n")

    try:
        make(
            given.folder.resolve(),
            repository=given.repository,
            key=given.sign.resolve() if given.sign else None,
            say=say,
        )
    except (DistError, OSError) as error:
        say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
