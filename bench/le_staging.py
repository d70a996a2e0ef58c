"""Measure `agtool le-staging verify` beside curl; write docs/reference/le-staging-benchmarks.md.

`make bench` runs this; it takes about two minutes, on a machine that should do nothing else.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from agtool import __version__
from agtool.le_staging.roots import store
from bench import results
from bench.costs import compare, cpu, ladder, runs, wall
from bench.figures import (
    Aim,
    Section,
    aims_table,
    in_turns,
    median_ratio,
    paragraph,
    progress,
    ratio,
    seconds,
)
from bench.processes import Failed, Processes
from tests.programs import carry_out
from tests.servers import certificates, tls
from tests.servers.process import ServerUnavailable, find_program, server_folder

PAGE = Path(__file__).parents[1] / "docs/reference/le-staging-benchmarks.md"

BARE_AIM = 2.0
"""How often the CPU time of a bare Python that does the same handshake one host may take."""

MOST = 2000
"""Hosts with which memory may not grow."""

MEMORY_AIM = 1.5
"""How often the memory of ten hosts so many may take."""

BARE = """
import socket, ssl, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.load_verify_locations(sys.argv[1])
with socket.create_connection(("127.0.0.1", int(sys.argv[2]))) as plain:
    with context.wrap_socket(plain, server_hostname="h0.test") as tls:
        print(tls.version(), tls.getpeercert()["notAfter"])
"""
"""What a person would write instead of agtool."""

FLOOR = "import typer, ssl"
"""What agtool cannot do without: its command line and the handshake."""

FAR = 0.1
"""Seconds of a round trip to the one host that is far away."""

FAR_AIM = 3.0
"""How often the wall time of curl one host that is far away may take."""

MANY = 100
"""Hosts that are checked at once."""

MANY_FAR = 0.05
"""Seconds of a round trip to each of many hosts."""

MANY_AIM = 1.0
"""How often the wall time of `xargs -P 32 curl` many hosts may take."""


class Stage(NamedTuple):
    """What all measurements share. ports: of HTTPS servers, by their round trip in seconds."""

    processes: Processes
    env: Mapping[str, str]
    hosts: Path
    ports: Mapping[float, int]

    def verify(self, port: int, *hosts: str | Path) -> list[str | Path]:
        """The command line of agtool."""
        argv: list[str | Path] = [Path(sys.executable).with_name("agtool"), "le-staging", "verify"]
        return [*argv, "--connect-to", f"::127.0.0.1:{port}", *hosts]

    def curl(self, port: int) -> list[str]:
        """The command line of curl, without a URL."""
        roots = ["--cacert", str(store.bundle()), "--capath", str(store.no_certificates())]
        connect = ["--connect-to", f"::127.0.0.1:{port}"]
        return ["curl", "--disable", "--silent", "--output", "/dev/null", *roots, *connect]


def main() -> int:
    """Measure and write; the exit code is 0, also when an aim was not reached."""
    parser = argparse.ArgumentParser(description="Measure agtool le-staging verify.")
    parser.add_argument("--quick", action="store_true", help="few samples: does the bench work?")
    parser.add_argument("--output", type=Path, default=PAGE, metavar="FILE")
    options = parser.parse_args()
    began, load = time.monotonic(), os.getloadavg()[0]
    rounds = 1 if options.quick else 20
    try:
        with ExitStack() as stack:
            stage = _stage(stack)
            sections = [
                _one(stage, rounds, "One host on loopback", 0),
                _one(stage, rounds, f"One host {seconds(FAR)} away", FAR),
                _many(stage, max(1, rounds // 2)),
                _memory(stage),
                _where_the_time_goes(stage, rounds),
            ]
    except (ServerUnavailable, Failed) as error:
        progress(f"error: {error}")
        return 1
    page = _page(sections, load, quick=options.quick)
    options.output.write_text(page, encoding="utf-8")
    if not options.quick:
        results.keep("le-staging", page, load, _machine(load))
    progress(f"done in {time.monotonic() - began:.0f} s; see {options.output}")
    return 0


def _stage(stack: ExitStack) -> Stage:
    find_program("curl")
    folder = stack.enter_context(server_folder())
    os.environ["XDG_DATA_HOME"] = str(folder / "data")
    ca = certificates.root("Bench Staging Root")
    store.write([store.Root("Bench", "https://ca.test/", ca.sha256, ca.der, private=True)])
    names = [f"h{number}.test" for number in range(MANY)]
    (folder / "hosts").write_text("\n".join(names) + "\n", encoding="utf-8")
    leaf = ca.intermediate("Bench Intermediate").leaf(*names)
    context = tls.tls_context(folder / "server", leaf)
    ports = {
        far: stack.enter_context(tls.Listener(tls.https(context, round_trip=far))).port
        for far in (0, FAR, MANY_FAR)
    }
    processes = stack.enter_context(Processes(folder))
    return Stage(processes, dict(os.environ), folder / "hosts", ports)


def _one(stage: Stage, rounds: int, title: str, far: float) -> Section:
    port = stage.ports[far]
    contestants = runs(
        stage,
        agtool=stage.verify(port, "h0.test"),
        curl=[*stage.curl(port), "https://h0.test/"],
        bare=[sys.executable, "-c", BARE, store.bundle(), str(port)],
        floor=[sys.executable, "-c", FLOOR],
    )
    costs = in_turns(title, rounds, contestants)
    names = {
        "agtool": "`agtool le-staging verify HOST`",
        "curl": "`curl --cacert ROOTS`",
        "bare": "a bare Python with `ssl`",
        "floor": f"a Python that does `{FLOOR}` and ends",
    }
    if far:
        measured = median_ratio(wall(costs["agtool"]), wall(costs["curl"]))
        what, most = f"one host {seconds(FAR)} away / curl, wall", FAR_AIM
    else:
        measured = median_ratio(cpu(costs["agtool"]), cpu(costs["bare"]))
        what, most = "one host on loopback / a bare Python, CPU", BARE_AIM
    aims = [Aim(f"{what}: {most:.0f} or less", ratio(measured), measured <= most)]
    return Section(f"## {title}\n\n{compare(names, costs)}", aims)


def _many(stage: Stage, rounds: int) -> Section:
    port = stage.ports[MANY_FAR]
    curls = ["xargs", "-P", "32", "-I", "{}", "-a", str(stage.hosts), *stage.curl(port)]
    contestants = runs(
        stage,
        agtool=stage.verify(port, "--from-file", stage.hosts),
        xargs=[*curls, "https://{}/"],
    )
    costs = in_turns("many hosts", rounds, contestants)
    names = {"agtool": "`agtool le-staging verify --from-file`", "xargs": "`xargs -P 32 curl`"}
    measured = median_ratio(wall(costs["agtool"]), wall(costs["xargs"]))
    what = f"{MANY} hosts / `xargs -P 32 curl`, wall: {MANY_AIM:.0f} or less"
    text = paragraph(
        f"{MANY} names of one server. It answers the handshake and the request "
        f"{seconds(MANY_FAR)} late; the connection itself opens at once, for both. curl sends a "
        "request after the handshake; agtool hangs up then."
    )
    return Section(
        f"## {MANY} hosts at once\n\n{compare(names, costs)}\n\n{text}",
        [Aim(what, ratio(measured), measured <= MANY_AIM)],
    )


def _memory(stage: Stage) -> Section:
    """The highest resident memory of whole processes, as the kernel tells it of a child."""
    peaks = {}
    for count in (10, MOST):
        argv = stage.verify(
            stage.ports[0], *(f"h{n % MANY}.test:{443 + n // MANY}" for n in range(count))
        )
        started = subprocess.Popen(
            [*map(str, argv)], env=stage.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        _, status, used = os.wait4(started.pid, 0)
        started.returncode = os.waitstatus_to_exitcode(status)
        if started.returncode:
            raise Failed(f"{count} hosts ended with {started.returncode}")
        peaks[count] = used.ru_maxrss / 1024
    measured = peaks[MOST] / peaks[10]
    lines = [f"| {count:,} | {peak:.0f} |" for count, peak in peaks.items()]
    table = "\n".join(["| hosts | MiB |", "|---|---|", *lines])
    what = f"{MOST:,} hosts / 10 hosts, memory: {MEMORY_AIM} or less"
    aim = Aim(what, ratio(measured), measured <= MEMORY_AIM)
    return Section(f"## Memory\n\n{table}", [aim])


def _where_the_time_goes(stage: Stage, rounds: int) -> Section:
    """A ladder: each process does what the one before did, and one thing more."""
    code = "pass"
    steps: dict[str, Sequence[str | Path]] = {
        "Python itself, with this virtual environment": [sys.executable, "-c", code]
    }
    for name, more in {
        "`import typer`": "import typer",
        "agtool: its modules and its command line": "import agtool.app",
        "`import ssl`": "import ssl",
        "agtool: what verifies": "import agtool.le_staging.verify.checker",
    }.items():
        code = f"{code}; {more}"
        steps[name] = [sys.executable, "-c", code]
    steps["the rest: reading the roots, the handshake, the verdict"] = stage.verify(
        stage.ports[0], "h0.test"
    )
    text = paragraph(
        "Each line is a process that does all of the lines above and one thing more. A difference "
        "below zero is the machine's noise."
    )
    return Section(f"## Where the time goes\n\n{text}\n\n{ladder(rounds, runs(stage, **steps))}")


def _page(sections: Sequence[Section], load: float, *, quick: bool) -> str:
    aims = [aim for section in sections for aim in section.aims]
    parts = [
        "# Benchmarks of le-staging",
        paragraph(
            "Made by `make bench`, in one run. Times are medians of whole processes, measured in "
            "turns (A B A B); ratios are the median of the ratios of neighbours. CPU is user and "
            "system time, without the server's. [The same in pictures](performance.md)."
        ),
        f"## Aims\n\n{aims_table(aims)}",
        "## Machine\n\n" + "\n".join(f"- {line}" for line in _machine(load)),
        *(section.text for section in sections),
    ]
    if quick:
        parts.insert(1, "**A quick run, to test the bench itself: its figures mean nothing.**")
    return "\n\n".join(parts) + "\n"


def _machine(load: float) -> list[str]:
    """What the figures depend on; neither the host's name nor a path."""
    packages = ("pyOpenSSL", "cryptography", "typer")
    listed = ", ".join(f"{package} {version(package)}" for package in packages)
    curl = shutil.which("curl") or "curl"
    said = subprocess.run([curl, "--version"], capture_output=True, text=True, check=True).stdout
    return [
        f"{len(os.sched_getaffinity(0))} cores, load average before the run: {load:.1f}",
        f"{platform.freedesktop_os_release()['PRETTY_NAME']}, Python {platform.python_version()}",
        listed,
        f"curl {said.split()[1]}, {said.split()[4]}",
        f"agtool {__version__}, {time.strftime('%Y-%m-%d')}",
    ]


if __name__ == "__main__":
    carry_out(main, progress)
