"""Fields of the person's own, and what else a container or pod can be given."""

import json
from pathlib import Path

import pytest

from tests.e2e.debug.conftest import Person
from tests.e2e.debug.test_beside import make_pod

CONTAINER = """
env:
  - {name: COLOUR, value: green}
securityContext: {runAsUser: 77}
"""
POD = """
spec:
  volumes: [{name: scratch, emptyDir: {medium: Memory}}]
  containers:
    - name: debug
      volumeMounts: [{name: scratch, mountPath: /scratch}]
"""
SHOW = ("--", "sh", "-c", "echo $COLOUR; id -u; ls -d /scratch")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "container.yaml").write_text(CONTAINER)
    (tmp_path / "pod.yaml").write_text(POD)
    (tmp_path / "pod.json").write_text(json.dumps({"spec": {"hostname": "elsewhere"}}))
    (tmp_path / "wrong.yaml").write_text("tty: true\nresorces:\n  limits: {cpu: 1}\n")
    (tmp_path / "wrong-pod.yaml").write_text("spec:\n  hostNetwrk: true\n")
    return tmp_path


def test_a_container_and_a_pod(person: Person, files: Path) -> None:
    done = person.run("--custom", files / "container.yaml", *SHOW)
    assert done.stdout == "green\n77\n", done.stderr
    assert "--custom changes what its container may do" in done.stderr
    done = person.run("--custom", files / "pod.yaml", *SHOW)
    assert done.stdout.splitlines()[-1] == "/scratch", done.stderr
    done = person.run("--custom", files / "pod.json", "--", "hostname")
    assert done.stdout == "elsewhere\n", done.stderr
    done = person.run("--hostname", "web-7", "--", "hostname")
    assert done.stdout == "web-7\n", done.stderr
    piped = person.piped(CONTAINER.encode(), "--custom", "-", *SHOW)
    assert piped.stdout == b"green\n77\n", piped.stderr


def test_beside_a_container(person: Person, files: Path) -> None:
    make_pod(person, {})
    done = person.run("--target", "pod/web-0", "--custom", files / "container.yaml", *SHOW)
    assert done.stdout == "green\n77\n", done.stderr
    done = person.run("--target", "pod/web-0", "--custom", files / "wrong.yaml", "--", "true")
    assert done.exit_code == 125
    assert "wrong.yaml line 2: the API server knows no field resorces" in done.stderr
    done = person.run("--target", "pod/web-0", "--custom", files / "pod.yaml", "--", "true")
    assert (done.exit_code, "changes the pod" in done.stderr) == (125, True), done.stderr


@pytest.mark.parametrize(
    ("file", "told"), [("wrong.yaml", "resorces"), ("wrong-pod.yaml", "hostNetwrk")]
)
def test_a_field_that_there_is_not(person: Person, files: Path, file: str, told: str) -> None:
    done = person.run("--custom", files / file, "--", "true")
    assert done.exit_code == 125
    assert f"{file} line 2: the API server knows no field {told}" in done.stderr
    person.nothing_is_left()
    done = person.run("--custom", files / "none.yaml", "--", "true")
    assert (done.exit_code, "cannot be read" in done.stderr) == (125, True)


def test_mounts_of_the_target(person: Person) -> None:
    core = f"/api/v1/namespaces/{person.namespace}"
    person.api.post(f"{core}/configmaps", {"metadata": {"name": "settings"}, "data": {"a": "1"}})
    web = {
        "name": "web",
        "image": person.cluster.images.busybox,
        "volumeMounts": [
            {"name": "settings", "mountPath": "/settings"},
            {"name": "settings", "mountPath": "/one", "subPath": "a"},
        ],
    }
    volume = {"name": "settings", "configMap": {"name": "settings"}}
    make_pod(person, {"containers": [web], "volumes": [volume]})
    argv = ("--target", "pod/web-0", "--mounts")
    done = person.run(*argv, "--", "cat", "/settings/a")
    assert (done.exit_code, done.stdout) == (0, "1"), done.stderr
    assert "not mounted, since Kubernetes allows no part of a volume here: /one" in done.stderr


def test_the_network_of_the_node(person: Person) -> None:
    script = "cat /proc/net/route | wc -l; hostname; grep -c cluster.local /etc/resolv.conf; true"
    own = person.run("--", "sh", "-c", script).stdout.splitlines()
    done = person.run("--host-network", "--", "sh", "-c", script)
    assert "in the network of its node" in done.stderr
    _, host, _ = done.stdout.splitlines()
    assert host != own[1]
    person.enforce("baseline")
    done = person.run("--host-network", "--", "true")
    assert (done.exit_code, "hostNetwork" in done.stderr) == (125, True), done.stderr


def test_a_secret_to_pull_with(person: Person) -> None:
    done = person.run("--image-pull-secret", "registry", "--image-pull-secret", "b", "--keep")
    assert done.exit_code == 0, done.stderr
    secrets = person.pod()["spec"]["imagePullSecrets"]
    assert secrets == [{"name": "registry"}, {"name": "b"}]
