"""Files into a container and out of it, with tar in its image or without."""

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from tests.cluster.api import Object
from tests.e2e.conftest import clean_environment, wait_until
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
    assert re.search(r"/new in pod \S+ \(2\.9 MiB in [0-9.]+ s\)\n", done.stderr)
    assert "copying" not in done.stderr
    done = person.run("--cp", f"{pod}:{base}/new", str(tmp_path / "back"))
    assert done.exit_code == 0, done.stderr
    assert (tmp_path / "back/link").read_text() == "#!/bin/sh\n"
    assert not (tmp_path / "back/link").is_symlink()
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
    for other in ("..data", "..data/"):
        done = person.run("--cp", f"pod/web-0:{SHM}/c/{other}", str(tmp_path / "folder"))
        assert done.exit_code == 0, done.stderr
        assert (tmp_path / "folder/k").read_text() == "v\n"
    done = person.run("--cp", "pod/web-0:/dev/null", str(tmp_path / "other"))
    assert (done.exit_code, (tmp_path / "other").exists()) == (125, False)
    assert "/dev/null in pod web-0 is neither a file nor a folder" in done.stderr


def test_a_folder_of_a_config_map(person: Person, tmp_path: Path) -> None:
    path = f"/api/v1/namespaces/{person.namespace}/configmaps"
    person.api.post(path, {"metadata": {"name": "settings"}, "data": {"k": "v", "other": "w"}})
    mount = {"name": "settings", "mountPath": "/settings"}
    container = {"name": "web", "image": person.cluster.images.busybox, "volumeMounts": [mount]}
    volume = {"name": "settings", "configMap": {"name": "settings"}}
    make_pod(person, {"containers": [container], "volumes": [volume]})
    done = person.run("--cp", "pod/web-0:/settings", str(tmp_path / "settings"))
    assert done.exit_code == 0, done.stderr
    assert "left out" not in done.stderr
    files = {
        one.name: one.read_text() for one in (tmp_path / "settings").iterdir() if one.is_file()
    }
    assert files == {"k": "v", "other": "w"}
    assert not any(one.is_symlink() for one in (tmp_path / "settings").rglob("*"))


def files(person: Person, folder: str) -> list[str]:
    """The names in a folder of the pod."""
    return sorted(person.exec("web-0", "ls", "-A", folder, container="web").splitlines())


# A shell whose copies take or give 4 MiB a second, until /fast is there. That of busybox runs its
# own tar, whatever /bin/tar is.
SLOW = """#!/bin/busybox sh
slowly() {
    while dd bs=65536 count=16 2>/told; ! grep -q ^0+0 /told && [ ! -e /fast ]; do sleep 0.25; done
    cat
}
case $* in
*agtool-end-cp*-xmof*) slowly | busybox sh "$@" ;;
*agtool-end-cp*) busybox sh "$@" | slowly ;;
*) exec busybox sh "$@" ;;
esac
"""


def make_slow_pod(person: Person) -> None:
    """A pod web-0 in which copies are slow."""
    make_pod(person, {})
    script = 'printf %s "$0" >/slow && chmod 755 /slow && mv /slow /bin/sh'
    person.exec("web-0", "sh", "-c", script, SLOW, container="web")


def sparse(path: Path, size: int = 32 << 20) -> Path:
    """Make a file that takes the slow pod eight seconds."""
    path.parent.mkdir(exist_ok=True)
    with path.open("wb") as file:
        file.truncate(size)
    return path


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_an_interrupted_copy_leaves_what_was(
    person: Person, tmp_path: Path, number: signal.Signals, kind: str
) -> None:
    make_slow_pod(person)
    before = []
    if kind == "file":
        source = sparse(tmp_path / "big")
        person.exec("web-0", "sh", "-c", f"echo older >{SHM}/big", container="web")
        before = ["big"]
    else:
        source = sparse(tmp_path / "big/file").parent
    running = person.start("--cp", str(source), f"pod/web-0:{SHM}/big")
    wait_until(lambda: len(files(person, SHM)) > len(before), "something comes")
    running.send(number)
    done = running.wait()
    assert done.exit_code in {130, -number}
    if number is signal.SIGINT:
        assert f"{SHM}/big in pod web-0 is as it was" in done.stderr
    wait_until(lambda: files(person, SHM) == before, "what is temporary is gone")
    if kind == "file":
        assert person.exec("web-0", "cat", f"{SHM}/big", container="web") == "older\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_copy_from_beside(
    person: Person, tmp_path: Path, number: signal.Signals
) -> None:
    mount = {"name": "data", "mountPath": "/data"}
    images = person.cluster.images
    containers = [
        {"name": "web", "image": images.pause, "volumeMounts": [mount]},
        {"name": "side", "image": images.busybox, "volumeMounts": [mount]},
    ]
    make_pod(person, {"containers": containers, "volumes": [{"name": "data", "emptyDir": {}}]})
    person.exec("web-0", "sh", "-c", "echo older >/data/big", container="side")

    def there() -> str:
        return person.exec("web-0", "ls", "-A", "/data", container="side")

    running = person.start("--cp", str(sparse(tmp_path / "big", 4 << 30)), "pod/web-0:/data/big")
    wait_until(lambda: ".agtool-cp" in there(), "something comes")
    running.send(number)
    running.wait()
    wait_until(lambda: there() == "big\n", "what is temporary is gone")
    assert person.exec("web-0", "cat", "/data/big", container="side") == "older\n"


def test_an_interrupted_copy_into_a_folder_that_is_there_says_so(
    person: Person, tmp_path: Path
) -> None:
    make_slow_pod(person)
    person.exec("web-0", "mkdir", f"{SHM}/big", container="web")
    source = sparse(tmp_path / "big/file").parent
    running = person.start("--cp", str(source), f"pod/web-0:{SHM}")
    wait_until(lambda: files(person, f"{SHM}/big"), "something comes")
    running.send(signal.SIGINT)
    assert f"{SHM}/big in pod web-0 may be there in part" in running.wait().stderr


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_an_interrupted_copy_out_of_a_pod_leaves_what_was(
    person: Person, tmp_path: Path, kind: str
) -> None:
    make_slow_pod(person)
    script = f"mkdir {SHM}/d && dd if=/dev/zero of={SHM}/d/file bs=1M count=32"
    person.exec("web-0", "sh", "-c", script, container="web")
    source = f"{SHM}/d/file" if kind == "file" else f"{SHM}/d"
    if kind == "file":
        (tmp_path / "target").write_text("older")
    running = person.start("--cp", f"pod/web-0:{source}", str(tmp_path / "target"))
    wait_until(lambda: any(tmp_path.glob(".agtool-cp-*")), "something comes")
    running.send(signal.SIGINT)
    assert f"{tmp_path}/target is as it was" in running.wait().stderr
    left = {one.name: one.read_text() for one in tmp_path.iterdir()}
    assert left == ({"target": "older"} if kind == "file" else {})


@pytest.mark.parametrize("kind", ["with tar", "beside"])
def test_a_full_disk_in_the_container(person: Person, tmp_path: Path, kind: str) -> None:
    images = person.cluster.images
    mount = {"name": "small", "mountPath": "/small"}
    image = images.busybox if kind == "with tar" else images.pause
    containers = [
        {"name": "web", "image": image, "volumeMounts": [mount]},
        {"name": "side", "image": images.busybox, "volumeMounts": [mount]},
    ]
    volume = {"name": "small", "emptyDir": {"medium": "Memory", "sizeLimit": "4Mi"}}
    make_pod(person, {"containers": containers, "volumes": [volume]})
    person.exec("web-0", "sh", "-c", "echo older >/small/big", container="side")
    (tmp_path / "big").write_bytes(os.urandom(6 << 20))
    done = person.run("--cp", str(tmp_path / "big"), "pod/web-0:/small/big")
    assert done.exit_code == 125, done.stderr
    assert "/small/big in pod web-0 is as it was" in done.stderr
    assert "the copying program in the container ended with 1" in done.stderr
    assert person.exec("web-0", "ls", "-A", "/small", container="side") == "big\n"
    assert person.exec("web-0", "cat", "/small/big", container="side") == "older\n"


def test_a_local_source_that_vanishes(person: Person, tmp_path: Path) -> None:
    make_slow_pod(person)
    source = sparse(tmp_path / "source/a").parent
    (source / "b").write_text("x")
    running = person.start("--cp", str(source), f"pod/web-0:{SHM}/new")
    wait_until(lambda: files(person, SHM), "something comes")
    (source / "b").unlink()
    person.exec("web-0", "touch", "/fast", container="web")
    done = running.wait()
    assert done.exit_code == 125
    assert f"cannot read {source}/b: No such file" in done.stderr
    assert f"{SHM}/new in pod web-0 is as it was" in done.stderr
    assert files(person, SHM) == []


def test_a_full_disk_here(person: Person, tmp_path: Path) -> None:
    make_pod(person, {})
    script = f"dd if=/dev/zero of={SHM}/big bs=1M count=8"
    person.exec("web-0", "sh", "-c", script, container="web")
    (tmp_path / "big").write_text("older")
    argv = person.argv("--cp", f"pod/web-0:{SHM}/big", tmp_path / "big")
    # A file that may not grow is what a full disk is.
    limited = 'ulimit -f 2048; exec "$@"'
    done = subprocess.run(
        ["sh", "-c", limited, "sh", *argv],
        env=clean_environment(person.env),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 125, done.stderr
    assert f"cannot write {tmp_path}/big: File too large" in done.stderr
    assert f"{tmp_path}/big is as it was" in done.stderr
    assert [one.name for one in tmp_path.iterdir()] == ["big"]
    assert (tmp_path / "big").read_text() == "older"


@pytest.mark.parametrize("into", [True, False])
def test_how_far_a_slow_copy_is(person: Person, tmp_path: Path, into: bool) -> None:
    make_slow_pod(person)
    size = 200 << 20
    if into:
        running = person.start("--cp", str(sparse(tmp_path / "big", size)), "pod/web-0:/big")
    else:
        person.exec("web-0", "sh", "-c", f"truncate -s {size} /big", container="web")
        running = person.start("--cp", "pod/web-0:/big", str(tmp_path / "big"))
    running.wait_for(" MiB")
    person.exec("web-0", "touch", "/fast", container="web")
    done = running.wait()
    assert done.exit_code == 0, done.stderr
    of = " of 200.0 MiB" if into else ""
    told = re.findall(rf"copying: ([0-9.]+) MiB{of}\n", done.stderr)
    assert 0 < float(told[0]) < 200
    assert re.search(r"/big.* is now .*/big.* \(200\.0 MiB in [0-9.]+ s\)\n", done.stderr)
    assert (tmp_path / "big").stat().st_size == size


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
        ((str(tree / "none"), "pod/web-0:/dev/shm/x"), "none: No such file"),
        ((str(tree), "pod/web-0:/no/such/place"), "has no folder /no/such"),
        (("pod/web-0:/no/such", str(tmp_path / "x")), "has no /no/such"),
        (("pod/web-0:/etc/passwd", str(tmp_path / "no/x")), "there is no folder"),
        ((str(tree), "pod/nobody:/x"), "not found"),
    ]:
        done = person.run("--cp", *argv)
        assert done.exit_code == 125, done.stderr
        assert told in done.stderr
        assert "Traceback" not in done.stderr


def test_a_file_of_the_kernel_is_whole(person: Person, tmp_path: Path) -> None:
    make_pod(person, {})
    for path in ("/proc/self/status", "/proc/version"):
        done = person.run("--cp", f"pod/web-0:{path}", str(tmp_path / "copy"))
        assert done.exit_code == 0, done.stderr
        assert (tmp_path / "copy").read_bytes()
    whole = person.exec("web-0", "cat", "/proc/version", container="web")
    assert (tmp_path / "copy").read_text() == whole
    done = person.run("--cp", "pod/web-0:/proc/none", str(tmp_path / "none"))
    assert (done.exit_code, (tmp_path / "none").exists()) == (125, False)


def test_on_a_terminal_the_result_has_a_line_of_its_own(person: Person, tmp_path: Path) -> None:
    make_pod(person, {})
    big = tmp_path / "big"
    with big.open("wb") as file:
        file.truncate(1 << 26)
    terminal = person.terminal("--cp", str(big), f"pod/web-0:{SHM}/big", size=(24, 200))
    assert terminal.wait() == 0
    shown = terminal.text
    assert "of 64.0 MiB" in shown
    assert re.search(r"(?:\n|\x1b\[K)agtool: \S+ is now", shown), shown
