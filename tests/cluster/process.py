"""Programs that outlive whoever started them, known again by process id and start time.

A record is on disk before the program runs, so none can be lost: a shell writes it and becomes the
program. It is the shell's line of /proc/PID/stat, which exec leaves as it is.
"""

import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from tests.servers.process import ServerFailed, tail

START_SECONDS = 90.0
STOP_SECONDS = 15.0

# All of them are Go's, and memory is cheaper here than processor time.
_ENVIRONMENT = {"GOGC": "400"}

_RECORD = 'read -r stat </proc/$$/stat && printf "%s\\n" "$stat" >"$0" && exec "$@"'


class Program:
    """One program of a cluster: its record and its log lie in the cluster's folder.

    prefix: a command that runs a command elsewhere, as nsenter does, and waits for it.
    """

    def __init__(
        self, folder: Path, name: str, argv: Sequence[str | Path], prefix: Sequence[str] = ()
    ) -> None:
        self.name = name
        self.argv = [*prefix, *map(str, argv)]
        self.log = folder / "log" / f"{name}.log"
        self.record = folder / "run" / name
        self._elsewhere = bool(prefix)

    @property
    def pid(self) -> int | None:
        """The process id of the program itself, or None when it does not run."""
        launched = recorded(self.record)
        if launched is None or not self._elsewhere:
            return launched
        return next(iter(children(launched)), None)

    def start(self) -> None:
        """Start it, unless it runs. It is not ready then: see `wait`. Raises ServerFailed."""
        if self.pid is not None:
            return
        for folder in (self.log.parent, self.record.parent):
            folder.mkdir(exist_ok=True)
        self.record.unlink(missing_ok=True)
        with self.log.open("ab") as log:
            # setsid: Ctrl-C and the end of a terminal are for whoever started it. --fork: it is
            # nobody's child, since another process may be the one to stop it.
            subprocess.run(
                ["setsid", "--fork", "sh", "-c", _RECORD, self.record, *self.argv],
                check=True,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.log.parent,
                # As a node's programs have it: else kubelet's volumes are closed to a pod's users.
                umask=0o022,
                # Not the person's settings, such as GODEBUG or a proxy.
                env={
                    "PATH": f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin",
                    "HOME": "/",
                    **_ENVIRONMENT,
                },
            )
        self.wait(self._is_recorded, ended=lambda: False)

    def wait(
        self,
        ready: Callable[[], bool],
        seconds: float = START_SECONDS,
        ended: Callable[[], bool] | None = None,
    ) -> None:
        """Return once `ready()` is true. Raises ServerFailed with the end of the log."""
        give_up = time.monotonic() + seconds
        while not ready():
            over = (ended or self._ended)()
            if over or time.monotonic() > give_up:
                what = "ended" if over else f"was not ready after {seconds:.0f} s"
                raise ServerFailed(f"{self.name} {what}; {self.log} ends:\n{tail(self.log)}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Kill it. Returns when it has ended."""
        end_recorded(self.record)

    def _is_recorded(self) -> bool:
        return self.record.exists() and self.record.stat().st_size > 0

    def _ended(self) -> bool:
        return recorded(self.record) is None


def end_recorded(record: Path) -> None:
    """Kill the process of a record, and those that it has started; remove the record."""
    pid = recorded(record)
    if pid is not None:
        for each in (*children(pid), pid):
            _kill(each)
    record.unlink(missing_ok=True)


def recorded(record: Path) -> int | None:
    """The process id that a record tells, if that process (and no later one) is alive."""
    try:
        was = _Stat(record.read_text())
        now = _Stat(Path(f"/proc/{was.pid}/stat").read_text())
    except (OSError, ValueError, IndexError):
        return None
    return was.pid if now.started == was.started and now.state not in "ZX" else None


class _Stat:
    """What /proc/PID/stat tells: see proc(5). The name in parentheses may hold anything."""

    def __init__(self, line: str) -> None:
        fields = line.rpartition(")")[2].split()
        self.pid = int(line.split(maxsplit=1)[0])
        self.state = fields[0]
        # In clock ticks since the machine started.
        self.started = int(fields[19])


def children(pid: int) -> list[int]:
    """The processes that this one has started and that are there still."""
    with suppress(OSError):
        return [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def _kill(pid: int) -> None:
    """Return when the process has ended. Raises ServerFailed."""
    try:
        watch = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(watch, signal.SIGKILL)
        if not select.select([watch], [], [], STOP_SECONDS)[0]:
            raise ServerFailed(
                f"process {pid} has been killed, and lives {STOP_SECONDS:.0f} s later"
            )
    finally:
        os.close(watch)
