"""What every server shares: finding it, starting it unprivileged, waiting for it, stopping it."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from typing_extensions import Self

START_SECONDS = 60.0
STOP_SECONDS = 15.0


class ServerUnavailable(Exception):
    """Something this machine lacks: the message names the missing program, user or right."""


class ServerFailed(Exception):
    """A server that is installed but did not start: the message ends with its log."""


def find_program(name: str, folders: Sequence[Path] = ()) -> Path:
    """Return the path of a program from the first of the folders that has it, else from PATH.

    /usr/sbin is looked at in any case: the PATH of an ordinary user on Debian lacks it.
    Raises ServerUnavailable.
    """
    path = os.pathsep.join([*map(str, folders), os.environ.get("PATH", ""), "/usr/sbin"])
    found = shutil.which(name, path=path)
    if found is None:
        raise ServerUnavailable(f"{name} is not installed; tests/install-system-packages.sh helps")
    return Path(found)


def free_port(host: str = "127.0.0.1") -> int:
    """Return a TCP port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


_GUARD = """
read -r word
for process in /proc/[0-9]*; do
    if [ "$process" != "/proc/$$" ] && {
        grep -qsF "$0" "$process/cmdline" "$process/environ" ||
        readlink "$process/cwd" | grep -qF "$0"
    }; then kill -KILL "${process#/proc/}"; fi
done
"""


@contextmanager
def ends_with_us(folder: Path) -> Iterator[None]:
    """Let no process that was given something in this folder outlive us, should we be killed.

    Its arguments, environment or present folder tell. What ends us in an orderly way is for
    fixtures.
    """
    guard = subprocess.Popen(
        ["sh", "-c", _GUARD, folder],
        stdin=subprocess.PIPE,  # nobody else has its other end
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        guard.kill()
        guard.communicate()


def _place() -> Path:
    """Where folders of servers lie: TMPDIR, unless it is closed to their accounts.

    Or too long: the path of a socket has 107 bytes at most, and Dovecot adds 58 to ours.
    """
    place = Path(tempfile.gettempdir()).resolve()
    closed = os.geteuid() == 0 and not all(
        folder.stat().st_mode & stat.S_IXOTH for folder in (place, *place.parents)
    )
    return Path("/tmp") if closed or len(os.fsencode(place)) > 49 else place  # noqa: S108


@contextmanager
def server_folder() -> Iterator[Path]:
    """Give a temporary folder that an unprivileged server can reach, and remove it.

    pytest's tmp_path lies in a folder that only the user of pytest may enter.
    """
    folder = Path(tempfile.mkdtemp(prefix="agtool-tests-", dir=_place()))
    try:
        folder.chmod(0o755)
        with ends_with_us(folder):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def tail(log: Path, lines: int = 20) -> str:
    """Return the end of a log file."""
    if not log.exists():
        return "(no log)"
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:  # another file system
        shutil.copy2(source, target, follow_symlinks=False)


class ServerProcess:
    """One server program in one folder: it runs as `account` when the tests run as root."""

    def __init__(self, folder: Path, account: str) -> None:
        self.folder = folder
        self.log = folder / "server.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._user: str | None = None
        if os.geteuid() == 0:
            try:
                pwd.getpwnam(account)
            except KeyError:
                raise ServerUnavailable(f"user {account} does not exist here") from None
            self._user = account
        folder.mkdir(parents=True, exist_ok=True)
        self.give(folder)

    @property
    def pid(self) -> int | None:
        """The process id, or None when the server does not run."""
        return self._process.pid if self.running() and self._process else None

    def give(self, path: Path) -> None:
        """Make the server's account the owner of a file or folder."""
        if self._user is not None:
            shutil.chown(path, self._user, pwd.getpwnam(self._user).pw_gid)

    def write(self, path: Path, text: str) -> Path:
        """Write a file that only the server's account can read."""
        path.touch(mode=0o600)
        path.write_text(text)
        self.give(path)
        return path

    def reach(self, path: Path, cache: Path) -> Path:
        """Return a path by which the server's account can use a program or folder of the cache.

        A cache may lie in a home that is closed to others; links to its files cost nothing. What
        lies elsewhere stays as it is.
        """
        if self._user is None or not path.is_relative_to(cache):
            return path
        top = path.relative_to(cache).parts[0]
        if not (self.folder / top).exists():
            shutil.copytree(cache / top, self.folder / top, symlinks=True, copy_function=_link)
        return self.folder / path.relative_to(cache)

    def run(self, *argv: str | Path, env: dict[str, str] | None = None) -> None:
        """Run one of the server's tools to its end. Raises ServerFailed with its output."""
        process = self._launch(argv, stdout=subprocess.PIPE, env=env)
        output, _ = process.communicate(timeout=START_SECONDS)
        if process.returncode != 0:
            text = output.decode(errors="replace")
            raise ServerFailed(f"{argv[0]} exited with {process.returncode}:\n{text}")

    def launch(
        self,
        argv: Sequence[str | Path],
        ready: Callable[[], object],
        *,
        env: dict[str, str] | None = None,
    ) -> None:
        """Start the server and return once `ready` raises nothing. Raises ServerFailed."""
        with self.log.open("ab") as log:
            self._process = self._launch(argv, stdout=log.fileno(), env=env)
        give_up = time.monotonic() + START_SECONDS
        while True:
            try:
                ready()
            except Exception as error:  # each client library has its own errors
                if not self.running() or time.monotonic() > give_up:
                    self.terminate([signal.SIGKILL])
                    message = f"{argv[0]} did not start: {error}\n{tail(self.log)}"
                    raise ServerFailed(message) from error
                time.sleep(0.02)
            else:
                return

    def running(self) -> bool:
        """Whether the process is alive."""
        return self._process is not None and self._process.poll() is None

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the server's main process, if it runs."""
        if self._process is not None:
            self._process.send_signal(number)

    def terminate(self, signals: Sequence[signal.Signals]) -> None:
        """Stop the server: the signals in turn, each given STOP_SECONDS, then SIGKILL."""
        if self._process is None:
            return
        for number in [*signals, signal.SIGKILL]:
            self._process.send_signal(number)
            try:
                self._process.wait(STOP_SECONDS)
                break
            except subprocess.TimeoutExpired:
                continue
        self._process = None

    def _launch(
        self, argv: Sequence[str | Path], stdout: int, env: dict[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        group = None if self._user is None else pwd.getpwnam(self._user).pw_gid
        return subprocess.Popen(
            list(map(str, argv)),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.STDOUT,
            # Not the person's PG* and MYSQL* variables.
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", **(env or {})},
            # The account may not be allowed to enter the present folder.
            cwd=self.folder,
            user=self._user,
            group=group,
            extra_groups=None if self._user is None else [],
            # Ctrl-C is for pytest, which then stops the servers in order.
            start_new_session=True,
        )


class Server(ABC):
    """A database server that runs for the time of a `with`, on one port, also when restarted.

    Attributes:
        scheme: of its URLs.
        passwords: those of its roles.
    """

    scheme = "postgresql"
    process: ServerProcess
    host = "127.0.0.1"
    port: int
    passwords: dict[str, str]

    def __enter__(self) -> Self:
        if not self.process.running():
            self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int | None:
        """The process id of the main process, or None when it does not run."""
        return self.process.pid

    @abstractmethod
    def start(self) -> None:
        """Start it and return when it answers. Raises ServerFailed."""

    @abstractmethod
    def stop(self) -> None:
        """Stop it."""

    def restart(self) -> None:
        """Stop and start it."""
        self.stop()
        self.start()

    def url(
        self,
        database: str = "app",
        *,
        user: str = "app",
        password: str | None = None,
        host: str | None = None,
        port: int | None = None,
    ) -> str:
        """Return a URL for SQLAlchemy and libpq; passwords of known roles are filled in."""
        secret = quote(self.passwords[user] if password is None else password, safe="")
        place = f"{host or self.host}:{port or self.port}"
        return f"{self.scheme}://{quote(user, safe='')}:{secret}@{place}/{quote(database, safe='')}"
