"""The self-contained folder beside the installed agtool, and in pods: `python -m bench.bundle`.

The tables go to stdout, and with --write into docs/explanation/bundle.md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from bench.costs import compare, runs, wall
from bench.figures import (
    Aim,
    aims_table,
    in_turns,
    median,
    median_ratio,
    progress,
    put_into,
    ratio,
    table,
)
from bench.processes import Processes
from bench.stage import Stage
from bench.versions import of_server
from bundle.__main__ import image_name
from bundle.selection import FULL, SMALL
from tests import bundles
from tests.cluster.build import programs
from tests.cluster.cluster import Cluster
from tests.cluster.instances import own_folder
from tests.programs import carry_out
from tests.servers.postgresql import PostgreSQL
from tests.servers.process import ServerUnavailable, server_folder

PAGE = Path(__file__).parents[1] / "docs/explanation/bundle.md"

AIM = 1.1
"""The folder's time to the installed program's, at most."""

PATIENCE = 120.0
"""Seconds for a pod to end."""


def starts(stage: Stage, folder: Path, rounds: int) -> str:
    """Start-up and the fast path, beside the installed program; what was to be reached."""
    done = ("migrate-once", "--key", "done", "--", "true")
    stage.processes.run(stage.agtool(*done), stage.env)
    parts, aims = [], []
    for what, words in (
        ("`agtool version`", ["version"]),
        ("`agtool migrate-once --key KEY -- true`, KEY done before", done),
    ):
        costs = in_turns(
            what,
            rounds,
            runs(stage, folder=[folder / "agtool", *words], installed=stage.agtool(*words)),
        )
        names = {"folder": f"{what}: the folder", "installed": "the installed program"}
        parts.append(compare(names, costs))
        measured = median_ratio(wall(costs["folder"]), wall(costs["installed"]))
        told = f"{what}, the folder / installed, wall: {AIM} or less"
        aims.append(Aim(told, ratio(measured), measured <= AIM))
    return "\n\n".join([aims_table(aims), *parts])


def sizes() -> str:
    """What the folders take, on disk and as archives."""
    rows = []
    for selection in (SMALL, FULL):
        (archive,) = bundles.made(selection).glob("*.tar.gz")
        with own_folder() as place:
            files = [path for path in bundles.unpack(place, selection).rglob("*") if path.is_file()]
            unpacked = sum(path.stat().st_size for path in files)
        packed = archive.stat().st_size
        rows.append([f"`{selection.name}`", f"{unpacked / 1e6:.1f} MB", f"{packed / 1e6:.1f} MB"])
    return table(["", "on disk", "tar.gz"], rows)


@dataclass
class Pods:
    """Pods with an init container whose command tells the time."""

    cluster: Cluster
    namespace: str
    url: str
    number: int = 0

    def bare(self) -> float:
        """Seconds from the pod's creation to the command's first line, without agtool."""
        pod = self._pod()
        (main,) = pod["spec"]["containers"]
        pod["spec"]["initContainers"] = [{**main, "name": "agtool-migrate-once"}]
        return self._run(pod)

    def with_agtool(self, method: str) -> float:
        """The same, injected."""
        pod = self._pod()
        image = image_name(SMALL)
        done = subprocess.run(
            [
                *(sys.executable, "-m", "agtool", "migrate-once", "inject", "--image", image),
                *("--method", method, "--key", pod["metadata"]["name"]),
                *("--", "cat", "/proc/uptime"),
            ],
            input=json.dumps(pod),
            capture_output=True,
            text=True,
            check=True,
        )
        return self._run(json.loads(done.stdout))

    def _pod(self) -> dict[str, Any]:
        self.number += 1
        main = {
            "name": "main",
            "image": self.cluster.images.bash,
            "imagePullPolicy": "Never",
            "command": ["cat", "/proc/uptime"],
            "env": [{"name": "DATABASE_URL", "value": self.url}],
        }
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": f"bench-{self.number}"},
            "spec": {"restartPolicy": "Never", "containers": [main]},
        }

    def _run(self, pod: Mapping[str, Any]) -> float:
        pods = f"/api/v1/namespaces/{self.namespace}/pods"
        name = pod["metadata"]["name"]
        with self.cluster.connect() as api:
            # /proc/uptime has this clock.
            began = time.clock_gettime(time.CLOCK_BOOTTIME)
            api.post(pods, pod)
            give_up = time.monotonic() + PATIENCE
            while (phase := api.get(f"{pods}/{name}")["status"]["phase"]) != "Succeeded":
                assert phase != "Failed", api.get(f"{pods}/{name}")
                assert time.monotonic() < give_up, api.get(f"{pods}/{name}")
                time.sleep(0.1)
            said = api.text(f"{pods}/{name}/log", container="agtool-migrate-once")
            api.delete(f"{pods}/{name}")
        # agtool's own lines have no figure at their beginning.
        (line,) = [line for line in said.splitlines() if line[:1].isdecimal()]
        return float(line.split()[0]) - began


def in_pods(pods: Pods, rounds: int) -> str:
    """The time from a pod's creation to the command's first line, by each method."""
    names = {"bare": "a bare init container", "copy": "`copy`", "image-volume": "`image-volume`"}
    methods = {name: partial(pods.with_agtool, name) for name in names if name != "bare"}
    contestants: dict[str, Callable[[], float]] = {"bare": pods.bare, **methods}
    found = in_turns("pods", rounds, contestants)
    rows = [
        [names[name], median(times), ratio(median_ratio(times, found["bare"]))]
        for name, times in found.items()
    ]
    return table(["", "creation to the command's first line", "to a bare one"], rows)


@contextmanager
def cluster(postgresql: Path) -> Iterator[Pods]:
    """A cluster that has the image, and a database that pods can reach."""
    with own_folder() as folder:
        started = Cluster(folder, programs())
        started.start()
        started.load(bundles.image())
        with PostgreSQL(postgresql, listen=started.outside) as server:
            yield Pods(started, "default", server.url("app"))


def measure(folder: Path, rounds: int, pods: int) -> str:
    """The text of the page."""
    unpacked = bundles.unpack(folder / "bundle")
    settings = {"track_commit_timestamp": "on"}
    with PostgreSQL(folder / "server", settings=settings) as server, Processes(folder) as processes:
        stage = Stage(server, processes, folder)
        stage.create_recipe_table()
        text = f"{starts(stage, unpacked, rounds)}\n\n{sizes()}"
    with cluster(folder / "for-pods") as place:
        text += f"\n\n{in_pods(place, pods)}"
        version = of_server(place.cluster)
    return (
        f"{text}\n\nMedians of {rounds} rounds in turns, in pods of {pods}, with images in place. "
        f"Kubernetes {version} on one machine with {os.cpu_count()} processors."
    )


def main() -> int:
    """Measure; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.bundle", description=__doc__)
    parser.add_argument("--write", action="store_true", help="into docs/explanation/bundle.md")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--pods", type=int, default=7)
    options = parser.parse_args()
    try:
        with server_folder() as folder:
            text = measure(folder, options.rounds, options.pods)
    except ServerUnavailable as error:
        progress(f"the folder cannot be measured here: {error}")
        return 0
    print(text)
    if options.write:
        put_into(PAGE, text)
    return 0


if __name__ == "__main__":
    carry_out(main, progress)
