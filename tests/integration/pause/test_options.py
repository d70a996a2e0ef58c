"""The command line of pause."""

import re
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from agtool.pause import ARCHITECTURES
from tests.servers.process import find_program


def run(pause: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    argv = [pause, *arguments]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=20)


@pytest.mark.parametrize("option", ["-v", "--version"])
def test_version(pause: Path, option: str) -> None:
    done = run(pause, option)
    assert re.fullmatch(r"pause \d+\.\d+\.\d+\n", done.stdout)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help(pause: Path, option: str) -> None:
    done = run(pause, option)
    assert (done.returncode, done.stderr) == (0, "")
    for expected in ["-t SECONDS", "-i SECONDS", "--install DIR", "-v, --version"]:
        assert expected in done.stdout
    # print() in pause.c relies on it.
    assert len(done.stdout) < 4096


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["-x"], "-x"),
        (["--verbose"], "--verbose"),
        (["now"], "now"),
        ([""], ""),
        (["-"], "-"),
        (["-tt", "1"], "-tt"),
        (["-t"], "-t"),
        (["-i"], "-i"),
        (["--install"], "--install"),
        (["-t", "1", "-i"], "-i"),
        (["-t", "0"], "-t"),
        (["-t", "000"], "-t"),
        (["-t", "-1"], "-t"),
        (["-t", "+1"], "-t"),
        (["-t", "1.5"], "-t"),
        (["-t", "1s"], "-t"),
        (["-t", ""], "-t"),
        (["-i", "1000000000"], "-i"),
        (["-i", "9" * 5000], "-i"),
        (["x" * 5000], "x" * 400),
        (["--install", "/nowhere", "-x"], "--install"),
        (["-t", "1", "--install", "/nowhere"], "--install"),
    ],
)
def test_a_bad_option(pause: Path, arguments: Sequence[str], named: str) -> None:
    done = run(pause, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"pause: {named}")
    assert done.stderr.count("\n") == 1
    assert done.stderr.endswith("\n")


def test_a_failure_to_print_is_told(pause: Path) -> None:
    with Path("/dev/full").open("w") as full:
        assert subprocess.run([pause, "-v"], stdout=full, check=False).returncode == 1


# --install


def test_installs_itself(pause: Path, tmp_path: Path) -> None:
    subprocess.run([pause, "--install", tmp_path], check=True, umask=0o077)
    assert [path.name for path in tmp_path.iterdir()] == ["pause"]
    assert (tmp_path / "pause").read_bytes() == pause.read_bytes()
    assert (tmp_path / "pause").stat().st_mode & 0o7777 == 0o755
    # The copy does what the original does.
    run(tmp_path / "pause", "--install", tmp_path).check_returncode()
    assert (tmp_path / "pause").read_bytes() == pause.read_bytes()


def test_installs_over_a_program_that_runs(pause: Path, tmp_path: Path) -> None:
    run(pause, "--install", tmp_path).check_returncode()
    with subprocess.Popen([tmp_path / "pause"]) as process:
        run(pause, "--install", tmp_path).check_returncode()
        assert process.poll() is None
        process.kill()


def test_whoever_starts_it_meanwhile_gets_a_whole_one(pause: Path, tmp_path: Path) -> None:
    run(pause, "--install", tmp_path).check_returncode()
    over = threading.Event()

    def install() -> None:
        while not over.is_set():
            run(pause, "--install", tmp_path)

    installers = [threading.Thread(target=install) for _ in range(2)]
    for thread in installers:
        thread.start()
    try:
        for _ in range(100):
            # Not to be found, "text file busy" or half of it would all fail here.
            run(tmp_path / "pause", "-v").check_returncode()
    finally:
        over.set()
        for thread in installers:
            thread.join()
    assert [path.name for path in tmp_path.iterdir()] == ["pause"]


def test_install_says_what_is_wrong(pause: Path, tmp_path: Path) -> None:
    def error(folder: Path) -> str:
        done = run(pause, "--install", folder)
        assert (done.returncode, done.stdout) == (1, "")
        return done.stderr.removeprefix(f"pause: {folder}: ").rstrip("\n")

    assert error(tmp_path / "nowhere") == "no such file or directory"
    (tmp_path / "file").touch()
    assert error(tmp_path / "file") == "not a directory"
    assert error(Path("/proc/self")) in {"no such file or directory", "permission denied"}

    # A folder of that name cannot be replaced, and nothing is left behind.
    (tmp_path / "taken" / "pause").mkdir(parents=True)
    assert error(tmp_path / "taken") == "is a directory"
    assert [path.name for path in (tmp_path / "taken").iterdir()] == ["pause"]


def test_install_without_room(pause: Path, tmp_path: Path) -> None:
    """A file that may not grow, as on a full disk: no half of it stays."""
    prlimit = find_program("prlimit")
    done = subprocess.run(
        [prlimit, "--fsize=100", pause, "--install", tmp_path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"pause: {tmp_path}: ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_sources_and_programs_agree_on_the_version(programs: Path, architecture: str) -> None:
    source = (programs / "pause.c").read_text()
    found = re.search(r'#define VERSION "(.+)"', source)
    assert found is not None
    assert f"pause {found[1]}\n".encode() in (programs / f"pause-{architecture}").read_bytes()
