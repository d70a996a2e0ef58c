"""`agtool ci-nodepool` beside kubectl; costs of watch and check: `python -m bench.ci_nodepool`.

Both taint the same nodes of the same API server, in turns; with a proxy before it that holds each
request for 20 ms, too. The figures go to stdout, and with --write into
docs/reference/ci-nodepool.md.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from bench import results
from bench.figures import (
    against,
    in_turns,
    median_ratio,
    paragraph,
    progress,
    put_into,
    ratio,
    seconds,
    table,
)
from bench.versions import of_kubectl, of_server
from tests.cluster.build import programs
from tests.cluster.control_plane import ControlPlane, loopback
from tests.cluster.instances import own_folder
from tests.cluster.nodes import FakeNodes
from tests.cluster.proxy import ApiProxy
from tests.programs import carry_out

PAGE = Path(__file__).parents[1] / "docs/reference/ci-nodepool.md"
RELEASE = Path(__file__).parents[1] / "tests/cases/ci_nodepool/helmrelease.yaml"

SELECTOR = "bench=yes"
TAINT = "dedicated=ci:NoSchedule"

LATENCY = 0.02
AIMS = {0.0: 3, LATENCY: 12}
"""How many times faster than kubectl, by latency in seconds."""


class Cost(NamedTuple):
    """What a process cost: seconds, seconds of its own CPU, and peak memory in bytes."""

    wall: float
    cpu: float
    memory: int


# Peak memory is handed on at exec: what this bench starts itself would have the bench's at least.
MEASURE = """
import os, subprocess, sys
child = subprocess.Popen(sys.argv[2:])
_, status, usage = os.wait4(child.pid, 0)
with open(sys.argv[1], "w") as told:
    print(usage.ru_utime + usage.ru_stime, usage.ru_maxrss, file=told)
os._exit(os.waitstatus_to_exitcode(status))
"""


def run(argv: Sequence[str | Path], kubeconfig: Path, *, wanted: int = 0) -> Cost:
    """Run a program to its end, which must be `wanted`."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as output:
        told = Path(folder, "told")
        began = time.monotonic()
        code = subprocess.call(
            [sys.executable, "-ISc", MEASURE, told, *argv],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, "KUBECONFIG": str(kubeconfig)},
        )
        wall = time.monotonic() - began
        output.seek(0)
        assert code == wanted, output.read().decode(errors="replace")[-2000:]
        cpu, memory = told.read_text(encoding="utf-8").split()
    return Cost(wall, float(cpu), int(memory) * 1024)


AGTOOL = (sys.executable, "-m", "agtool", "ci-nodepool")


def contestants(kubectl: Path, kubeconfig: Path, direct: Path) -> dict[str, Callable[[], Cost]]:
    """Each taints all nodes, which have no taint when it begins and when it has ended."""

    def measured(argv: Sequence[str]) -> Callable[[], Cost]:
        def measure() -> Cost:
            cost = run(argv, kubeconfig)
            run((*AGTOOL, "untaint", "-l", SELECTOR, "dedicated-", "--yes"), direct)
            return cost

        return measure

    found = {"agtool": measured((*AGTOOL, "taint", "-l", SELECTOR, TAINT, "--yes"))}
    found["kubectl"] = measured((str(kubectl), "taint", "nodes", "-l", SELECTOR, TAINT))
    return found


def measure(nodes: int, rounds: dict[float, int]) -> str:
    """The section of the page."""
    load = os.getloadavg()[0]
    rows = []
    with own_folder() as folder, tempfile.TemporaryDirectory() as scratch:
        plane = ControlPlane(folder, programs(), loopback())
        progress("starting etcd and kube-apiserver")
        plane.start()
        machine = _machine(load, plane)
        looked = measure_status(plane)
        with FakeNodes(plane) as fake, ApiProxy(plane.kubeconfig, Path(scratch)) as proxy:
            progress(f"making {nodes:,} nodes")
            fake.make(nodes, {"bench": "yes"})
            proxy.latency = LATENCY
            for latency, times in rounds.items():
                kubeconfig = proxy.kubeconfig if latency else plane.kubeconfig
                of = contestants(plane.kubectl, kubeconfig, plane.kubeconfig)
                what = f"{latency * 1000:.0f} ms latency"
                costs = in_turns(what, times, of, warm_up=False)
                rows.append([what, *_cells(latency, costs)])
            watched = measure_watch(nodes, plane)
    heads = ["", "agtool", "kubectl", "kubectl / agtool", "aim", "peak memory", "kubectl's"]
    return "\n\n".join(
        (
            paragraph(
                f"Tainting {nodes:,} nodes, by `agtool ci-nodepool taint -l` and by "
                "`kubectl taint nodes -l`, on the same API server, in turns; medians of "
                f"{' and '.join(map(str, rounds.values()))} rounds. API server, etcd, proxy and "
                "client share the machine."
            ),
            table(heads, rows),
            looked,
            watched,
            paragraph(machine),
        )
    )


STATUS_AIM = 2
"""How often the time of kubectl `status` may take."""


def measure_status(plane: ControlPlane, rounds: int = 11) -> str:
    """The table about `status` of a small cluster, beside kubectl's look at the same."""
    seen = (str(plane.kubectl), "get", "nodes,deployments,configmaps", "-A")
    status = (*AGTOOL, "status", "-l", SELECTOR)
    with FakeNodes(plane) as fake:
        fake.make(3, {"bench": "yes"})
        of = {
            "agtool": lambda: run(status, plane.kubeconfig),
            "kubectl": lambda: run(seen, plane.kubeconfig),
        }
        costs = in_turns("status", rounds, of)
    ours, theirs = ([cost.wall for cost in costs[name]] for name in ("agtool", "kubectl"))
    measured = median_ratio(ours, theirs)
    row = [
        "`status` of three nodes",
        seconds(statistics.median(ours)),
        seconds(statistics.median(theirs)),
        ratio(measured),
        against(f"{STATUS_AIM}", reached=measured <= STATUS_AIM),
    ]
    return "\n\n".join(
        (
            paragraph("A small cluster, beside `kubectl get nodes,deployments,configmaps -A`:"),
            table(["", "agtool", "kubectl", "agtool / kubectl", "aim"], [row]),
        )
    )


WATCHED = 64
"""MiB that `watch` may take at its peak."""


def measure_watch(nodes: int, plane: ControlPlane) -> str:
    """The table about `watch`, which finds all nodes without their taint."""
    progress("watching them")
    began = time.monotonic()
    with subprocess.Popen(
        [*AGTOOL, "watch", "-l", SELECTOR, TAINT],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "KUBECONFIG": str(plane.kubeconfig)},
    ) as running:
        assert running.stderr is not None
        left = nodes
        for line in running.stderr:
            left -= "+ taint" in line
            if not left:
                break
        assert not left, "it has ended before"
        took = time.monotonic() - began
        status = Path(f"/proc/{running.pid}/status").read_text(encoding="utf-8")
        running.terminate()
    peak = int(status.partition("VmHWM:")[2].split()[0]) / 1024
    run((*AGTOOL, "untaint", "-l", SELECTOR, "dedicated-", "--yes"), plane.kubeconfig)
    row = [
        f"`watch` of {nodes:,} nodes",
        f"{peak:.0f} MiB",
        against(f"{WATCHED} MiB", reached=peak <= WATCHED),
        seconds(took),
    ]
    return "\n\n".join(
        (
            paragraph("The same nodes, all without their taint:"),
            table(["", "peak memory", "aim", "the last one tainted after"], [row]),
        )
    )


CHECKED = 200
"""Runners in the repository that is checked; the aim is a second."""


def measure_check(times: int) -> str:
    """The section about `check`."""
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(CHECKED):
            folder = Path(scratch) / f"cluster-{number % 10}"
            folder.mkdir(exist_ok=True)
            text = RELEASE.read_text(encoding="utf-8").replace("name: ci,", f"name: ci-{number},")
            (folder / f"runner-{number}.yaml").write_text(text, encoding="utf-8")
        argv = (*AGTOOL, "check", scratch, "--preset", "karpenter-spot")
        costs = [run(argv, Path(scratch) / "none", wanted=1) for _ in range(times)]
    wall = statistics.median(cost.wall for cost in costs)
    return paragraph(
        f"`agtool ci-nodepool check` of {CHECKED} HelmReleases in as many files: {seconds(wall)} "
        f"({against('aim 1 s', reached=wall < 1)}), {_mib(costs)} at its peak; median "
        f"of {times} rounds, load average {os.getloadavg()[0]:.1f}."
    )


def _cells(latency: float, costs: dict[str, list[Cost]]) -> list[str]:
    ours, theirs = costs["agtool"], costs["kubectl"]
    faster = median_ratio([cost.wall for cost in theirs], [cost.wall for cost in ours])
    return [
        seconds(statistics.median(cost.wall for cost in ours)),
        seconds(statistics.median(cost.wall for cost in theirs)),
        ratio(faster),
        against(f"{AIMS[latency]}", reached=faster >= AIMS[latency]),
        _mib(ours),
        _mib(theirs),
    ]


def _mib(costs: Sequence[Cost]) -> str:
    return f"{statistics.median(cost.memory for cost in costs) / 2**20:.0f} MiB"


def _machine(load: float, plane: ControlPlane) -> str:
    from agtool import __version__

    return (
        f"{os.cpu_count()} cores, load average before the run {load:.1f}; Python "
        f"{platform.python_version()}; agtool {__version__}; kubectl {of_kubectl(plane.kubectl)}; "
        f"kube-apiserver {of_server(plane)}."
    )


def main() -> int:
    """Measure; the exit code is 0, also when an aim was not reached."""
    parser = argparse.ArgumentParser(description="Measure agtool ci-nodepool beside kubectl.")
    parser.add_argument("--nodes", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=3, help="without latency")
    parser.add_argument("--write", action="store_true", help=f"write into {PAGE.name}")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    section = measure(options.nodes, {0.0: options.rounds, LATENCY: 1})
    section += f"\n\n{measure_check(options.rounds)}"
    print(section)
    if options.write:
        put_into(PAGE, section)
        results.keep("ci-nodepool", section, load, [results.last_paragraph(section)])
    return 0


if __name__ == "__main__":
    carry_out(main, progress)
