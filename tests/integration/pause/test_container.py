"""The image archive in real tools' hands: skopeo and umoci read it, runc runs it."""

import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

import agtool.pause
from agtool.pause import ARCHITECTURES
from agtool.pause.image import pause_image, write_archive
from tests.conftest import needed
from tests.integration.pause.conftest import HERE, ROOT
from tests.integration.pause.namespace import PATIENCE, begun, children, status, wait_until
from tests.servers.process import ServerUnavailable, find_program

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def archive(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give an archive with the image for all architectures."""
    path = tmp_path_factory.mktemp("archive") / "pause.tar"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(agtool.pause, "DATA", programs)
        write_archive(path, "localhost/agtool/pause:test", [pause_image(a) for a in ARCHITECTURES])
    return path


def tool(*argv: str | Path, environment: dict[str, str] | None = None) -> str:
    """Run one of the tools and return what it prints; it may read and ask nothing."""
    done = subprocess.run(
        list(map(str, argv)),
        stdin=subprocess.DEVNULL,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, f"{argv}: {done.stderr}"
    return done.stdout


def copy_one(archive: Path, architecture: str, layout: Path) -> Path:
    """Copy the image of one architecture into a layout that has nothing else, with skopeo."""
    with needed():
        skopeo = find_program("skopeo")
    variant = ["--override-variant", "v7"] if architecture == "arm" else []
    tool(
        skopeo,
        *("--override-arch", architecture, *variant, "--insecure-policy"),
        *("copy", f"oci-archive:{archive}", f"oci:{layout}:one"),
    )
    return layout


def unpack(layout: Path, bundle: Path) -> Path:
    """Make a bundle, which is a root file system and its configuration, with umoci."""
    with needed():
        umoci = find_program("umoci")
        if os.geteuid() != 0:
            raise ServerUnavailable("unpacking an image with its owners needs root")
    tool(umoci, "unpack", "--image", f"{layout}:one", bundle)
    # The image has no entry for it, so that umoci makes it as our umask says.
    (bundle / "rootfs").chmod(0o755)
    return bundle


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_tools_read_it(archive: Path, programs: Path, tmp_path: Path, architecture: str) -> None:
    layout = copy_one(archive, architecture, tmp_path / "layout")
    bundle = unpack(layout, tmp_path / "bundle")
    (program,) = (bundle / "rootfs").iterdir()
    assert program.name == "pause"
    assert program.read_bytes() == (programs / f"pause-{architecture}").read_bytes()
    assert program.stat().st_mode & 0o7777 == 0o555
    process = json.loads((bundle / "config.json").read_text())["process"]
    assert process["args"] == ["/pause"]
    assert process["user"] == {"uid": 65532, "gid": 65532}


@pytest.fixture(scope="module")
def bundle(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a bundle for this machine."""
    with needed():
        if os.uname().machine not in HERE:
            raise ServerUnavailable(f"there is no pause for {os.uname().machine}")
    folder = tmp_path_factory.mktemp("bundle")
    layout = copy_one(archive, HERE[os.uname().machine], folder / "layout")
    bundle = unpack(layout, folder / "bundle")
    config = json.loads((bundle / "config.json").read_text())
    config["process"]["terminal"] = False
    config["root"]["readonly"] = True
    (bundle / "config.json").write_text(json.dumps(config))
    return bundle


class Container(NamedTuple):
    """A container whose program runs. pid: of its first process, as seen from here."""

    name: str
    pid: int
    command: Sequence[str]
    running: subprocess.Popen[bytes]

    def runc(self, command: str, *arguments: str) -> str:
        """Run a command of runc for it; return what that prints."""
        return tool(*self.command, command, self.name, *arguments)

    def exit_code(self) -> int:
        """Wait for its end."""
        return self.running.wait(PATIENCE)


@contextmanager
def container(bundle: Path, state: Path) -> Iterator[Container]:
    """Run a container; the `with` begins the moment runc has given way to the program."""
    with needed():
        command = (str(find_program("runc")), "--root", str(state))
    name = f"agtool-{os.getpid()}-{next(_numbers)}"
    pid_file = state / f"{name}.pid"
    argv = [*command, "run", "--bundle", str(bundle), "--pid-file", str(pid_file), name]
    null = subprocess.DEVNULL
    with subprocess.Popen(argv, stdin=null, stdout=null, start_new_session=True) as running:
        try:
            wait_until(lambda: pid_file.exists() or running.poll() is not None, "it is created")
            assert running.poll() is None, "runc says why on stderr"
            pid = int(pid_file.read_text())
            first = Path(f"/proc/{pid}/comm")
            give_up = time.monotonic() + PATIENCE
            while first.read_text() != "pause\n":
                assert time.monotonic() < give_up
            yield Container(name, pid, command, running)
        finally:
            subprocess.run([*command, "delete", "--force", name], check=False, timeout=60)
            running.wait(PATIENCE)


@pytest.mark.parametrize("number", ["TERM", "QUIT", "WINCH", "37"])
def test_signals_by_runc(bundle: Path, tmp_path: Path, number: str) -> None:
    with container(bundle, tmp_path) as running:
        wait_until(lambda: begun(running.pid), "pause waits for signals")
        running.runc("kill", number)
        assert running.exit_code() == 0


def test_commands_run_beside_it(bundle: Path, tmp_path: Path) -> None:
    with container(bundle, tmp_path) as running:
        assert running.runc("exec", "/pause", "-v").startswith("pause ")
        wait_until(lambda: not children(running.pid), "it leaves nothing behind")
        user = status(running.pid)["Uid"].split()
        assert user == ["65532"] * 4
        running.runc("kill", "TERM")
        assert running.exit_code() == 0


def test_make_image(tmp_path: Path) -> None:
    """`make image` of what needs no registry, with an engine whose store is empty at first."""
    with needed():
        make, buildah = find_program("make"), find_program("buildah")
        if os.geteuid() != 0:
            raise ServerUnavailable("an image store of its own needs root")
    copy = tmp_path / "repository" / "pause"
    shutil.copytree(ROOT / "pause", copy, ignore=shutil.ignore_patterns("build"))
    store = tmp_path / "storage.conf"
    store.write_text(
        f'[storage]\ndriver = "vfs"\ngraphroot = "{tmp_path}/root"\nrunroot = "{tmp_path}/run"\n'
    )
    environment = {**os.environ, "CONTAINERS_STORAGE_CONF": str(store)}
    variables = [f"ENGINE={buildah}", "TAG=test", "TARGETS=pause", f"PYTHON={sys.executable}"]
    name = "agtool/pause:test"
    for _ in range(2):  # the second time in place of the first, and not in addition
        tool(make, "-C", copy, "image", *variables, environment=environment)
        listed = json.loads(tool(buildah, "manifest", "inspect", name, environment=environment))
        architectures = [entry["platform"]["architecture"] for entry in listed["manifests"]]
        assert sorted(architectures) == sorted(ARCHITECTURES)
    layout = tmp_path / "layout"
    tool(
        *(buildah, "manifest", "push", "--all", name, f"oci:{layout}:one"), environment=environment
    )
    inspected = [
        json.loads(
            tool(
                "skopeo",
                f"--override-arch={architecture}",
                "inspect",
                "--config",
                f"oci:{layout}:one",
            )
        )
        for architecture in ARCHITECTURES
        if architecture != "arm"
    ]
    for image in inspected:
        assert image["config"]["Entrypoint"] == ["/pause"]
        assert image["config"]["User"] == "65532:65532"


def test_the_debug_image_by_its_dockerfile() -> None:
    """It is made of a registry's image, so what can be seen here is only its recipe."""
    recipe = (ROOT / "pause" / "Dockerfile").read_text()
    users = re.findall(r"^USER (.+)$", recipe, re.MULTILINE)
    assert all(re.fullmatch(r"\d+:\d+", user) for user in users)
    assert len(users) == 2
    for what in re.findall(r"^(?:RUN|CMD|ENTRYPOINT) (.+)$", recipe, re.MULTILINE):
        assert isinstance(json.loads(what), list), "exec form: no shell that would be PID 1"
