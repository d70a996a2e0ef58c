"""`agtool install` of the real folder: targets that are full, read-only, or used by another."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.integration.bundle.conftest import UID, Root

PATIENCE = 60.0


def _whole(folder: Path) -> bool:
    """Whether everything is there, and nothing else."""
    sums = folder / "lib" / "SHA256SUMS"
    check = ["sha256sum", "--check", "--quiet", "lib/SHA256SUMS"]
    return (
        subprocess.run(check, cwd=folder, check=False).returncode == 0
        and len(sums.read_text().splitlines()) + 1
        == sum(path.is_file() for path in folder.rglob("*"))
        and sorted(path.name for path in folder.iterdir()) == ["agtool", "lib"]
    )


def test_an_init_container_installs_it_for_another_user(root: Root, tmp_path: Path) -> None:
    (tmp_path / "volume").mkdir()
    (tmp_path / "volume").chmod(0o777)  # as the kubelet makes an emptyDir
    root.mount("/volume", "bind", tmp_path / "volume", "bind", "rw")
    argv = ("/agtool/agtool", "install", "/volume/agtool")
    assert root.run(*argv).stdout == "/volume/agtool/agtool is there now\n"
    assert root.run(*argv).stdout == "/volume/agtool/agtool is there already\n"
    assert _whole(tmp_path / "volume" / "agtool")
    seen = root.run("/volume/agtool/agtool", "version", uid=UID + 1)
    assert seen.stdout.startswith("agtool "), seen.stderr


@pytest.mark.parametrize("size", ["1m", "30m"])
def test_a_full_target(root: Root, size: str) -> None:
    root.mount("/volume", "tmpfs", "tmpfs", f"size={size}")
    script = "/agtool/agtool install /volume/agtool; echo $?; /busybox find /volume -type f"
    done = root.run("/busybox", "sh", "-c", script)
    assert done.stdout == "3\n", "exit code 3, and nothing is left"
    assert "cannot install agtool in /volume/agtool: No space left on device" in done.stderr
    assert "sizeLimit" in done.stderr


def test_a_target_that_cannot_be_written_to(root: Root) -> None:
    done = root.run("/agtool/agtool", "install", "/opt/agtool")
    assert done.returncode == 3
    assert "cannot install agtool in /opt/agtool: Read-only file system" in done.stderr
    assert "emptyDir" in done.stderr


def test_two_at_once(bundle: Path, tmp_path: Path) -> None:
    argv = [str(bundle / "agtool"), "install", str(tmp_path / "target")]
    both = [subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=PATIENCE)[0] for process in both]
    assert sorted(text.rpartition(" ")[2] for text in said) == ["already\n", "now\n"]
    assert _whole(tmp_path / "target")


def test_killed_in_the_middle_it_is_made_whole_by_the_next(bundle: Path, tmp_path: Path) -> None:
    for number in range(20):
        target = tmp_path / str(number)
        argv = [str(bundle / "agtool"), "install", str(target)]
        with subprocess.Popen(argv, stdout=subprocess.DEVNULL) as process:
            give_up = time.monotonic() + PATIENCE
            while not list(target.glob(".agtool-*/lib/*")) and time.monotonic() < give_up:
                pass
            os.kill(process.pid, signal.SIGKILL)
        if process.returncode == -signal.SIGKILL and not (target / "agtool").exists():
            break
    else:
        pytest.fail("it was never met at work")
    assert list(target.glob(".agtool-*")), "what it had made so far is there"
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert done.stdout == f"{target}/agtool is there now\n", done.stderr
    assert _whole(target)
