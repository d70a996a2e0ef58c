"""agtool debug beside kubectl, on the cluster of the tests: `python -m bench.debug`.

The table goes to stdout, and with --write into docs/explanation/debug-pod.md.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import results
from bench.figures import against, in_turns, median_ratio, progress, put_into, ratio, table
from bench.versions import of_kubectl, of_server
from tests.cluster.build import programs
from tests.cluster.cluster import Cluster
from tests.cluster.given import given
from tests.cluster.instances import own_folder
from tests.cluster.server import Server
from tests.e2e.terminal import Terminal
from tests.programs import carry_out
from tests.servers.process import ServerUnavailable

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/explanation/debug-pod.md"

PROMPT = r"bash-[\d.]+[$#] "
MIB = 1024 * 1024
LOAD = 100 * MIB
"""Bytes that pass in one direction."""

AGTOOL = [sys.executable, "-m", "agtool", "debug"]


class Stage:
    """The cluster, and a pod in it for what needs no new one."""

    def __init__(self, cluster: Server, image: str) -> None:
        self.image = image
        self.kubectl = str(cluster.kubectl)
        self.env = {
            "KUBECONFIG": str(cluster.kubeconfig),
            "AGTOOL_DEBUG_IMAGE": image,
            "PATH": os.environ["PATH"],
        }
        self._numbers = iter(range(1, 1000))
        self.pod = ""

    @contextmanager
    def with_pod(self) -> Iterator[None]:
        """Keep a pod meanwhile."""
        argv = [*AGTOOL, "--keep", "--ttl", "30m"]
        told = subprocess.run(
            argv,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
        ).stderr
        found = re.search(r"\bdebug-[a-z0-9]{6}\b", told)
        assert found, told
        self.pod = found[0]
        try:
            yield
        finally:
            self.run(self.kubectl, "delete", "pod", self.pod, "--wait=false")

    def run(self, *argv: str, stdin: Path | None = None) -> None:
        """Run a command to its end; its output is thrown away."""
        with (stdin or Path(os.devnull)).open("rb") as source:
            done = subprocess.run(
                argv,
                env=self._environment(),
                stdin=source,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                check=False,
            )
        assert done.returncode == 0, f"{argv}: {done.stderr.decode(errors='replace')}"

    def prompt_of_agtool(self) -> float:
        """Seconds from Enter to the prompt."""
        began = time.monotonic()
        return self._prompt(AGTOOL, began)

    def prompt_of_kubectl(self) -> float:
        """The same with kubectl's three commands."""
        began = time.monotonic()
        name = self._made()
        took = self._prompt([self.kubectl, "exec", "-it", name, "--", "bash"], began)
        self.run(self.kubectl, "delete", "pod", name, "--wait=false")
        return took

    def gone_of_agtool(self) -> float:
        """Seconds from Enter until a command has run in a new pod, and the pod is removed."""
        return self._timed([*AGTOOL, "--", "true"])

    def gone_of_kubectl(self) -> float:
        """The same with kubectl's four commands. Both leave the kubelet's part to the kubelet."""
        began = time.monotonic()
        name = self._made()
        self.run(self.kubectl, "exec", name, "--", "true")
        self.run(self.kubectl, "delete", "pod", name, "--wait=false", "--grace-period=0")
        return time.monotonic() - began

    def list_of_agtool(self) -> float:
        """Seconds for the list of debug pods."""
        return self._timed([*AGTOOL, "--list"])

    def list_of_kubectl(self) -> float:
        """The same with kubectl."""
        return self._timed([self.kubectl, "get", "pods", "-l", "agtool/debug"])

    def out_of_agtool(self) -> float:
        """Seconds for 100 MiB out of a container."""
        return self._timed([*AGTOOL, "--attach", self.pod, "--", "head", "-c", str(LOAD), ZERO])

    def out_of_kubectl(self) -> float:
        """The same with kubectl."""
        return self._timed([self.kubectl, "exec", self.pod, "--", "head", "-c", str(LOAD), ZERO])

    def into_agtool(self, file: Path) -> float:
        """Seconds for 100 MiB into a container."""
        return self._timed([*AGTOOL, "--attach", self.pod, "--", "sh", "-c", SINK], file)

    def into_kubectl(self, file: Path) -> float:
        """The same with kubectl."""
        return self._timed([self.kubectl, "exec", "-i", self.pod, "--", "sh", "-c", SINK], file)

    def _made(self) -> str:
        """The name of a pod that kubectl has made, and that is ready."""
        name = f"bench-{os.getpid()}-{next(self._numbers)}"
        self.run(self.kubectl, "run", name, "--restart=Never", f"--image={self.image}")
        ready = "--for=condition=Ready"
        self.run(self.kubectl, "wait", ready, f"pod/{name}", "--timeout=60s")
        return name

    def _timed(self, argv: list[str], stdin: Path | None = None) -> float:
        began = time.monotonic()
        self.run(*argv, stdin=stdin)
        return time.monotonic() - began

    def _prompt(self, argv: list[str], began: float) -> float:
        terminal = Terminal(argv, self.env)
        try:
            terminal.expect(PROMPT)
            took = time.monotonic() - began
            terminal.type("exit\r")
            assert terminal.wait() == 0, terminal.text
        finally:
            terminal.kill()
        return took

    def _environment(self) -> dict[str, str]:
        return {**os.environ, **self.env}


ZERO = "/dev/zero"
SINK = f"head -c {LOAD} | wc -c"
"""Without any output of its own the command would end at once: containerd closes its input then."""


def ctrl_c(stage: Stage) -> float:
    """Seconds until Ctrl-C has reached a shell that floods us with output."""
    terminal = Terminal([*AGTOOL, "--attach", stage.pod], stage.env)
    try:
        terminal.expect(PROMPT)
        terminal.type(
            "trap 'echo $EPOCHREALTIME > /dev/shm/int' INT; while :; do echo flood; done\r"
        )
        terminal.expect("flood\r\n" * 1000)
        sent = time.time()
        terminal.type("\x03")
        give_up = time.monotonic() + 30
        while time.monotonic() < give_up:
            terminal.drain(0.3)
            argv = [stage.kubectl, "exec", stage.pod, "--", "cat", "/dev/shm/int"]  # noqa: S108
            env = {**os.environ, **stage.env}
            found = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
            if found.stdout:
                return float(found.stdout) - sent
        raise AssertionError("Ctrl-C did not arrive")
    finally:
        terminal.kill()


def measure(stage: Stage, rounds: int, folder: Path) -> str:
    """The table."""
    file = folder / "load"
    with file.open("wb") as sink:
        sink.truncate(LOAD)
    rows = []

    def add(
        what: str,
        ours: Callable[[], float],
        theirs: Callable[[], float],
        show: Callable[[float], str],
        aim: float,
    ) -> None:
        turns = rounds if show is seconds else max(3, rounds // 2)  # the load takes longest
        found = in_turns(what, turns, {"agtool": ours, "kubectl": theirs})
        agtool, kubectl = found["agtool"], found["kubectl"]
        measured = median_ratio(agtool, kubectl)
        rows.append(
            [
                what,
                show(statistics.median(agtool)),
                show(statistics.median(kubectl)),
                ratio(measured),
                against(f"{aim}", reached=measured <= aim),
            ]
        )
        progress(" | ".join(rows[-1]))

    def seconds(value: float) -> str:
        return f"{value:.2f} s"

    def speed(value: float) -> str:
        return f"{LOAD / MIB / value:.0f} MiB/s"

    add("Enter to prompt", stage.prompt_of_agtool, stage.prompt_of_kubectl, seconds, 0.9)
    add("Enter to pod gone", stage.gone_of_agtool, stage.gone_of_kubectl, seconds, 0.9)
    with stage.with_pod():
        add("list of debug pods", stage.list_of_agtool, stage.list_of_kubectl, seconds, 2.0)
        add("100 MiB out", stage.out_of_agtool, stage.out_of_kubectl, speed, 1.0)
        add(
            "100 MiB in",
            lambda: stage.into_agtool(file),
            lambda: stage.into_kubectl(file),
            speed,
            1.0,
        )
        delay = statistics.median(ctrl_c(stage) for _ in range(3))
    text = table(["", "agtool debug", "kubectl", "agtool / kubectl, time", "aim"], rows)
    return f"{text}\n\nCtrl-C reaches a shell that floods the terminal after {delay * 1000:.0f} ms."


@contextmanager
def cluster() -> Iterator[tuple[Server, str]]:
    """The cluster that is given, or one of our own; and an image with bash."""
    if there := given():
        yield there, there.images.bash
        return
    with own_folder() as folder:
        started = Cluster(folder, programs())
        started.start()
        yield started, started.images.bash


def main() -> int:
    """Measure; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.debug", description=__doc__)
    parser.add_argument("--write", action="store_true", help="into docs/explanation/debug-pod.md")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    load = os.getloadavg()[0]
    try:
        with cluster() as (server, image), own_folder() as folder:
            ran = f"Kubernetes {of_server(server)} and kubectl {of_kubectl(server.kubectl)}"
            text = measure(Stage(server, image), options.rounds, folder)
    except ServerUnavailable as error:
        progress(f"agtool debug cannot be measured here: {error}")
        return 0
    text += (
        f"\n\nMedians of {options.rounds} rounds in turns, of the load fewer, with bytecode and "
        f"images in place; a ratio is the median of those of neighbours. kubectl needs `run`, "
        f"`wait`, `exec` and `delete`. "
        f"{ran} on one machine with "
        f"{os.cpu_count()} processors."
    )
    print(text)
    if options.write:
        put_into(PAGE, text)
        results.keep("debug", text, load, [results.last_paragraph(text)])
    return 0


if __name__ == "__main__":
    carry_out(main, progress)
