"""One pod of a workload, and a copy of one."""

import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

from tests.cluster.api import Object, Refused
from tests.e2e.conftest import wait_until
from tests.e2e.debug.conftest import Person, name_in
from tests.e2e.debug.webhook import Webhook

LABELS = {"app": "web"}
WHO = ("--", "hostname")


def template(person: Person, **more: object) -> Object:
    web = {"name": "web", "image": person.cluster.images.busybox, "command": ["sleep", "600"]}
    spec = {"containers": [web], "terminationGracePeriodSeconds": 0, **more}
    return {"metadata": {"labels": LABELS}, "spec": spec}


def make(
    person: Person, group: str, kind: str, spec: Object, *, pods: int, phase: str = "Running"
) -> list[str]:
    """Make a workload `web`; the names of its pods, which run."""
    person.api.post(
        f"/apis/{group}/namespaces/{person.namespace}/{kind}",
        {"metadata": {"name": "web"}, "spec": spec},
    )
    path = f"/api/v1/namespaces/{person.namespace}/pods"

    def running() -> list[str]:
        return [
            pod["metadata"]["name"]
            for pod in person.api.get(path)["items"]
            if pod["status"]["phase"] == phase
        ]

    wait_until(lambda: len(running()) == pods, f"{pods} pods are {phase}")
    return sorted(running())


def beside(stderr: str) -> str:
    """The pod in which a container was added."""
    return stderr.partition(" in pod ")[2].partition(",")[0]


def test_a_deployment(person: Person) -> None:
    spec = {"replicas": 2, "selector": {"matchLabels": LABELS}, "template": template(person)}
    first, second = make(person, "apps/v1", "deployments", spec, pods=2)
    done = person.run("--target", "deployment/web", "--", "true")
    assert done.exit_code == 125
    assert f"deployment/web has 2 pods: {first}, {second}" in done.stderr
    done = person.run("--target", "deploy/web", "--pod-index", "1", "--", "true")
    assert (done.exit_code, beside(done.stderr)) == (0, second), done.stderr
    done = person.run("--target", "deploy/web", "--pod-index", "2", "--", "true")
    assert (done.exit_code, "has no pod with --pod-index 2" in done.stderr) == (125, True)
    terminal = person.terminal("--target", "deployment/web")
    terminal.expect(r"which pod of deployment/web\? \[0-1\]")
    terminal.type("x\r")
    terminal.expect(r"which pod of deployment/web\? \[0-1\]")
    terminal.type("0\r")
    terminal.expect(r"[$#] ")
    terminal.type("echo in-$(hostname)\r")
    terminal.expect(f"in-{first}")
    terminal.type("exit 4\r")
    assert terminal.wait() == 4
    # A debug pod like them has their labels, and is none of them.
    running = person.start("--like", "deployment/web", "--", "sh", "-c", "echo up >&2; sleep 60")
    running.wait_for("up")
    done = person.run("--target", "deploy/web", "--", "true")
    assert "has 2 pods" in done.stderr


def test_a_stateful_set(person: Person) -> None:
    spec = {
        "replicas": 2,
        "serviceName": "web",
        "podManagementPolicy": "Parallel",
        "selector": {"matchLabels": LABELS},
        "template": template(person),
        "ordinals": {"start": 3},
    }
    make(person, "apps/v1", "statefulsets", spec, pods=2)
    done = person.run("--target", "sts/web", "--pod-index", "4", *WHO)
    assert done.stdout == "web-4\n", done.stderr
    done = person.run("--target", "sts/web", "--pod-index", "0", *WHO)
    assert (done.exit_code, "It has web-3, web-4." in done.stderr) == (125, True), done.stderr


def test_a_job_and_a_cron_job(person: Person) -> None:
    job = {"template": template(person, restartPolicy="Never")}
    (name,) = make(person, "batch/v1", "jobs", job, pods=1)
    done = person.run("--target", "job/web", *WHO)
    assert done.stdout == f"{name}\n", done.stderr
    job_template = {"spec": job}
    body = {"schedule": "0 0 1 1 *", "jobTemplate": job_template}
    path = f"/apis/batch/v1/namespaces/{person.namespace}"
    made = person.api.post(f"{path}/cronjobs", {"metadata": {"name": "nightly"}, "spec": body})
    done = person.run("--target", "cj/nightly", "--", "true")
    assert (done.exit_code, "cronjob/nightly has no pod that runs" in done.stderr) == (125, True)
    # As its controller does it at the hour.
    owner = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "name": "nightly",
        "uid": made["metadata"]["uid"],
        "controller": True,
    }
    metadata = {"name": "nightly-1", "ownerReferences": [owner]}
    person.api.post(f"{path}/jobs", {"metadata": metadata, "spec": job})

    def found() -> bool:
        done = person.run("--target", "cronjob/nightly", *WHO)
        return done.exit_code == 0 and done.stdout.startswith("nightly-1-")

    wait_until(found, "a pod of the cron job runs")
    done = person.run("--like", "cronjob/nightly", "--", "true")
    assert done.exit_code == 0, done.stderr


@contextmanager
def rollouts(person: Person) -> Iterator[None]:
    """Let the cluster know Rollouts, as it does with Argo Rollouts, whose controller is missing."""
    group = "argoproj.io"
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {
        "name": "v1alpha1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
    }
    names = {"plural": "rollouts", "singular": "rollout", "kind": "Rollout"}
    spec = {"group": group, "scope": "Namespaced", "names": names, "versions": [version]}
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    try:
        person.api.post(path, {"metadata": {"name": f"rollouts.{group}"}, "spec": spec})
    except Refused as refused:
        # A server that has much to do makes it, says that it did not, and is asked again.
        if refused.status != 409:
            raise
    try:

        def served() -> bool:
            groups = person.api.get("/apis")["groups"]
            return any(one["name"] == group for one in groups)

        wait_until(served, "rollouts are served")
        yield
    finally:
        person.api.delete(f"{path}/rollouts.{group}")


def test_a_rollout_where_there_are_none(person: Person) -> None:
    # Other tests on this cluster make the kind, and leave it.
    kind = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/rollouts.argoproj.io"
    if person.api.exists(kind):
        person.api.delete(kind)
    served = f"/apis/argoproj.io/v1alpha1/namespaces/{person.namespace}/rollouts"
    wait_until(lambda: not person.api.exists(served), "rollouts are not served")
    done = person.run("--like", "rollout/web", "--", "true")
    assert done.exit_code == 125
    assert "there is no rollout/web: this cluster has no rollouts" in done.stderr


def test_a_job_that_has_completed(person: Person) -> None:
    spec = template(person, restartPolicy="Never")
    spec["spec"]["containers"][0]["command"] = ["true"]
    (name,) = make(person, "batch/v1", "jobs", {"template": spec}, pods=1, phase="Succeeded")
    done = person.run("--copy", "--target", "job/web", "--", "true")
    assert (done.exit_code, f"{name} completed" in done.stderr) == (125, True), done.stderr
    line = re.search(r"agtool debug (.*--copy --target pod/\S+)", done.stderr)
    assert line
    done = person.run(*shlex.split(line[1]), "--", "echo", "ran")
    assert (done.exit_code, done.stdout) == (0, "ran\n"), done.stderr


def test_a_rollout(person: Person) -> None:
    spec = {"replicas": 1, "selector": {"matchLabels": LABELS}, "template": template(person)}
    # Its controller makes replica sets, as a deployment's does.
    (name,) = make(person, "apps/v1", "replicasets", spec, pods=1)
    with rollouts(person):
        path = f"/apis/argoproj.io/v1alpha1/namespaces/{person.namespace}/rollouts"
        kinds = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout"}

        def made() -> bool:
            body = {**kinds, "metadata": {"name": "web"}, "spec": spec}
            return bool(person.api.post(path, body))

        wait_until(made, "a rollout can be made")
        done = person.run("--target", "rollout/web", *WHO)
        assert done.stdout == f"{name}\n", done.stderr
        done = person.run("--like", "rollout/web", "--", "true")
        assert done.exit_code == 0, done.stderr


def crashing(person: Person) -> Object:
    """A pod that crashes, behind a service, with an init container that it needs."""
    image = person.cluster.images.busybox
    mount = [{"name": "work", "mountPath": "/work"}]
    return {
        "metadata": {"name": "web-0", "labels": LABELS},
        "spec": {
            "initContainers": [
                {
                    "name": "prepare",
                    "image": image,
                    "command": ["sh", "-c", "echo ready >/work/state"],
                    "volumeMounts": mount,
                }
            ],
            "containers": [
                {
                    "name": "web",
                    "image": image,
                    "command": ["sh", "-c", "exit 3"],
                    "env": [{"name": "COLOUR", "value": "blue"}],
                    "volumeMounts": mount,
                    "readinessProbe": {"exec": {"command": ["true"]}},
                    "securityContext": {"runAsUser": 1234},
                },
                {"name": "side", "image": image, "command": ["sleep", "600"]},
            ],
            "volumes": [{"name": "work", "emptyDir": {}}],
        },
    }


def test_a_copy_of_a_pod_that_crashes(person: Person) -> None:
    core = f"/api/v1/namespaces/{person.namespace}"
    person.api.post(f"{core}/pods", crashing(person))

    def crashed() -> bool:
        status = person.api.get(f"{core}/pods/web-0")["status"]
        return any(one["restartCount"] for one in status.get("containerStatuses", ()))

    wait_until(crashed, "web-0 crashes")
    done = person.run("--target", "pod/web-0", "-c", "web", "--", "true")
    assert "--copy --target pod/web-0" in done.stderr, done.stdout
    script = "id -u; cat /work/state; echo $COLOUR; echo up >&2; sleep 600"
    running = person.start("--copy", "--target", "pod/web-0", "--", "sh", "-c", script)
    running.wait_for("up\n")
    assert running.stdout == "1234\nready\nblue\n", running.stderr
    copied = person.pod()
    assert name_in(running.stderr) == copied["metadata"]["name"]
    assert "Its own program, which is not started: sh -c 'exit 3'\n" in running.stderr
    assert "app" not in copied["metadata"]["labels"]
    containers = copied["spec"]["containers"]
    assert [one["name"] for one in containers] == ["debug", "side"]
    assert "readinessProbe" not in containers[0]
    assert containers[0]["image"] == person.cluster.images.busybox
    running.kill()
    assert person.run("--cleanup", "-o", "name").stdout == f"{name_in(running.stderr)}\n"
    person.nothing_is_left()
    terminal = person.terminal("--copy", "--target", "pod/web-0", "--root")
    terminal.expect(r"# ")
    terminal.type("id -u; exit 6\r")
    assert terminal.wait() == 6
    person.nothing_is_left()
    done = person.run("--copy", "--target", "pod/none", "--", "true")
    assert (done.exit_code, 'pods "none" not found' in done.stderr) == (125, True)


def test_a_target_that_ends_meanwhile(person: Person, tmp_path: Path) -> None:
    image = person.cluster.images.busybox
    path = f"/api/v1/namespaces/{person.namespace}/pods"
    wait = ["sh", "-c", "until [ -e /dev/shm/end ]; do sleep 0.1; done"]
    containers = [
        {"name": "web", "image": image, "command": wait},
        {"name": "side", "image": image, "command": ["sleep", "600"]},
    ]
    spec = {"restartPolicy": "Never", "containers": containers, "terminationGracePeriodSeconds": 0}
    person.api.post(path, {"metadata": {"name": "web-0"}, "spec": spec})

    def states() -> set[str]:
        status = person.api.get(f"{path}/web-0")["status"]
        return {key for one in status.get("containerStatuses", ()) for key in one["state"]}

    asked, wanted = Event(), Event()

    def end() -> None:
        asked.set()
        if wanted.is_set() and "terminated" not in states():
            person.exec("web-0", "touch", "/dev/shm/end", container="web")  # noqa: S108
            wait_until(lambda: "terminated" in states(), "the target has ended")

    wait_until(lambda: states() == {"running"}, "both run")
    # It runs when it is looked at, and has ended when the container beside it is to start.
    with Webhook(
        person.cluster,
        person.api,
        person.namespace,
        [],
        tmp_path,
        resource=("", "pods/ephemeralcontainers"),
        operation="UPDATE",
        meanwhile=end,
    ):
        run = ("--target", "pod/web-0", "-c", "web", "--", "true")
        wait_until(lambda: not person.run(*run).exit_code and asked.is_set(), "it is asked")
        wanted.set()
        done = person.run(*run)
    assert done.exit_code == 125
    assert "container web of pod web-0 does not run: it ended meanwhile: " in done.stderr
    assert f"-n {person.namespace} --copy --target pod/web-0" in done.stderr


def test_all_namespaces(person: Person) -> None:
    running = person.start("--", "sh", "-c", "echo up >&2; sleep 600")
    running.wait_for("up\n")
    running.kill()
    ours = f"{person.namespace}/{name_in(running.stderr)}"
    # Without a namespace of its own in the command line, as -A and -n do not go together.
    listed = person.elsewhere("--list", "-A", "-o", "name")
    assert ours in listed.stdout.splitlines(), listed.stderr
    table = person.elsewhere("--list", "-A").stdout
    assert "NAMESPACE" in table
