"""A second host on this machine: a network namespace whose cable can be made to lose everything."""

import itertools
import os
import re
import signal
import subprocess
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from tests.servers.process import ServerUnavailable, find_program

_numbers = itertools.count(1)

# A locally administered address that no interface here has: whoever gets the frame ignores it.
NOBODY = "02:00:00:00:00:01"


class NetworkNamespace:
    """A namespace joined to this host by a veth pair, from `with` to its end. Needs root and ip(8).

    `host` is this machine's address as programs inside see it, `address` is the namespace's own.
    Raises ServerUnavailable without root, ip(8) or the right to make namespaces.
    """

    def __init__(self) -> None:
        self._ip = find_program("ip")
        if os.geteuid() != 0:
            raise ServerUnavailable("a network namespace needs root")
        number = next(_numbers)
        # The process id in the name tells leftovers from the namespaces of a run beside this one.
        self.name = f"agtool-{os.getpid()}-{number}"
        # Interface names have 15 bytes at most.
        self._outside = f"ag{os.getpid()}-{number}o"
        self._inside = f"ag{os.getpid()}-{number}i"
        # One of the 16,384 networks of four addresses (/30) in 10.213.0.0/16.
        third, fourth = divmod((os.getpid() * 8 + number) % 16384 * 4, 256)
        self.host = f"10.213.{third}.{fourth + 1}"
        self.address = f"10.213.{third}.{fourth + 2}"
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> "NetworkNamespace":
        remove_leftovers(self._ip)
        try:
            self._make()
        except subprocess.CalledProcessError as error:
            self._remove()
            reason = error.stderr.decode(errors="replace").strip()
            raise ServerUnavailable(f"no network namespace can be made here: {reason}") from error
        return self

    def __exit__(self, *_: object) -> None:
        self._remove()
        for process in self._processes:
            # Waits for it and closes its pipes.
            with process:
                process.kill()

    def run(
        self, argv: Sequence[str | Path], *, env: dict[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a program inside. Its output is piped; it is killed at the end of the `with`."""
        process = subprocess.Popen(
            [self._ip, "netns", "exec", self.name, *argv],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=env,
        )
        self._processes.append(process)
        return process

    def drop(self) -> None:
        """Let all packets vanish in both directions; no program gets an error from it."""
        # A wrong entry in both neighbour tables: frames are still sent, and nobody takes them. An
        # interface that is down, or a blackhole route, would tell the sender; netem needs a module.
        self._set_neighbours(inside=NOBODY, outside=NOBODY)

    def restore(self) -> None:
        """Undo `drop`."""
        # The real addresses are set, not learnt: nothing then depends on ARP.
        self._set_neighbours(inside=self._mac_inside(), outside=self._mac_outside())

    def _make(self) -> None:
        self._run("netns", "add", self.name)
        peer = ("peer", "name", self._inside, "netns", self.name)
        self._run("link", "add", self._outside, "type", "veth", *peer)
        self._run("address", "add", f"{self.host}/30", "dev", self._outside)
        self._run("link", "set", self._outside, "up")
        self._run("-n", self.name, "address", "add", f"{self.address}/30", "dev", self._inside)
        self._run("-n", self.name, "link", "set", self._inside, "up")
        self._run("-n", self.name, "link", "set", "lo", "up")
        self.restore()

    def _remove(self) -> None:
        remove_namespaces(self._ip, [self.name])

    def _set_neighbours(self, *, inside: str, outside: str) -> None:
        entry = ("neighbour", "replace", "nud", "permanent")
        self._run(*entry, "to", self.address, "lladdr", inside, "dev", self._outside)
        self._run(
            *("-n", self.name, *entry),
            *("to", self.host, "lladdr", outside, "dev", self._inside),
        )

    def _mac_inside(self) -> str:
        return self._mac("-n", self.name, "-brief", "link", "show", self._inside)

    def _mac_outside(self) -> str:
        return self._mac("-brief", "link", "show", self._outside)

    def _mac(self, *arguments: str) -> str:
        # name@peer  state  MAC  flags
        return self._run(*arguments).split()[2]

    def _run(self, *arguments: str) -> str:
        return run_ip(self._ip, *arguments)


def run_ip(ip: Path, *arguments: str) -> str:
    """Run ip(8) and return its output. Raises CalledProcessError."""
    done = subprocess.run([ip, *arguments], check=True, capture_output=True, timeout=10)
    return done.stdout.decode()


def remove_leftovers(ip: Path) -> None:
    """Remove namespaces of test processes that died without doing so."""
    names = re.findall(r"^(agtool-(\d+)-\d+)", run_ip(ip, "netns", "list"), re.MULTILINE)
    remove_namespaces(ip, [name for name, pid in names if not Path("/proc", pid).exists()])


def remove_namespaces(ip: Path, names: Iterable[str]) -> None:
    """Remove namespaces, each with its veth pair."""
    for name in names:
        # Programs left inside, as children of what `run` started, would keep it alive.
        listed = subprocess.run([ip, "netns", "pids", name], check=False, capture_output=True)
        for pid in map(int, listed.stdout.split()):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        subprocess.run([ip, "netns", "delete", name], check=False, capture_output=True)
