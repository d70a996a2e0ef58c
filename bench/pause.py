"""pause beside other programs that are used for the same: `python -m bench.pause`.

Needs root, the Debian packages tini, dumb-init and catatonit, and the Kubernetes that is built for
the tests, whose own pause is compiled: what is missing is left out. The table goes to stdout, and
with --write into pause/README.md.
"""

from __future__ import annotations

import argparse
import gc
import mmap
import os
import platform
import re
import select
import shutil
import signal
import statistics
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

from agtool.core.errors import AgtoolError
from agtool.pause import binary
from bench import results
from bench.figures import in_turns, paragraph, progress, put_into, table
from tests.cluster import recipe
from tests.cluster.build import programs
from tests.integration.pause.conftest import HERE
from tests.integration.pause.namespace import (
    PATIENCE,
    children,
    first_process,
    run_beside,
    wait_until,
)
from tests.programs import carry_out
from tests.servers.process import ServerUnavailable, find_program, server_folder

README = Path(__file__).parents[1] / "pause" / "README.md"

ROUNDS = 200
EARLY = 100
"""How often SIGTERM is sent right after exec."""

ORPHANS = 50
DEAF = 0.2
"""Seconds after which a program counts as one that does not hear SIGTERM."""


NUMBER, TIME = struct.Struct("q"), struct.Struct("d")


class Contestant(NamedTuple):
    """A program that waits. waits: the name of the process that in the end does, to be seen."""

    name: str
    argv: Sequence[str]
    waits: str


class Ended(NamedTuple):
    """One run. Seconds; `stop` is None when the program did not hear SIGTERM."""

    start: float
    stop: float | None
    code: int


class Row(NamedTuple):
    """What is known of a contestant that is not about time."""

    size: int
    memory: int
    lost: int
    zombies: int


def contestants(folder: Path) -> Iterator[Contestant]:
    """What there is on this machine. folder: where a program can be compiled."""
    yield Contestant("pause", [str(binary(HERE[platform.machine()]))], "pause-")
    try:
        kubernetes = compile_kubernetes_pause(folder)
    except ServerUnavailable as error:
        progress(f"Kubernetes' own pause is left out: {error}")
    else:
        yield Contestant("Kubernetes' pause", [str(kubernetes)], kubernetes.name)
    others = {
        "catatonit -P": ["catatonit", "-P"],
        "tini + sleep": ["tini", "--", "sleep", "3600"],
        "dumb-init + sleep": ["dumb-init", "sleep", "3600"],
        "sleep 3600": ["sleep", "3600"],
        "tail -f /dev/null": ["tail", "-f", "/dev/null"],
    }
    for name, argv in others.items():
        program = shutil.which(argv[0])
        if program is None:
            progress(f"{name} is left out: {argv[0]} is not installed")
        else:
            waits = "sleep" if "sleep" in argv else argv[0]
            yield Contestant(name, [program, *argv[1:]], waits)


def compile_kubernetes_pause(folder: Path) -> Path:
    """Kubernetes' pause, with the flags of its Makefile. Raises ServerUnavailable."""
    source = programs().pause
    program = folder / "kubernetes"
    flags = ("-Os", "-Wall", "-Werror", "-static", "-DVERSION=v3.2", "-s")
    subprocess.run([find_program("gcc"), *flags, "-o", program, source], check=True)
    return program


def urgent(processor: int) -> None:
    """Give this process a processor of its own, and precedence there over the machine's work."""
    os.sched_setaffinity(0, {processor})
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))


def urgent_child() -> None:
    """The same for a program that is measured, on another processor than this one."""
    urgent((os.cpu_count() or 1) - 1)


class Watch(threading.Thread):
    """Sees when a program waits, from its exec on, while Popen has not even returned.

    The child says through memory that both share when it calls exec, and which process it is:
    inside its namespace it is 1, but /proc is that of this side.
    """

    def __init__(self, name: str) -> None:
        super().__init__(daemon=True)
        self._shared = mmap.mmap(-1, NUMBER.size + TIME.size)
        self._name = name
        self.seconds = 0.0

    def before_exec(self) -> None:
        """Run this in the child."""
        urgent_child()
        number = int(str(Path("/proc/self").readlink()))
        TIME.pack_into(self._shared, NUMBER.size, time.perf_counter())
        NUMBER.pack_into(self._shared, 0, number)  # last: it tells that the time is there

    def run(self) -> None:
        """Keep looking; `seconds` is then how long it took."""
        pid = 0
        while not pid:
            time.sleep(1e-5)  # two threads of real-time priority: neither gives way by itself
            (pid,) = NUMBER.unpack_from(self._shared)
        (began,) = TIME.unpack_from(self._shared, NUMBER.size)
        while not _waiting(pid, self._name):
            if time.perf_counter() > began + PATIENCE:
                raise TimeoutError(f"{self._name} does not wait")
        self.seconds = time.perf_counter() - began


@contextmanager
def running(
    contestant: Contestant, before_exec: Callable[[], None] = urgent_child
) -> Iterator[subprocess.Popen[bytes]]:
    """Run it as PID 1 on the last processor; this program is on the first one.

    The `with` begins right after exec.
    """
    null = subprocess.DEVNULL
    with first_process(
        contestant.argv, stdin=null, stdout=null, stderr=null, preexec_fn=before_exec
    ) as process:
        yield process


def _waiting(pid: int, name: str) -> bool:
    """Whether a process or a child of it has this name (its beginning), and sleeps."""
    for one in [pid, *_below(pid)]:
        with suppress(OSError):
            comm, _, rest = Path(f"/proc/{one}/stat").read_text().rpartition(")")
            if comm.partition("(")[2].startswith(name):
                return rest.split()[0] == "S"
    return False


def _below(pid: int) -> list[int]:
    return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


def _wait(process: subprocess.Popen[bytes], contestant: Contestant) -> None:
    wait_until(lambda: _waiting(process.pid, contestant.waits), f"{contestant.name} waits")


def _terminate(process: subprocess.Popen[bytes]) -> float | None:
    """Send SIGTERM and return how long it takes to end."""
    watch = os.pidfd_open(process.pid)
    began = time.perf_counter()
    process.send_signal(signal.SIGTERM)
    heard = select.select([watch], [], [], DEAF)[0]
    took = time.perf_counter() - began
    os.close(watch)
    return took if heard else None


def one_run(contestant: Contestant) -> Ended:
    """Start it, wait until it waits, and end it."""
    watch = Watch(contestant.waits)
    watch.start()
    with running(contestant, watch.before_exec) as process:
        watch.join()
        stop = _terminate(process)
        code = process.wait() if stop is not None else -1
    return Ended(watch.seconds, stop, code)


def lost_when_early(contestant: Contestant) -> int:
    """How many of EARLY signals, each sent right after exec, did not end it."""
    lost = 0
    for _ in range(EARLY):
        with running(contestant) as process:
            lost += _terminate(process) is None
    return lost


def memory(contestant: Contestant) -> int:
    """KiB in memory, of all its processes."""
    with running(contestant) as process:
        _wait(process, contestant)
        rollups = [
            Path(f"/proc/{pid}/smaps_rollup").read_text()
            for pid in [process.pid, *_below(process.pid)]
        ]
    found = [re.search(r"^Rss:\s+(\d+) kB$", text, re.MULTILINE) for text in rollups]
    return sum(int(match[1]) for match in found if match)


def zombies(contestant: Contestant) -> int:
    """How many of ORPHANS dead processes it leaves."""
    with running(contestant) as process:
        _wait(process, contestant)
        run_beside(process, "sh", "-c", f"for n in $(seq {ORPHANS}); do (sleep 0.2 &); done")

        def ended() -> bool:
            # One may go on: what tini and dumb-init have started.
            states = list(children(process.pid).values())
            return len(states) - states.count("Z") <= 1

        wait_until(ended, "the orphans have ended")
        return list(children(process.pid).values()).count("Z")


def size(contestant: Contestant) -> int:
    """Bytes of its program."""
    return Path(contestant.argv[0]).resolve().stat().st_size


def cells(contestant: Contestant, row: Row, runs: Sequence[Ended]) -> list[str]:
    """A line of the table."""
    stops = [run.stop * 1e6 for run in runs if run.stop is not None]
    start = statistics.median(run.start for run in runs) * 1e6
    line = [contestant.name, f"{row.size:,}", str(row.memory), f"{start:,.0f}"]
    if stops:
        p99 = statistics.quantiles(stops, n=100, method="inclusive")[-1]
        line += [f"{statistics.median(stops):,.0f} / {p99:,.0f}", f"{row.lost} of {EARLY}"]
        codes = {run.code for run in runs if run.stop is not None}
        line += [str(row.zombies), ", ".join(map(str, sorted(codes)))]
    else:
        line += ["ignores it", "all", str(row.zombies), "-"]
    return line


def report(known: Sequence[Contestant], rounds: int) -> str:
    """Measure, and return the table with what one has to know to read it."""
    rows = {}
    for one in known:
        progress(f"{one.name}: memory, zombies, {EARLY} early signals")
        rows[one.name] = Row(size(one), memory(one), lost_when_early(one), zombies(one))
    runs = in_turns("start and end", rounds, {one.name: partial(one_run, one) for one in known})
    heads = ["PID 1", "bytes", "RSS KiB", "start µs", "SIGTERM to exit µs", "lost", "zombies"]
    lines = [cells(one, rows[one.name], runs[one.name]) for one in known]
    figures = (
        f"Median of {rounds} runs in turns, and the 99th percentile for the time from SIGTERM to "
        "the end. Start: from exec until it waits; most of that is the kernel's, which clears away "
        "what the launcher, Python, had in memory. Lost: of the SIGTERM sent right after exec. "
        f"Zombies: of {ORPHANS} orphans. Bytes are those of the program alone, RSS that of all "
        "its processes."
    )
    machine = (
        f"Linux {platform.release().partition('-')[0]}, {platform.machine()}, {os.cpu_count()} "
        f"processors, {time.strftime('%Y-%m-%d')}. PID 1 of a new PID namespace, with real-time "
        "priority on a processor of its own. Kubernetes' pause is the one of "
        f"{recipe.chosen()[0].version}, compiled as its Makefile says."
    )
    return "\n\n".join(
        [table([*heads, "exit code"], lines), paragraph(figures), paragraph(machine)]
    )


def main() -> int:
    """Return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="into pause/README.md")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    given = parser.parse_args()
    # Collecting garbage in the middle of a measurement would be measured.
    gc.disable()
    load = os.getloadavg()[0]
    try:
        with server_folder() as folder:
            known = list(contestants(folder))
            urgent(0)
            text = report(known, given.rounds)
    except (AgtoolError, ServerUnavailable, PermissionError) as error:
        progress(f"pause cannot be measured here: {error}")
        return 1
    print(text)
    if given.write:
        put_into(README, text)
        results.keep("pause", text, load, [results.last_paragraph(text)])
    return 0


if __name__ == "__main__":
    carry_out(main, progress)
