"""Beside what is there: a container of a pod, a node, a workload."""

import re
from dataclasses import replace
from pathlib import Path

from agtool.pause.image import write_archive
from tests.cluster.api import Object
from tests.cluster.images import busybox
from tests.e2e.conftest import wait_until
from tests.e2e.debug.conftest import Person, name_in

APPS = "/apis/apps/v1/namespaces"


def make_pod(person: Person, spec: Object) -> None:
    """A pod web-0 with two containers, of which the second is the main one."""
    containers = [
        {"name": name, "image": person.cluster.images.busybox} for name in ("side", "web")
    ]
    note = {"kubectl.kubernetes.io/default-container": "web"}
    body = {
        "metadata": {"name": "web-0", "annotations": note},
        "spec": {"containers": containers, **spec},
    }
    path = f"/api/v1/namespaces/{person.namespace}/pods"
    person.api.post(path, body)

    def runs() -> bool:
        return bool(person.api.get(f"{path}/web-0")["status"]["phase"] == "Running")

    wait_until(runs, "web-0 runs")


def test_a_container_beside_the_main_one(person: Person) -> None:
    make_pod(person, {"securityContext": {"runAsUser": 1234}})
    script = "id -u; tr '\\0' ' ' < /proc/1/cmdline; echo; ls /proc/1/root/pause; exit 3"
    done = person.run("--target", "pod/web-0", "--", "sh", "-c", script)
    assert done.exit_code == 3, done.stderr
    assert done.stdout.splitlines() == ["1234", "/pause ", "/proc/1/root/pause"]
    assert "beside container web" in done.stderr
    assert "/proc/1/root" in done.stderr
    ours = name_in(done.stderr)

    def over() -> bool:
        pod = person.api.get(f"/api/v1/namespaces/{person.namespace}/pods/web-0")
        states = {s["name"]: s["state"] for s in pod["status"]["ephemeralContainerStatuses"]}
        return "terminated" in states[ours]

    wait_until(over, "our container ends")
    assert "sleep" not in person.exec("web-0", "ps", container="web")
    assert "side" in person.run("--target", "web-0", "-c", "side", "--", "true").stderr


def test_a_native_sidecar_and_what_was_added(person: Person, tmp_path: Path) -> None:
    """Both are containers that run, although the pod has them in lists of their own."""
    image = person.cluster.images.busybox
    sidecar = {"name": "proxy", "image": image, "restartPolicy": "Always"}
    make_pod(person, {"initContainers": [sidecar]})
    words = ("cat", "/proc/1/root/etc/passwd")
    done = person.run("--target", "web-0", "-c", "proxy", "--", *words)
    assert done.exit_code == 0, done.stderr
    assert "beside container proxy" in done.stderr
    copied = person.run("--cp", "-c", "proxy", "pod/web-0:/etc/passwd", str(tmp_path / "theirs"))
    assert copied.exit_code == 0, copied.stderr
    assert (tmp_path / "theirs").read_text() == done.stdout
    over = name_in(done.stderr)
    refused = person.run("--cp", "-c", over, "pod/web-0:/etc/passwd", str(tmp_path / "ours"))
    assert f"container {over} of pod web-0 does not run" in refused.stderr


def test_the_lifetime_of_a_container_beside_another(person: Person) -> None:
    make_pod(person, {})
    done = person.run("--target", "pod/web-0", "--ttl", "3s", "--", "sleep", "600")
    assert done.exit_code == 137, done.stderr
    assert f"container {name_in(done.stderr)} ended: its lifetime (--ttl) is over" in done.stderr


def test_a_shell_beside_a_container(person: Person) -> None:
    make_pod(person, {})
    terminal = person.terminal("--target", "pod/web-0")
    terminal.expect(r"\$ |# ")
    terminal.type("exit 5\r")
    assert terminal.wait() == 5


RIGHTS = (
    "id -u; grep -E 'CapEff|NoNewPrivs' /proc/self/status; touch /x 2>/dev/null || echo read-only"
)


def test_beside_an_open_container(person: Person) -> None:
    make_pod(person, {})
    done = person.run("--target", "pod/web-0", "--root", "--", "sh", "-c", RIGHTS)
    assert done.exit_code == 0, done.stderr
    user, capabilities, no_more = done.stdout.splitlines()
    assert (user, no_more) == ("0", "NoNewPrivs:\t0")
    assert int(capabilities.split()[1], 16)
    assert "root, as asked" in done.stderr
    done = person.run("--target", "pod/web-0", "--user", "77", "--", "id", "-u")
    assert (done.exit_code, done.stdout) == (0, "77\n"), done.stderr


def test_beside_a_hardened_container(person: Person) -> None:
    person.enforce("restricted")
    security = {
        "runAsNonRoot": True,
        "runAsUser": 1234,
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    web = {"name": "web", "image": person.cluster.images.busybox, "securityContext": security}
    make_pod(person, {"containers": [web]})
    hardened = ["CapEff:\t0000000000000000", "NoNewPrivs:\t1", "read-only"]
    argv = ("--target", "pod/web-0")
    done = person.run(*argv, "--", "sh", "-c", f"ls /proc/1/root/pause; {RIGHTS}; exit 3")
    assert done.exit_code == 3, done.stderr
    assert done.stdout.splitlines() == ["/proc/1/root/pause", "1234", *hardened]
    assert "--user" not in done.stderr
    done = person.run(*argv, "--user", "77", "--", "sh", "-c", f"{RIGHTS}; ls /proc/1/root/pause")
    # The kernel shows the files to their own user only, and that is said.
    assert done.stdout.splitlines() == ["77", *hardened], done.stderr
    assert "To read them: --user 1234:0; or --root" in done.stderr
    assert "are in /proc/1/root" not in done.stderr
    done = person.run(*argv, "--user", "1234:0", "--", "ls", "/proc/1/root/pause")
    assert done.stdout == "/proc/1/root/pause\n", done.stderr
    done = person.run(*argv, "--root", "--", "sh", "-c", RIGHTS)
    assert (done.exit_code, done.stdout) == (125, "")
    assert f"a policy of namespace {person.namespace} forbids the container" in done.stderr
    assert 'it violates PodSecurity "restricted:latest": ' in done.stderr
    assert "must not set runAsUser=0" in done.stderr
    assert "--root" in done.stderr
    # Root without that right cannot read them, and what can is said.
    person.enforce("baseline")
    done = person.run(*argv, "--root", "--", "sh", "-c", "id -u; ls /proc/1/root/pause")
    assert done.stdout == "0\n", done.stderr
    assert "--user 1234:0 in the place of --root; or --profile general, if" in done.stderr
    # Where no level forbids it, root has at least what the target's own user has.
    person.enforce("privileged")
    script = f"{RIGHTS}; ls /proc/1/root/pause"
    done = person.run(*argv, "--root", "--", "sh", "-c", script)
    user, capabilities, no_more, file = done.stdout.splitlines()
    assert (user, no_more, file) == ("0", "NoNewPrivs:\t0", "/proc/1/root/pause"), done.stderr
    assert int(capabilities.split()[1], 16) >> 19 & 1  # SYS_PTRACE
    assert "are in /proc/1/root" in done.stderr


def test_beside_a_user_of_the_image(person: Person, tmp_path: Path) -> None:
    # Nothing in the pod names them: only the kubelet and the kernel know.
    base = busybox()
    name = "localhost/agtool-tests/as-user:1"
    archive = tmp_path / "as-user.tar"
    write_archive(archive, name, [replace(base, user="4321")])
    person.cluster.load(archive)
    make_pod(person, {"containers": [{"name": "web", "image": name, "imagePullPolicy": "Never"}]})
    done = person.run(
        "--target", "pod/web-0", "--", "sh", "-c", "id -u; id -g; ls /proc/1/root/pause"
    )
    assert done.stdout.splitlines() == ["4321", "0", "/proc/1/root/pause"], done.stderr
    assert "are in /proc/1/root" in done.stderr


def test_beside_containers_that_share_their_processes(person: Person) -> None:
    web = {
        "name": "web",
        "image": person.cluster.images.busybox,
        "command": ["sh", "-c", "echo mine >/dev/shm/web; exec sleep 600"],
    }
    side = {"name": "side", "image": person.cluster.images.pause}
    make_pod(
        person,
        {
            "containers": [side, web],
            "shareProcessNamespace": True,
            "securityContext": {"runAsUser": 1234},
        },
    )
    done = person.run("--target", "pod/web-0", "-c", "web", "--", "ls", "/proc/1/root")
    found = re.search(r"The files of that container are in (/proc/\d+/root)\.", done.stderr)
    assert found, done.stderr
    assert found[1] != "/proc/1/root"  # that is Kubernetes' own first process
    file = "/dev/shm/web"  # noqa: S108  # in the pod
    again = person.run("--target", "pod/web-0", "-c", "web", "--", "cat", f"{found[1]}{file}")
    assert again.stdout == "mine\n", again.stderr


def test_a_target_that_does_not_do(person: Person) -> None:
    done = person.run("--target", "pod/none", "--", "true")
    assert (done.exit_code, 'pods "none" not found' in done.stderr) == (125, True)
    done = person.run("--target", "deployment/none", "--", "true")
    assert (done.exit_code, 'deployments.apps "none" not found' in done.stderr) == (125, True)
    done = person.run("--target", "service/web", "--", "true")
    assert (done.exit_code, "--target KIND/NAME" in done.stderr) == (125, True)
    make_pod(person, {})
    done = person.run("--target", "pod/web-0", "-c", "none", "--", "true")
    assert (done.exit_code, "side, web" in done.stderr) == (125, True)


def test_a_node(person: Person) -> None:
    node = person.cluster.node
    script = "id -u; ls -d /host/proc; ls /proc | grep -c '^[0-9]'"
    done = person.run("--node", node, "--", "sh", "-c", script)
    assert done.exit_code == 0, done.stderr
    user, host, processes = done.stdout.splitlines()
    assert (user, host) == ("0", "/host/proc")
    assert int(processes) > 5  # kubelet, containerd and so on
    assert f"root on node {node}" in done.stderr
    done = person.run("--node", "none", "--", "true")
    assert (done.exit_code, 'nodes "none" not found' in done.stderr) == (125, True)


def test_a_node_that_cannot_take_it(person: Person) -> None:
    system = {"kubernetes.io/os": "windows", "kubernetes.io/arch": "amd64"}
    for name, labels in (("win-1", system), ("lost-1", {**system, "kubernetes.io/os": "linux"})):
        named = f"{person.namespace}-{name}"
        person.api.post("/api/v1/nodes", {"metadata": {"name": named, "labels": labels}})
    try:
        done = person.run("--node", f"{person.namespace}-win-1", "--", "true")
        assert done.exit_code == 125
        assert f"node {person.namespace}-win-1 runs windows" in done.stderr
        assert not person.pods()
        lost = f"{person.namespace}-lost-1"
        running = person.start("--node", lost, "--timeout", "1s", "--", "true")
        running.wait_for(f"node {lost} is not ready")
        done = running.wait()
        assert done.exit_code == 124, done.stderr
        assert not person.pods()
        # No kubelet is there to say that the pod is gone.
        pod = f"/api/v1/namespaces/{person.namespace}/pods/{name_in(done.stderr)}"
        person.api.delete(pod, {"gracePeriodSeconds": 0})
    finally:
        for name in ("win-1", "lost-1"):
            person.api.delete(f"/api/v1/nodes/{person.namespace}-{name}")


def test_what_is_mounted_on_a_node_later(person: Person) -> None:
    node = person.cluster.node
    folder = f"/run/{person.namespace}"
    on_the_node = "nsenter -t 1 -m -- /bin/sh -c"
    script = f"echo up >&2; until [ -e /host{folder}/later ]; do sleep 0.1; done; echo seen"
    person.run("--node", node, "--", "sh", "-c", f"{on_the_node} 'mkdir {folder}'")
    running = person.start("--node", node, "--", "sh", "-c", script)
    running.wait_for("up")
    mount = f"mount -t tmpfs later {folder} && touch {folder}/later"
    done = person.run("--node", node, "--", "sh", "-c", f'{on_the_node} "{mount}"')
    try:
        assert done.exit_code == 0, done.stderr
        done = running.wait()
        assert (done.exit_code, done.stdout) == (0, "seen\n"), done.stderr
    finally:
        undo = f"umount {folder}; rmdir {folder}"
        person.run("--node", node, "--", "sh", "-c", f'{on_the_node} "{undo}"')


def workload(person: Person, kind: str, template: Object, **more: object) -> None:
    labels = {"app": "web"}
    body = {
        "metadata": {"name": "web"},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": template},
            **more,
        },
    }
    person.api.post(f"{APPS}/{person.namespace}/{kind}", body)


def template(person: Person) -> Object:
    return {
        "containers": [
            {
                "name": "web",
                "image": person.cluster.images.pause,
                "env": [{"name": "COLOUR", "value": "blue"}],
                "volumeMounts": [{"name": "settings", "mountPath": "/settings"}],
            }
        ],
        "volumes": [{"name": "settings", "configMap": {"name": "settings"}}],
        "securityContext": {"runAsUser": 1234},
        "serviceAccountName": "web",
    }


def test_like_a_deployment(person: Person) -> None:
    core = f"/api/v1/namespaces/{person.namespace}"
    person.api.post(f"{core}/serviceaccounts", {"metadata": {"name": "web"}})
    person.api.post(f"{core}/configmaps", {"metadata": {"name": "settings"}, "data": {"a": "1"}})
    service = {"selector": {"app": "web"}, "ports": [{"port": 80}]}
    person.api.post(f"{core}/services", {"metadata": {"name": "web"}, "spec": service})
    workload(person, "deployments", template(person), replicas=0)
    running = person.start(
        "--like",
        "deployment/web",
        "--",
        "sh",
        "-c",
        "id -u; echo $COLOUR; cat /settings/a; echo; echo up >&2; sleep 100",
    )
    running.wait_for("up")
    assert running.stdout == "1234\nblue\n1\n"
    pod = person.pod()
    assert pod["metadata"]["labels"]["app"] == "web"
    assert pod["spec"]["serviceAccountName"] == "web"

    def seen() -> object:
        subsets = person.api.get(f"{core}/endpoints/web").get("subsets")
        return subsets and subsets[0].get("notReadyAddresses")

    wait_until(seen, "the service sees the pod")
    # It has the labels and gets no traffic.
    assert not person.api.get(f"{core}/endpoints/web")["subsets"][0].get("addresses")


def test_like_a_replica_set_that_would_adopt_it(person: Person) -> None:
    core = f"/api/v1/namespaces/{person.namespace}"
    person.api.post(f"{core}/serviceaccounts", {"metadata": {"name": "web"}})
    person.api.post(f"{core}/configmaps", {"metadata": {"name": "settings"}, "data": {"a": "1"}})
    workload(person, "replicasets", template(person), replicas=0)
    done = person.run("--like", "rs/web", "--", "sleep", "3")
    # It wants no pod: had it taken ours for one of its own, it would have deleted it.
    assert done.exit_code == 0, done.stderr


def test_like_the_place_and_the_rights(person: Person) -> None:
    core = f"/api/v1/namespaces/{person.namespace}"
    person.api.post(f"{core}/serviceaccounts", {"metadata": {"name": "web"}})
    person.api.post(f"{core}/configmaps", {"metadata": {"name": "settings"}, "data": {"a": "1"}})
    classes = "/apis/scheduling.k8s.io/v1/priorityclasses"
    rank = person.namespace
    person.api.post(classes, {"metadata": {"name": rank}, "value": 7})
    theirs = template(person)
    here = {"key": "kubernetes.io/os", "operator": "In", "values": ["linux"]}
    terms = {"nodeSelectorTerms": [{"matchExpressions": [here]}]}
    affinity = {"requiredDuringSchedulingIgnoredDuringExecution": terms}
    theirs |= {
        "priorityClassName": rank,
        "hostNetwork": True,
        "affinity": {"nodeAffinity": affinity},
        "initContainers": [{"name": "migrate", "image": person.cluster.images.pause}],
    }
    theirs["containers"][0] |= {"workingDir": "/tmp", "securityContext": {"runAsGroup": 4321}}  # noqa: S108  # in the pod
    workload(person, "deployments", theirs, replicas=0)
    try:
        running = person.start(
            "--like", "deployment/web", "--", "sh", "-c", "id -g; pwd; echo up >&2; sleep 100"
        )
        running.wait_for("up")
        assert running.stdout == "4321\n/tmp\n"
        told = (
            "not as in deployment/web: init containers (migrate), so what they prepare is missing"
        )
        assert told in running.stderr
        assert "privileged, user 1234" in running.stderr
        spec = person.pod()["spec"]
        assert (spec["priority"], spec["hostNetwork"]) == (7, True)
        assert spec["affinity"] == {"nodeAffinity": affinity}
    finally:
        person.api.delete(f"{classes}/{rank}")


def test_like_what_is_not_there(person: Person) -> None:
    done = person.run("--like", "deployment/none", "--", "true")
    assert (done.exit_code, 'deployments.apps "none" not found' in done.stderr) == (125, True)
    done = person.run("--like", "service/web", "--", "true")
    assert (done.exit_code, "statefulset" in done.stderr) == (125, True)
