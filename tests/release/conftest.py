"""A release, made as `make dist` makes it, and a stranger's machine that has nothing but it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from bundle import cache
from release import ROOT, dist
from tests.conftest import announce, needed
from tests.images.root import unpacked
from tests.servers.process import find_program
from tests.servers.versions import new_folder

REPOSITORY = "https://git.example.com/ops/agtool"

PACKAGES = (
    *("bash", "dash", "coreutils", "libc-bin", "tar", "gzip", "sed", "grep", "openssh-client"),
    *("man-db", "groff-base", "python3", "alembic"),
)
"""What the stranger's machine has: a shell, a reader of manuals, and the migration tool."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each of these tests the time that making a release takes."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(1200))


def blocks(page: str, language: str = "sh") -> list[str]:
    """The blocks of code of a page in docs, as they stand there."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="session")
def release(pytestconfig: pytest.Config) -> Path:
    """Give the folder of a release of the last commit; it is made once for each commit."""
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()
    place = cache().with_name("release") / commit
    announce(pytestconfig, "`make dist`: three minutes")
    with new_folder(place) as new:
        if new is not None:
            dist.make(new / "dist", repository=REPOSITORY, key=None, say=lambda _: None)
    for old in place.parent.iterdir():
        if old.is_dir() and old != place:
            shutil.rmtree(old, ignore_errors=True)
    return place / "dist"


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a key to sign with, which is thrown away."""
    path = tmp_path_factory.mktemp("key") / "agtool"
    argv: list[str | Path] = [
        "ssh-keygen",
        "-q",
        "-t",
        "ed25519",
        "-N",
        "",
        "-C",
        "agtool",
        "-f",
        path,
    ]
    subprocess.run(argv, check=True)
    return path


@pytest.fixture(scope="session")
def signed(release: Path, key: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a copy of the release with a signature."""
    folder = tmp_path_factory.mktemp("signed") / "dist"
    shutil.copytree(release, folder)
    dist.sign(folder, key)
    return folder


class Stranger:
    """A root with some Debian packages, and a person in it. Nothing of this project is there.

    The network is this machine's, as a cluster's would be.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.env = {
            "HOME": "/root",
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LC_ALL": "C.UTF-8",
            "TERM": "xterm",
            "MANPAGER": "cat",
        }

    def argv(self, *command: str, env: dict[str, str] | None = None) -> list[str]:
        """The command line that runs a command there, with mounts and processes of its own."""
        variables = [f"{name}={value}" for name, value in {**self.env, **(env or {})}.items()]
        enter = (
            'mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && exec chroot "$0" "$@"'
        )
        isolated = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
        inside = ["/usr/bin/env", "-i", *variables, *command]
        return [*isolated, "sh", "-c", enter, str(self.root), *inside]

    def run(
        self, script: str, folder: str = "/root", env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run lines of a shell, until one fails."""
        lines = f"set -euo pipefail\ncd {folder}\n{script}"
        return subprocess.run(
            self.argv("bash", "-c", lines, env=env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def does(self, script: str, folder: str = "/root", env: dict[str, str] | None = None) -> str:
        """What lines of a shell print; they must all succeed."""
        done = self.run(script, folder, env)
        assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
        return done.stdout


@pytest.fixture(scope="session")
def stranger(signed: Path, key: Path, tmp_path_factory: pytest.TempPathFactory) -> Stranger:
    """Give a machine with the files of the release in /root/dist, and the public key beside."""
    if os.geteuid():
        pytest.skip("only root can make a root of its own")
    with needed():
        find_program("unshare")
        packages = unpacked("bookworm", PACKAGES)
    root = tmp_path_factory.mktemp("stranger") / "root"
    subprocess.run(["cp", "--archive", "--reflink=auto", packages, root], check=True)
    for name in ("proc", "dev", "tmp", "root", "opt", "usr/local/bin", "etc"):
        (root / name).mkdir(parents=True, exist_ok=True)
    # A script of the package would make it.
    if not (root / "bin/sh").exists():
        (root / "bin/sh").symlink_to("dash")
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/bash\nman:x:6:12::/:/bin/false\n")
    (root / "etc/group").write_text("root:x:0:\nman:x:12:\n")
    shutil.copytree(signed, root / "root/dist")
    shutil.copy(key.with_suffix(".pub"), root / "root/dist")
    return Stranger(root)
