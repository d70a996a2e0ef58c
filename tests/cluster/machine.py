"""A machine for one cluster: namespaces of its own, in which pause is the first process.

Processes, mounts, network, /run and /var/log are its own, so that two of them do not meet. All of
it ends with the first process: the kernel then kills the others, containers included, and takes
away mounts, bridge and network. Only cgroups have to be removed.
"""

import os
import platform
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from agtool.core.errors import AgtoolError
from agtool.pause import binary
from tests.cluster.process import Program, children
from tests.servers.process import ServerFailed, ServerUnavailable, find_program

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}

BRIDGE = "cluster"

CGROUPS = Path("/sys/fs/cgroup")

# kubelet sets these for the whole host, unless they say already what it wants. So it sees others.
SYSCTLS = {
    "kernel/keys/root_maxbytes": 25_000_000,
    "kernel/keys/root_maxkeys": 1_000_000,
    "kernel/panic": 10,
    "kernel/panic_on_oops": 1,
    "vm/overcommit_memory": 1,
    "vm/panic_on_oom": 0,
}

_SETUP = """
mount --make-rshared /
mount --bind "$0/run" /run
mount --bind "$0/log" /var/log
cd "$0/sys"
for file in *; do
    mount --bind "$file" "/proc/sys/$(echo "$file" | tr . /)"
done
cd /
ip link set lo up
exec "$0/pause"
"""


def architecture() -> str:
    """This machine's, as Kubernetes calls it. Raises ServerUnavailable."""
    try:
        return ARCHITECTURES[platform.machine()]
    except KeyError:
        raise ServerUnavailable(f"no cluster has been run on {platform.machine()} yet") from None


class Machine:
    """The namespaces of one cluster, below a folder that says which they are.

    Raises ServerUnavailable when they cannot be had here.
    """

    def __init__(self, folder: Path) -> None:
        for program in ("unshare", "nsenter", "mount", "ip"):
            find_program(program)
        if os.geteuid() != 0:
            raise ServerUnavailable("a cluster with a node needs root")
        try:
            self._pause = binary(architecture())
        except AgtoolError as error:
            raise ServerUnavailable(f"{error.message}. {error.hint}") from error
        self.folder = folder / "machine"
        self._number = self.folder / "number"
        namespaces = ("--mount", "--pid", "--net", "--fork", "--kill-child", "--mount-proc")
        setup = ("sh", "-euc", _SETUP, self.folder)
        self._first = Program(folder, "machine", ["unshare", *namespaces, *setup])

    @property
    def first(self) -> int | None:
        """The process id of its first process, as seen from here; None when it is not there."""
        unshare = self._first.pid
        return next(iter(children(unshare)), None) if unshare else None

    def running(self) -> bool:
        """Whether it was started to the end, and lives."""
        return self.first is not None and self._number.exists()

    @property
    def network(self) -> str:
        """The first three bytes of the addresses in its network, in which this side is 254."""
        return f"10.214.{self._number.read_text()}"

    @property
    def address(self) -> str:
        """Its own address."""
        return f"{self.network}.1"

    @property
    def prefix(self) -> list[str]:
        """A command that runs a command inside."""
        return ["nsenter", f"--target={self.first}", "--mount", "--pid", "--net", "--"]

    @property
    def cgroup(self) -> str:
        """The name of its cgroup, in all hierarchies."""
        return (self.folder / "cgroup").read_text()

    def start(self, addresses: Sequence[str] = ()) -> None:
        """Start it, with some addresses more. Raises ServerUnavailable when that is not allowed."""
        for name in ("run", "log", "sys"):
            (self.folder / name).mkdir(parents=True)
        for name, value in SYSCTLS.items():
            if Path("/proc/sys", name).exists():
                (self.folder / "sys" / name.replace("/", ".")).write_text(f"{value}\n")
        # A copy, since a program that runs could not be built anew.
        shutil.copy(self._pause, self.folder / "pause")
        try:
            self._make_cgroup()
            self._first.start()
            self._first.wait(self._is_set_up)
            self._connect(addresses)
        except (OSError, ServerFailed) as error:
            # As root in a container that is not privileged, say.
            raise ServerUnavailable(
                f"no machine for a cluster can be made here: {error}"
            ) from error

    def run(self, *argv: str | Path) -> str:
        """What a command prints that runs inside. Raises ServerFailed."""
        return _run(*self.prefix, *argv)

    def _is_set_up(self) -> bool:
        # Before that it is the shell.
        first = self.first
        with suppress(OSError):
            return Path(f"/proc/{first}/comm").read_text().startswith("pause")
        return False

    def _connect(self, addresses: Sequence[str]) -> None:
        """Join it to this side by a link, whose number nobody else has: the kernel sees to that."""
        argv = "ip link add agtool{} type veth peer name uplink netns {}"
        for number in range(1, 255):
            command = argv.format(number, self.first).split()
            made = subprocess.run(command, capture_output=True, text=True, check=False)
            if made.returncode == 0:
                break
            if "File exists" not in made.stderr:
                raise ServerFailed(f"{command}: {made.stderr.strip()}")
        else:
            raise ServerFailed("254 clusters are here already; is `ip link` full of agtool...?")
        network, link = f"10.214.{number}", f"agtool{number}"
        _run("ip", "address", "add", f"{network}.254/24", "dev", link)
        _run("ip", "link", "set", link, "up")
        # With an address of its own. Else it takes one of those that are joined to it, and another
        # when that leaves: what knew it before then talks to nobody for up to a minute.
        self.run("ip", "link", "add", BRIDGE, "address", "02:00:00:0a:d6:01", "type", "bridge")
        for address in (f"{network}.1/24", *addresses):
            self.run("ip", "address", "add", address, "dev", BRIDGE)
        self.run("ip", "link", "set", "uplink", "up", "master", BRIDGE)
        self.run("ip", "link", "set", BRIDGE, "up")
        self._number.write_text(str(number))

    def _make_cgroup(self) -> None:
        name = f"agtool-{secrets.token_hex(4)}"
        (self.folder / "cgroup").write_text(name)
        for hierarchy in hierarchies():
            group = hierarchy / name
            group.mkdir()
            if hierarchy == CGROUPS:
                controllers = (hierarchy / "cgroup.controllers").read_text().split()
                (hierarchy / "cgroup.subtree_control").write_text(
                    " ".join(f"+{c}" for c in controllers)
                )
            elif (group / "cpuset.cpus").exists():
                # An empty set, which a new group has, runs nothing.
                for file in ("cpuset.cpus", "cpuset.mems"):
                    (group / file).write_text((hierarchy / file).read_text())


def hierarchies() -> Iterator[Path]:
    """The roots of the cgroup hierarchies: the one of version 2, or those of version 1.

    Beside these stands `unified`, a version 2 without controllers, where runc makes groups too.
    """
    if (CGROUPS / "cgroup.procs").exists():
        yield CGROUPS
        return
    for folder in sorted(CGROUPS.iterdir()):
        # Links are second names.
        if (folder / "cgroup.procs").exists() and not folder.is_symlink():
            yield folder


def remove_cgroup(cluster: Path, seconds: float = 10) -> None:
    """Remove the cgroup of the machine in a cluster's folder, if any. Raises ServerFailed."""
    record = cluster / "machine" / "cgroup"
    if not record.exists():
        return
    give_up = time.monotonic() + seconds
    for group in (hierarchy / record.read_text() for hierarchy in hierarchies()):
        while group.exists():
            for folder, _, _ in os.walk(group, topdown=False):
                # Busy while the kernel still does away with its processes.
                with suppress(OSError):
                    Path(folder).rmdir()
            if time.monotonic() > give_up:
                raise ServerFailed(f"{group} cannot be removed")


def _run(*argv: str | Path) -> str:
    done = subprocess.run(list(map(str, argv)), capture_output=True, text=True, check=False)
    if done.returncode:
        raise ServerFailed(f"{' '.join(map(str, argv))}: {done.stderr.strip()}")
    return done.stdout
