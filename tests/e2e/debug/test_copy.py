"""Files into a container and out of it, with tar in its image or without."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.cluster.api import Object
from tests.e2e.conftest import wait_until
from tests.e2e.debug.conftest import Person
from tests.e2e.debug.test_beside import make_pod

SHM = "/dev/shm"  # noqa: S108  # in the pod
STRANGE = "über -x\n'\"; $(touch evil)"


def bare_pod(person: Person) -> None:
    """A pod `bare` without tar or a shell, with a volume that can be written to."""
    mount = {"name": "data", "mountPath": "/data"}
    container: Object = {
        "name": "main",
        "image": person.cluster.images.pause,
        "volumeMounts": [mount],
    }
    body: Object = {
        "metadata": {"name": "bare"},
        "spec": {"containers": [container], "volumes": [{"name": "data", "emptyDir": {}}]},
    }
    path = f"/api/v1/namespaces/{person.namespace}/pods"
    person.api.post(path, body)

    def runs() -> bool:
        return bool(person.api.get(f"{path}/bare")["status"]["phase"] == "Running")

    wait_until(runs, "the pod runs")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Give a folder with files of all kinds."""
    folder = tmp_path / "tree"
    (folder / "deep/er").mkdir(parents=True)
    (folder / "deep/er/big").write_bytes(os.urandom(3_000_000))
    (folder / STRANGE).write_text("strange")
    (folder / "-n").write_text("an option?")
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o755)
    (folder / "empty").mkdir()
    (folder / "link").symlink_to("run.sh")
    return folder


def same(one: Path, other: Path) -> None:
    """Check that two trees are alike, links left out."""
    done = subprocess.run(
        ["diff", "-r", "--no-dereference", "--exclude=link", one, other],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("kind", ["with tar", "bare"])
def test_there_and_back(person: Person, tree: Path, tmp_path: Path, kind: str) -> None:
    if kind == "bare":
        bare_pod(person)
        pod, base = "pod/bare", "/data"
    else:
        make_pod(person, {})
        pod, base = "pod/web-0", SHM
    done = person.run("--cp", str(tree), f"{pod}:{base}/new")
    assert done.exit_code == 0, done.stderr
    assert "MiB" in done.stderr
    done = person.run("--cp", f"{pod}:{base}/new", str(tmp_path / "back"))
    assert done.exit_code == 0, done.stderr
    assert "left out" in done.stderr  # the link
    same(tree, tmp_path / "back")
    assert os.access(tmp_path / "back/run.sh", os.X_OK)
    # Into a folder that is there, as cp does.
    done = person.run("--cp", str(tree / "run.sh"), f"{pod}:{base}/new/empty")
    assert done.exit_code == 0, done.stderr
    (tmp_path / "here").mkdir()
    source = f"{pod}:{base}/new/empty/run.sh"
    done = person.run("--cp", source, str(tmp_path / "here"))
    assert done.exit_code == 0, done.stderr
    assert (tmp_path / "here/run.sh").read_text() == "#!/bin/sh\n"
    if kind == "bare":
        done = person.run("--root", "--cp", f"{pod}:{base}/new", str(tmp_path / "again"))
        assert done.exit_code == 0, done.stderr
        assert (tmp_path / "again/empty/run.sh").read_text() == "#!/bin/sh\n"
        path = f"/api/v1/namespaces/{person.namespace}/pods/bare"

        def ended() -> bool:
            states = person.api.get(path)["status"]["ephemeralContainerStatuses"]
            return all("terminated" in one["state"] for one in states)

        wait_until(ended, "what was added has ended")


def test_a_link_is_followed_where_it_is_the_source(person: Person, tmp_path: Path) -> None:
    make_pod(person, {})
    # As the files of a ConfigMap, a Secret and a token are.
    person.exec("web-0", "mkdir", "-p", f"{SHM}/c/..1", container="web")
    person.exec("web-0", "sh", "-c", f"echo v >{SHM}/c/..1/k", container="web")
    person.exec("web-0", "ln", "-s", "..1", f"{SHM}/c/..data", container="web")
    person.exec("web-0", "ln", "-s", "..data/k", f"{SHM}/c/k", container="web")
    done = person.run("--cp", f"pod/web-0:{SHM}/c/k", str(tmp_path / "k"))
    assert done.exit_code == 0, done.stderr
    assert (tmp_path / "k").read_text() == "v\n"
    for other in (f"{SHM}/c/..data", "/dev/null"):
        done = person.run("--cp", f"pod/web-0:{other}", str(tmp_path / "other"))
        assert (done.exit_code, (tmp_path / "other").exists()) == (125, False)
        assert f"{other} in pod web-0 is neither a file nor a folder" in done.stderr


def test_an_interrupted_copy_says_so(person: Person, tmp_path: Path) -> None:
    make_pod(person, {})
    big = tmp_path / "big"
    with big.open("wb") as file:
        file.truncate(1 << 30)
    running = person.start("--cp", str(big), f"pod/web-0:{SHM}/big")
    running.wait_for("MiB")
    running.send(signal.SIGINT)
    done = running.wait()
    assert done.exit_code in {130, -signal.SIGINT}
    assert f"{SHM}/big in pod web-0 may be there in part" in done.stderr


def test_a_container_that_does_not_run(person: Person, tmp_path: Path) -> None:
    path = f"/api/v1/namespaces/{person.namespace}/pods"
    web = {"name": "web", "image": person.cluster.images.busybox, "command": ["true"]}
    spec = {"restartPolicy": "Never", "containers": [web]}
    person.api.post(path, {"metadata": {"name": "web-0"}, "spec": spec})
    wait_until(
        lambda: person.api.get(f"{path}/web-0")["status"]["phase"] == "Succeeded", "it has ended"
    )
    done = person.run("--cp", "pod/web-0:/etc/hosts", str(tmp_path / "x"))
    assert done.exit_code == 125
    assert "container web of pod web-0 does not run" in done.stderr
    assert f" -n {person.namespace} --copy --target pod/web-0" in done.stderr


def test_what_is_not_there(person: Person, tree: Path, tmp_path: Path) -> None:
    make_pod(person, {})
    for argv, told in [
        ((str(tree / "none"), "pod/web-0:/dev/shm/x"), "there is no"),
        ((str(tree), "pod/web-0:/no/such/place"), "has no folder /no/such"),
        (("pod/web-0:/no/such", str(tmp_path / "x")), "has no /no/such"),
        (("pod/web-0:/etc/passwd", str(tmp_path / "no/x")), "there is no folder"),
        ((str(tree), "pod/nobody:/x"), "not found"),
    ]:
        done = person.run("--cp", *argv)
        assert done.exit_code == 125, done.stderr
        assert told in done.stderr
        assert "Traceback" not in done.stderr
