"""The wheel holds the programs, and building it takes nothing that the registry cannot bring."""

import os
import platform
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from agtool.pause import ARCHITECTURES, DATA
from agtool.schemas import commands, file_name
from tests.conftest import needed
from tests.integration.pause.conftest import HERE, ROOT
from tests.servers.process import ServerUnavailable, find_program

SOURCES = ("pause.c", "syscalls.h")

# A C compiler comes from the registry for the first of them.
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a copy of the files that a build reads, with nothing that was built before."""
    copy = tmp_path_factory.mktemp("checkout")
    for name in ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    built = shutil.ignore_patterns("data", "build", "__pycache__")
    for name in ("agtool", "pause", "deploy"):
        shutil.copytree(ROOT / name, copy / name, ignore=built)
    (copy / "pause" / "pause").unlink(missing_ok=True)
    return copy


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Give an environment in which Python is the only program: no compiler, no make."""
    programs = tmp_path_factory.mktemp("programs-on-path")
    (programs / "python3").symlink_to(sys.executable)
    environment = {**os.environ, "PATH": str(programs)}
    environment.pop("CC", None)
    environment.pop("PYTHONPATH", None)
    assert shutil.which("cc", path=environment["PATH"]) is None
    return environment


def pip(environment: dict[str, str], *arguments: str | Path) -> None:
    """Run pip. Raises ServerUnavailable where no registry can be reached."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", *map(str, arguments)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if re.search(r"No matching distribution found for (ziglang|setuptools)", done.stderr):
        raise ServerUnavailable("the package registry cannot be reached")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def wheel(checkout: Path, alone: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the wheel of the checkout's source distribution, built in isolation as pip does it."""
    folder = tmp_path_factory.mktemp("wheel")
    source = tmp_path_factory.mktemp("source")
    code = "import sys; from setuptools.build_meta import build_sdist; build_sdist(sys.argv[1])"
    subprocess.run(
        [sys.executable, "-c", code, source], cwd=checkout, check=True, capture_output=True
    )
    with needed():
        pip(alone, "wheel", "--no-deps", "--wheel-dir", folder, *source.iterdir())
    (path,) = folder.iterdir()
    return path


def test_the_wheel_is_for_every_machine(wheel: Path) -> None:
    assert wheel.name.endswith("-py3-none-any.whl")


def test_the_wheel_holds_the_programs(wheel: Path, programs: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if name.startswith("agtool/pause/data/")}
        files = [*(f"pause-{architecture}" for architecture in ARCHITECTURES), *SOURCES]
        assert names == {f"agtool/pause/data/{name}" for name in files}
        for name in files:
            entry = archive.getinfo(f"agtool/pause/data/{name}")
            assert archive.read(entry) == (programs / name).read_bytes(), name
            executable = bool(entry.external_attr >> 16 & 0o111)
            assert executable == name.startswith("pause-")


def test_the_wheel_holds_the_schemas(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if name.startswith("agtool/schemas/")}
    assert names == {"agtool/schemas/__init__.py"} | {
        f"agtool/schemas/{file_name(command)}" for command in commands()
    }


def test_the_wheel_holds_the_plugins_of_kubectl(wheel: Path) -> None:
    plugins = sorted((ROOT / "deploy" / "kubectl-plugin").iterdir())
    with zipfile.ZipFile(wheel) as archive:
        (scripts,) = {name.rpartition("/")[0] for name in archive.namelist() if "/scripts/" in name}
        for plugin in plugins:
            assert archive.read(f"{scripts}/{plugin.name}") == plugin.read_bytes()


def test_an_installed_agtool_finds_them(wheel: Path, programs: Path, tmp_path: Path) -> None:
    pip(dict(os.environ), "install", "--no-deps", "--no-index", "--target", tmp_path, wheel)
    code = (
        "import agtool.pause as p; assert p.__file__.startswith({!r});"
        "[print(p.binary(a), p.binary(a).stat().st_mode & 0o111) for a in p.ARCHITECTURES]"
    )
    done = subprocess.run(
        [sys.executable, "-c", code.format(str(tmp_path))],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    found = [line.split() for line in done.stdout.splitlines()]
    assert [Path(path).name for path, _ in found] == [f"pause-{name}" for name in ARCHITECTURES]
    for path, executable in found:
        assert Path(path).read_bytes() == (programs / Path(path).name).read_bytes()
        assert int(executable) == 0o111


def test_this_installation_is_up_to_date(programs: Path) -> None:
    for name in [*(f"pause-{architecture}" for architecture in ARCHITECTURES), *SOURCES]:
        path = DATA / name
        assert path.is_file(), "run: make venv"
        assert path.read_bytes() == (programs / name).read_bytes(), "run: make venv"


def test_one_version_of_the_compiler() -> None:
    """What builds the wheel and what `make venv` installs are the same, so their bytes are."""
    text = (ROOT / "pyproject.toml").read_text()
    pins = re.findall(r'"ziglang([^"]*)"', text)
    assert len(pins) == 2
    assert len(set(pins)) == 1
    assert pins[0].startswith("==")
    assert f"ziglang{pins[0]}" in (ROOT / "requirements" / "dev.txt").read_text()


def test_any_other_c_compiler_will_do(tmp_path: Path) -> None:
    """`make -C pause`, for who has a compiler; nothing else needs one."""
    with needed():
        make, compiler = find_program("make"), find_program("cc")
    copy = tmp_path / "pause"
    shutil.copytree(ROOT / "pause", copy, ignore=shutil.ignore_patterns("build"))
    (copy / "pause").unlink(missing_ok=True)
    subprocess.run([make, "-C", copy, f"CC={compiler}"], check=True, capture_output=True)
    done = subprocess.run([copy / "pause", "-v"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("pause ")
    assert (copy / "pause").stat().st_size <= 16 * 1024


def test_programs_that_run_can_be_compiled_anew(
    build: Callable[[Path], None], tmp_path: Path
) -> None:
    with needed():
        if platform.machine() not in HERE:
            raise ServerUnavailable(f"there is no pause for {platform.machine()}")
    build(tmp_path)
    with subprocess.Popen([tmp_path / f"pause-{HERE[platform.machine()]}"]) as process:
        try:
            build(tmp_path)
        finally:
            process.kill()
