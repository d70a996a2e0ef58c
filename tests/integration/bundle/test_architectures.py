"""One image for both architectures, and the folder of the one that this machine has not."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from bundle import ARCHITECTURES
from bundle.selection import SMALL
from tests import bundles
from tests.cluster.machine import architecture
from tests.conftest import needed
from tests.servers.process import find_program

_QEMU = {"amd64": "qemu-x86_64-static", "arm64": "qemu-aarch64-static"}


@pytest.fixture(scope="module")
def both() -> Path:
    """Give a folder with all that is made for both."""
    with needed():
        return bundles.made(SMALL, *ARCHITECTURES)


@pytest.mark.parametrize("wanted", ARCHITECTURES)
def test_one_archive_has_the_image_of_each(both: Path, tmp_path: Path, wanted: str) -> None:
    (archive,) = both.glob("*-image.tar")
    with needed():
        skopeo = find_program("skopeo")
    argv = [str(skopeo), "--override-arch", wanted, "--insecure-policy", "copy", "--quiet"]
    subprocess.run([*argv, f"oci-archive:{archive}", f"dir:{tmp_path}"], check=True)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    (layer,) = manifest["layers"]
    (packed,) = both.glob(f"*-{wanted}.tar.gz")
    assert packed.stat().st_size < 20e6
    assert (tmp_path / layer["digest"].removeprefix("sha256:")).read_bytes() == packed.read_bytes()
    digest = manifest["config"]["digest"].removeprefix("sha256:")
    config: dict[str, Any] = json.loads((tmp_path / digest).read_text())
    assert config["architecture"] == wanted
    assert config["config"]["Entrypoint"] == ["/agtool/agtool"]
    assert config["config"]["User"] == "65532:65532"


def test_the_folder_of_another_machine(both: Path, tmp_path: Path) -> None:
    """Qemu starts its loader as the launcher would, which asks the kernel for that."""
    (other,) = set(ARCHITECTURES) - {architecture()}
    with needed():
        qemu = find_program(_QEMU[other])
    (packed,) = both.glob(f"*-{other}.tar.gz")
    subprocess.run(["tar", "-xzf", packed, "-C", tmp_path], check=True)
    folder = tmp_path / "agtool"
    launched = subprocess.run(
        [qemu, "-strace", folder / "agtool", "version"], capture_output=True, text=True, check=False
    )
    (asked,) = [line for line in launched.stderr.splitlines() if " execve(" in line]
    loader, *words = json.loads("[" + asked.partition("{")[2].partition(",NULL}")[0] + "]")
    assert loader == f"{folder}/lib/loader/agtool"
    url = f"--database-url=sqlite:///{tmp_path}/db"
    own = ["migrate-once", url, "--key=1", "--", "/bin/echo", "migrated"]
    argv = [qemu, loader, *words[:-1], *own]
    first, second = (
        subprocess.run(argv, capture_output=True, text=True, check=False) for _ in range(2)
    )
    assert (first.returncode, first.stdout) == (0, "migrated\n"), first.stderr
    assert (second.returncode, second.stdout) == (0, ""), second.stderr


def test_a_folder_for_another_machine_says_so(both: Path, tmp_path: Path) -> None:
    """As the kernel takes a loader of another machine: for no program."""
    (packed,) = both.glob(f"*-{architecture()}.tar.gz")
    subprocess.run(["tar", "-xzf", packed, "-C", tmp_path], check=True)
    loader = tmp_path / "agtool" / "lib" / "loader" / "agtool"
    loader.unlink()
    loader.write_bytes(b"\x7fELF\0")
    loader.chmod(0o755)
    argv = [str(tmp_path / "agtool" / "agtool"), "version"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 126
    assert "is for another architecture" in done.stderr
