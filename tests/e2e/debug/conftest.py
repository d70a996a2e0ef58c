"""agtool debug on a real cluster: a person with a kubeconfig, in a namespace of the test."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.cluster.api import Api, Object
from tests.cluster.cluster import Cluster
from tests.e2e.conftest import Agtool, Done, Running, clean_environment, wait_until
from tests.e2e.terminal import Terminal

KIND = "agtool/debug"


class Person:
    """Somebody who uses agtool debug in one namespace."""

    def __init__(self, agtool: Agtool, cluster: Cluster, namespace: str, api: Api) -> None:
        self._agtool = agtool
        self._stack = ExitStack()
        self.cluster = cluster
        self.namespace = namespace
        self.api = api
        self.kubeconfig: Path = cluster.kubeconfig

    @property
    def env(self) -> dict[str, str]:
        """The settings with which agtool is started."""
        image = self.cluster.images.bash
        return {"KUBECONFIG": str(self.kubeconfig), "AGTOOL_DEBUG_IMAGE": image}

    def argv(self, *arguments: str | Path) -> list[str]:
        """A command line."""
        own = ("debug", "-n", self.namespace, *arguments)
        return [sys.executable, "-m", "agtool", *map(str, own)]

    def enforce(self, level: str) -> None:
        """Let the namespace enforce a level of the Pod Security Standards."""
        labels = {"pod-security.kubernetes.io/enforce": level}
        self.api.patch(f"/api/v1/namespaces/{self.namespace}", {"metadata": {"labels": labels}})

    def start(self, *arguments: str | Path, env: Mapping[str, str] | None = None) -> Running:
        """Start agtool debug, with nothing to read and no terminal."""
        more = {**self.env, **(env or {})}
        return self._agtool.start("debug", "-n", self.namespace, *arguments, env=more)

    def run(self, *arguments: str | Path, env: Mapping[str, str] | None = None) -> Done:
        """Run agtool debug to its end, likewise."""
        return self.start(*arguments, env=env).wait()

    def elsewhere(self, *arguments: str | Path) -> Done:
        """Run agtool debug without naming the namespace."""
        return self._agtool.start("debug", *arguments, env=self.env).wait()

    def piped(self, text: bytes, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        """Run agtool debug with something to read."""
        return subprocess.run(
            self.argv(*arguments),
            input=text,
            capture_output=True,
            env=clean_environment(self.env),
            timeout=90,
            check=False,
        )

    def terminal(self, *arguments: str | Path, size: tuple[int, int] = (24, 80)) -> Terminal:
        """Start agtool debug on a terminal with so many rows and columns."""
        return self.terminal_of(*self.argv(*arguments), size=size)

    def terminal_of(self, *command: str, size: tuple[int, int] = (24, 80)) -> Terminal:
        """Start a command line with agtool in it on a terminal."""
        argv = ["sh", "-c", f'stty rows {size[0]} cols {size[1]}; exec "$@"', "sh"]
        terminal = Terminal([*argv, *command], self.env)
        self._stack.callback(terminal.kill)
        return terminal

    def pods(self) -> list[Object]:
        """The debug pods in the namespace that are not ending."""
        path = f"/api/v1/namespaces/{self.namespace}/pods"
        items: list[Object] = self.api.get(path, labelSelector=KIND)["items"]
        return [pod for pod in items if not pod["metadata"].get("deletionTimestamp")]

    def pod(self) -> Object:
        """The only debug pod in the namespace."""
        (pod,) = self.pods()
        return pod

    def exec(self, pod: str, *command: str, container: str = "debug") -> str:
        """What a command prints in a container, run by kubectl: another client than ours."""
        argv = [str(self.cluster.kubectl), "-n", self.namespace, "exec", pod]
        argv += ["-c", container, "--", *command]
        env = {**os.environ, "KUBECONFIG": str(self.cluster.kubeconfig)}
        done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
        return done.stdout

    def nothing_is_left(self) -> None:
        """Check that no debug pod is there any more, nor a Job or ConfigMap of one."""
        for group, resource in (("api", "pods"), ("apis/batch", "jobs"), ("api", "configmaps")):
            path = f"/{group}/v1/namespaces/{self.namespace}/{resource}"

            def gone(path: str = path) -> bool:
                return not self.api.get(path, labelSelector=KIND)["items"]

            wait_until(gone, f"{resource} are gone")

    def close(self) -> None:
        self._stack.close()


@pytest.fixture
def person(agtool: Agtool, cluster: Cluster, namespace: str) -> Iterator[Person]:
    """Give somebody who may do everything, in a namespace of the test."""
    with cluster.connect() as api:
        somebody = Person(agtool, cluster, namespace, api)
        try:
            yield somebody
        finally:
            somebody.close()


@pytest.fixture
def workload(person: Person) -> Callable[[Object, str, Sequence[str]], None]:
    """Give the function that makes an object, and returns when its pods run."""

    def make(body: Object, group: str, resource: Sequence[str]) -> None:
        person.api.post(f"{group}/namespaces/{person.namespace}/{resource}", body)

    return make


def name_in(text: str) -> str:
    """The name of the debug pod of which agtool told."""
    found = re.search(r"\bdebug-[a-z0-9]{6}\b", text)
    assert found, text
    return found[0]
