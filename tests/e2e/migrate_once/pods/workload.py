"""A workload in a namespace of a test, whose pods migrate a database that they can reach."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from bundle.__main__ import image_name
from bundle.selection import SMALL
from tests.cluster.api import Api, Object
from tests.cluster.cluster import Cluster
from tests.e2e.conftest import Agtool, Done, wait_until
from tests.images.applications import Application
from tests.tools.target import PostgreSQLTarget

AGTOOL = image_name(SMALL)
"""The image with the folder."""

NAME = "shop"

STARTS = 180.0
"""Seconds for pods to start, on a machine that is busy."""

_RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "runAsUser": 1000660000,
    "seccompProfile": {"type": "RuntimeDefault"},
}

PLACES = {
    "Deployment": ("/apis/apps/v1", "deployments"),
    "StatefulSet": ("/apis/apps/v1", "statefulsets"),
    "DaemonSet": ("/apis/apps/v1", "daemonsets"),
    "ReplicaSet": ("/apis/apps/v1", "replicasets"),
    "Job": ("/apis/batch/v1", "jobs"),
    "CronJob": ("/apis/batch/v1", "cronjobs"),
    "Pod": ("/api/v1", "pods"),
}


def container(name: str, image: str, env: Mapping[str, str], **more: Any) -> Object:
    """A container that meets `restricted`, with a root that it cannot write to."""
    variables = [{"name": key, "value": value} for key, value in env.items()]
    return {
        "name": name,
        "image": image,
        "imagePullPolicy": "Never",
        "env": variables,
        "securityContext": _RESTRICTED,
        **more,
    }


def manifest(kind: str, spec: Object, replicas: int = 3) -> Object:
    """A workload of that kind with such pods."""
    labels = {"app": NAME}
    spec = {"terminationGracePeriodSeconds": 1, "automountServiceAccountToken": False, **spec}
    template = {"metadata": {"labels": labels}, "spec": spec}
    selector = {"selector": {"matchLabels": labels}, "template": template}
    job = {"parallelism": replicas, "completions": replicas, "template": template}
    if kind in ("Job", "CronJob"):
        spec["restartPolicy"] = "Never"
    inner: dict[str, Object] = {
        "Pod": spec,
        "Job": job,
        "CronJob": {"schedule": "* * * * *", "jobTemplate": {"spec": job}},
        "DaemonSet": selector,
        "StatefulSet": {
            **selector,
            "replicas": replicas,
            "serviceName": NAME,
            "podManagementPolicy": "Parallel",
        },
    }
    api = PLACES[kind][0].removeprefix("/apis/").removeprefix("/api/")
    metadata = {"name": NAME, **({"labels": labels} if kind == "Pod" else {})}
    body = inner.get(kind, {**selector, "replicas": replicas})
    return {"apiVersion": api, "kind": kind, "metadata": metadata, "spec": body}


_loaded: set[str] = set()
"""The images that the node has already. All tests of a session share a cluster."""


class Shop:
    """Somebody who runs a workload in one namespace, where `restricted` is enforced."""

    def __init__(
        self, agtool: Agtool, cluster: Cluster, namespace: str, api: Api, target: PostgreSQLTarget
    ) -> None:
        self._agtool = agtool
        self.cluster = cluster
        self.namespace = namespace
        self.api = api
        self.target = target
        self.kubeconfig: Path = cluster.kubeconfig
        labels = {"pod-security.kubernetes.io/enforce": "restricted"}
        api.patch(f"/api/v1/namespaces/{namespace}", {"metadata": {"labels": labels}})

    @property
    def env(self) -> dict[str, str]:
        """The variables of the application."""
        return {"DATABASE_URL": self.target.url}

    def inject(self, body: Object, *arguments: str) -> Object:
        """What `inject` makes of a manifest."""
        argv = [sys.executable, "-m", "agtool", "migrate-once", "inject"]
        own = [f"--image={AGTOOL}", "--database-url-env=DATABASE_URL"]
        done = subprocess.run(
            [*argv, *own, *arguments],
            input=json.dumps(body, indent=1),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        made: Object = json.loads(done.stdout)
        return made

    def apply(self, body: Object) -> None:
        """Create it."""
        group, plural = PLACES[body["kind"]]
        self.api.post(f"{group}/namespaces/{self.namespace}/{plural}", body)

    def status(self, *arguments: str, kind: str = "deployment") -> Done:
        """Run `status` of the workload to its end."""
        own = ("migrate-once", "status", f"{kind}/{NAME}", "-n", self.namespace)
        env = {"KUBECONFIG": str(self.kubeconfig)}
        return self._agtool.start(*own, *arguments, env=env).wait()

    def document(self, *arguments: str, kind: str = "deployment") -> Any:
        """The data that it prints for programs."""
        done = self.status("--output=json", *arguments, kind=kind)
        assert done.exit_code == 0, done.stdout + done.stderr
        return json.loads(done.stdout)["data"]

    def pods(self) -> list[Object]:
        """Those of the workload that are not ending."""
        path = f"/api/v1/namespaces/{self.namespace}/pods"
        found: list[Object] = self.api.get(path, labelSelector=f"app={NAME}")["items"]
        return [pod for pod in found if not pod["metadata"].get("deletionTimestamp")]

    def kubectl(self, *arguments: str) -> str:
        """What kubectl prints."""
        argv = [str(self.cluster.kubectl), "-n", self.namespace, *arguments]
        env = {**os.environ, "KUBECONFIG": str(self.cluster.kubeconfig)}
        done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What a query gives; nothing where its table is not there yet."""
        import psycopg2

        with suppress(psycopg2.errors.UndefinedTable):
            return self.target.rows(query)
        return []

    def runs(self) -> list[tuple[Any, ...]]:
        """The state, the place and the exit code of each run, the earliest first."""
        return self.rows(
            "SELECT state, place, exit_code FROM agtool.install_locks_runs "
            "WHERE state <> 'waiting' ORDER BY started_at"
        )

    def wait(self, true: Any, what: str, seconds: float = STARTS) -> None:
        """Wait until something is so; else tell what the pods say."""
        try:
            wait_until(true, what, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.told()}") from None

    def told(self) -> str:
        """What the pods and their containers say, for an error."""
        parts = []
        for pod in self.pods():
            statuses = pod["status"].get("initContainerStatuses", [])
            statuses += pod["status"].get("containerStatuses", [])
            for each in statuses:
                parts.append(f"{pod['metadata']['name']} {each['name']} {each['state']}")
                path = f"/api/v1/namespaces/{self.namespace}/pods/{pod['metadata']['name']}/log"
                with suppress(Exception):
                    parts.append(self.api.text(path, container=each["name"], tailLines=8))
        return "\n".join(parts)

    def winner(self) -> str:
        """The pod whose agtool holds the lock, as `status` tells it."""
        (name,) = [pod["pod"] for pod in self.document()["pods"] if pod["state"] == "working"]
        return str(name)

    def scale(self, replicas: int) -> None:
        """Change the number of the Deployment's pods."""
        path = f"/apis/apps/v1/namespaces/{self.namespace}/deployments/{NAME}"
        self.api.patch(path, {"spec": {"replicas": replicas}})

    def load(self, application: Application, folder: Path) -> None:
        """Let the node have the application's image."""
        if application.image not in _loaded:
            archive = folder / f"{application.name}.tar"
            application.write(archive)
            self.cluster.load(archive)
            archive.unlink()
            _loaded.add(application.image)

    def kill(self, pod: str) -> None:
        """End an agtool in a pod, and all that it has started, with SIGKILL, as one."""
        found = agtools(pod)
        assert found, f"no agtool of {pod} runs"
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in found:
                with suppress(ProcessLookupError):
                    os.kill(pid, number)


def agtools(pod: str) -> list[int]:
    """The processes of the agtools of a pod, and of their commands, by the variable POD_NAME."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            words = (entry.parent / "cmdline").read_bytes()
            # The application's own container has it as well, but no folder of agtool.
            if f"POD_NAME={pod}".encode() in entry.read_bytes().split(b"\0") and words:
                found.append(int(entry.parent.name))
    return found


def ready(pods: Sequence[Object], count: int = 3) -> bool:
    """Whether so many run, and all of their containers are ready."""
    return len(pods) == count and all(
        pod["status"]["phase"] == "Running"
        and all(
            each["ready"] for each in pod["status"].get("containerStatuses", [{"ready": False}])
        )
        for pod in pods
    )
