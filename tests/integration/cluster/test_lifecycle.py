"""A cluster starts, is mended, and leaves nothing: not even when it is not stopped."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.cluster import build, recipe, toolchain
from tests.cluster.api import Api
from tests.cluster.cluster import Cluster
from tests.cluster.given import VARIABLE
from tests.cluster.images import NAMES
from tests.cluster.instances import own_folder, remove
from tests.cluster.machine import hierarchies
from tests.cluster.process import Program, recorded
from tests.conftest import needed
from tests.integration.cluster.conftest import can_execute, eventually, run_pod
from tests.servers.process import ServerFailed, ServerUnavailable

ROOT = Path(__file__).parents[3]

# Several starts of a cluster stand in one test, each about 15 seconds on an idle machine.
pytestmark = [pytest.mark.timeout(300), pytest.mark.kubernetes]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give an empty place for clusters, where only the programs are those of all tests."""
    with needed():
        programs = (*build.programs(), build.helm().parent, build.kustomize().parent)
        if os.geteuid() != 0:
            raise ServerUnavailable("a cluster with a node needs root")
    # The one that built them may lie in the cache of all tests.
    go = toolchain.compiler()
    assert go
    monkeypatch.setenv("PATH", str(go.parent), prepend=os.pathsep)
    folder = tmp_path / "agtool" / "cluster"
    folder.mkdir(parents=True)
    for each in programs:
        (folder / each.name).symlink_to(each)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    yield folder
    # Should a test have failed before it stopped its own.
    for path in (folder / "instances").iterdir():
        if path.is_dir():
            remove(path)


def command(name: str, *, code: int = 0) -> str:
    """Run a command of tests.cluster; return what it writes to stdout."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.cluster", name],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return done.stdout


def closed_terminal(name: str) -> None:
    """Run a command of tests.cluster in a terminal, which is then closed."""
    ours, theirs = os.openpty()
    argv = ["setsid", "--ctty", "sh", "-c", '"$@"; sleep 100', "sh", sys.executable]
    with subprocess.Popen(
        [*argv, "-m", "tests.cluster", name], cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs
    ) as shell:
        os.close(theirs)
        seen = b""
        while b"export KUBECONFIG" not in seen:
            chunk = os.read(ours, 4096)
            assert chunk, seen
            seen += chunk
        os.close(ours)
    assert shell.returncode == -signal.SIGHUP


class Footprint:
    """What tells on this machine that a cluster runs in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        machine = folder / "machine"
        self._link = Path("/sys/class/net", f"agtool{(machine / 'number').read_text()}")
        name = (machine / "cgroup").read_text()
        self._cgroups = [hierarchy / name for hierarchy in hierarchies()]
        assert self.found() == {"processes", "files", "network", "cgroups"}

    def found(self) -> set[str]:
        """The kinds of things that are there."""
        kinds = {
            "files": [self._folder],
            "network": [self._link],
            "cgroups": self._cgroups,
            "processes": self._processes(),
        }
        return {kind for kind, paths in kinds.items() if any(path.exists() for path in paths)}

    def gone(self) -> bool:
        """Whether nothing is there any more. The kernel takes a network away a moment later."""
        give_up = time.monotonic() + 10
        while self.found() <= {"network"} and time.monotonic() < give_up:
            if not self.found():
                return True
            time.sleep(0.05)
        return False

    def _processes(self) -> list[Path]:
        """Those that name the folder, or have something mounted from there, as containers have."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it ended meanwhile
                seen = (process / "cmdline").read_bytes() + (process / "mountinfo").read_bytes()
                if str(self._folder).encode() in seen:
                    found.append(process)
        return found


def test_the_life_of_a_developers_cluster(cache: Path) -> None:
    closed_terminal("up")
    mine = cache / "instances" / "mine"
    footprint = Footprint(mine)
    with Api(mine / "admin.kubeconfig") as api:
        maps = "/api/v1/namespaces/default/configmaps"
        api.post(maps, {"metadata": {"name": "kept"}})
        run_pod(api, "default", "it", NAMES.busybox)
        before = command("status")

        use, its_kubectl = command("up").splitlines()
        assert use == f"export KUBECONFIG={mine}/admin.kubeconfig"
        asked = f"{its_kubectl}; kubectl version --output=yaml"
        env = {**os.environ, "KUBECONFIG": f"{mine}/admin.kubeconfig"}
        said = subprocess.run(["sh", "-c", asked], env=env, capture_output=True, check=True).stdout
        assert said.count(f"gitVersion: v{recipe.chosen()[0].version}\n".encode()) == 2
        assert command("status") == before

        programs = dict(line.split() for line in before.splitlines())
        crashing = ["etcd", "kube-apiserver", "containerd", "kubelet"]
        for name in crashing:
            os.kill(int(programs[name]), signal.SIGKILL)
        assert command("status", code=1).count("does not run") == len(crashing)
        command("up")
        after = dict(line.split() for line in command("status").splitlines())
        assert {name for name in programs if programs[name] != after[name]} == set(crashing)
        assert api.exists(f"{maps}/kept")
        eventually(lambda: can_execute(api.login, "default", "it"), "the pod that stayed is used")

    command("down")
    assert footprint.gone(), footprint.found()
    command("down")


def test_the_tests_use_a_cluster_that_is_given(cluster: Cluster, tmp_path: Path) -> None:
    """As somebody else's: with nothing known of it but a kubeconfig."""
    kubeconfig = tmp_path / "theirs.kubeconfig"
    shutil.copy(cluster.kubeconfig, kubeconfig)
    with cluster.connect() as api:
        before = names(api)
        chosen = "ready or exec or rbac or conflicts or fake or stopping"
        tests = [
            "tests/integration/cluster/test_smoke.py",
            "tests/integration/cluster/test_proxy.py",
        ]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-v", "-k", chosen, *tests],
            cwd=ROOT,
            env={**os.environ, VARIABLE: str(kubeconfig)},
            capture_output=True,
            text=True,
            timeout=250,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        assert " 7 passed, 1 skipped" in done.stdout
        assert f"the API server at {cluster.url} is not the tests' to stop" in done.stdout
        # Pods have half a minute to end, and a namespace ends after its pods.
        gone = "all that the tests made there is gone"
        eventually(lambda: names(api) <= before, gone, seconds=150)


def names(api: Api) -> set[str]:
    """What there is of the kinds of things that the fixtures make outside namespaces."""
    rbac = "/apis/rbac.authorization.k8s.io/v1"
    kinds = ["/api/v1/namespaces", "/api/v1/nodes", f"{rbac}/clusterroles"]
    return {
        f"{kind}/{each['metadata']['name']}"
        for kind in [*kinds, f"{rbac}/clusterrolebindings"]
        for each in api.get(kind)["items"]
    }


def test_a_killed_run_is_cleaned_up_by_the_next(cache: Path) -> None:
    dies = """
import os, signal
from tests.cluster.build import programs
from tests.cluster.cluster import Cluster
from tests.cluster.instances import own_folder
from tests.integration.cluster.conftest import run_pod
with own_folder() as folder:
    cluster = Cluster(folder, programs())
    cluster.start()
    with cluster.connect() as api:
        run_pod(api, "default", "it", cluster.images.bash)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", dies], cwd=ROOT, timeout=250, check=False)
    assert done.returncode == -signal.SIGKILL
    (left,) = (cache / "instances").glob("test-*")
    footprint = Footprint(left)
    with own_folder() as folder:
        assert footprint.gone(), footprint.found()
        assert folder.exists()
    assert not folder.exists()


@pytest.mark.usefixtures("cache")
def test_another_runs_folder_is_left_alone() -> None:
    with own_folder() as first, own_folder() as second:
        assert first.exists()
        assert second.exists()


def test_a_later_process_of_the_same_number_is_left_alone(folder: Path) -> None:
    sleep = Program(folder, "sleep", ["sleep", "100"])
    sleep.start()
    try:
        pid = sleep.pid
        assert pid is not None
        stat = sleep.record.read_text()
        before, name, after = stat.partition(") ")
        fields = after.split()
        fields[19] = str(int(fields[19]) - 1)  # when it started
        sleep.record.write_text(before + name + " ".join(fields))
        assert recorded(sleep.record) is None
        sleep.record.write_text(stat)
        assert recorded(sleep.record) == pid
    finally:
        sleep.stop()


def test_a_program_that_ends_shows_its_log(folder: Path) -> None:
    broken = Program(folder, "broken", ["sh", "-c", "echo no such flag; exit 3"])
    broken.start()
    with pytest.raises(ServerFailed, match=r"broken ended.*\n.*no such flag"):
        broken.wait(lambda: False)
