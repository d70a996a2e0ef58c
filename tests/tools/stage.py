"""Replicas of an application whose init container is the one of a tool's page."""

import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.e2e.conftest import Agtool, Done, Running
from tests.tools import installed
from tests.tools.page import Page, expanded
from tests.tools.project import write_project
from tests.tools.target import Target

# Seconds for anything that should come to its end: a JVM on a busy machine, behind a killed run.
PATIENCE = 300.0


class Replica:
    """A pod's init container that runs, or ran."""

    def __init__(self, running: Running, result: Path) -> None:
        self.running = running
        self._result = result

    def end(self) -> Done:
        """Return how it ended, when it has."""
        return self.running.wait(PATIENCE)

    @property
    def outcome(self) -> str:
        """What its result file says: ran, already-done, and so on."""
        return str(self.result["outcome"])

    @property
    def result(self) -> Any:
        """What its result file holds."""
        return json.loads(self._result.read_text())["data"]

    def kill(self) -> None:
        """End all of its processes with SIGKILL, as one: none sees another go."""
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in self.running.processes():
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
        self.running.kill()


class Stage:
    """One database, the tool's image at some release, and the replicas that start from it.

    Attributes:
        project: the folder with the application's files, which is WORKDIR.
        heading: that of the init container in the page.
        secret: the URL, in the form in which the application has it.
        env: what the image and the Secret have besides what the page says.
    """

    def __init__(
        self, tool: str, target: Target, agtool: Agtool, folder: Path, secret: str
    ) -> None:
        self.page = Page(tool)
        self.heading = "The init container"
        self.target = target
        self.secret = secret
        self.env: dict[str, str] = {}
        self.project = folder / "project"
        self._tool = tool
        self._agtool = agtool
        self._folder = folder
        self._started = 0
        self.release = 0
        bin_folder = folder / "bin"
        bin_folder.mkdir()
        (bin_folder / "agtool").symlink_to(Path(sys.executable).with_name("agtool"))
        self._installed = installed.installed(tool)
        self.path = [bin_folder, *installed.programs(self._installed)]

    def build(self, release: int) -> None:
        """Make the image of a release: the files of the project and of all releases up to it."""
        target = self.target
        write_project(self._tool, target.engine, target.statements, release, self.project)
        if (modules := self._installed / "node_modules").is_dir():
            # Node looks for them beside the application's files and nowhere else.
            (self.project / "node_modules").symlink_to(modules)
        self.release = release

    def start(
        self,
        *,
        command: Sequence[str] = (),
        key: str = "",
        env: Mapping[str, str] | None = None,
    ) -> Replica:
        """Start a replica.

        command: in the place of the page's; key: in that of its release's; env: besides the page's.
        """
        container = self.page.container(self.heading)
        self._started += 1
        result = self._folder / f"result-{self._started}.json"
        given = {
            **self.environment(),
            **container.env,
            **self.env,
            **(env or {}),
            "AGTOOL_KEY": key or f"example.com/shop:1.4.{self.release}",
            "POD_NAME": f"shop-{self._started}",
            "AGTOOL_RESULT_FILE": str(result),
        }
        given = {name: expanded(value, given) for name, value in given.items()}
        words = [expanded(word, given) for word in command or container.command]
        return Replica(self._run(words, given), result)

    def rollout(
        self,
        replicas: int = 3,
        *,
        command: Sequence[str] = (),
        key: str = "",
        env: Mapping[str, str] | None = None,
    ) -> list[Replica]:
        """Start so many replicas at once, as by `start`, and return them when all have ended."""
        started = [self.start(command=command, key=key, env=env) for _ in range(replicas)]
        for replica in started:
            replica.end()
        return started

    def shell(self, script: str) -> Done:
        """Run lines of a shell in a container of the image, with the Secret, to their end."""
        return self._run(["sh", "-euc", script], self.environment()).wait(PATIENCE)

    def environment(self) -> dict[str, str]:
        """What every container of the image has."""
        path = os.pathsep.join([*map(str, self.path), os.environ["PATH"]])
        return {"PATH": path, "DATABASE_URL": self.secret, **self.page.image_env(), **self.env}

    def _run(self, command: Sequence[str], env: Mapping[str, str]) -> Running:
        # WORKDIR of the image. PATH is the container's, so `agtool` is looked for there.
        program = ["sh", "-c", 'cd "$0" && exec "$@"', str(self.project), command[0]]
        return self._agtool.start(*command[1:], env=env, program=program)
