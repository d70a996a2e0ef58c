"""Start agtool as a user would, as a program of its own, and look at it from outside."""

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pytest

from tests import documents

# The person's own databases and settings must not reach a test.
_FOREIGN = (
    *("AGTOOL_", "PG", "POSTGRES_", "MYSQL", "MARIADB_"),
    *("DATABASE_URL", "SQLALCHEMY_DATABASE_URI", "POD_NAME"),
)

# Seconds for anything that should come to its end; generous, for a machine that is busy.
PATIENCE = 60.0


def clean_environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return our environment without the settings of agtool and of databases, and with `more`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    return {**kept, **(more or {})}


def wait_until(true: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
    """Return as soon as `true()` is. Raises AssertionError with `what` after so many seconds."""
    give_up = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < give_up, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.02)


class Done(NamedTuple):
    """How a run of agtool ended, and what it wrote. seconds: from its start to its end."""

    exit_code: int
    stdout: str
    stderr: str
    seconds: float


class Running:
    """An agtool that was started; its output goes to files, so that it never blocks on a pipe."""

    def __init__(self, argv: Sequence[str], folder: Path, env: Mapping[str, str]) -> None:
        self._folder = folder
        named = [word for option, word in itertools.pairwise(argv) if option == "--result-file"]
        self._result = Path((named or [env.get("AGTOOL_RESULT_FILE", "")])[0])
        self._began = time.monotonic()
        with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as err:
            self.process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env=dict(env),
                # No controlling terminal; and the session's number finds whatever is left of it.
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process id."""
        return self.process.pid

    @property
    def stdout(self) -> str:
        """What it and its command have written to stdout so far."""
        return (self._folder / "stdout").read_text(errors="replace")

    @property
    def stderr(self) -> str:
        """What it and its command have written to stderr so far."""
        return (self._folder / "stderr").read_text(errors="replace")

    def running(self) -> bool:
        """Whether it has not ended."""
        return self.process.poll() is None

    def wait_for(self, text: str, seconds: float = PATIENCE) -> None:
        """Return when `text` stands on stderr. Raises AssertionError if it ends without."""
        give_up = time.monotonic() + seconds
        while True:
            ended = not self.running()
            if text in self.stderr:
                return
            assert not ended, f"ended with {self.process.returncode} without {text!r}:{self.stderr}"
            assert time.monotonic() < give_up, f"not within {seconds:.0f} s: {text!r}:{self.stderr}"
            time.sleep(0.02)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to agtool itself."""
        self.process.send_signal(number)

    def wait(self, seconds: float = PATIENCE) -> Done:
        """Return when it has ended. Raises AssertionError if it has not by then."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"not ended within {seconds:.0f} s:\n{self.stderr}") from None
        took = time.monotonic() - self._began
        documents.check_if_any(self.stdout)
        if self._result.is_file():
            documents.check_if_any(self._result.read_text(errors="replace"))
        return Done(self.process.returncode, self.stdout, self.stderr, took)

    def processes(self) -> list[int]:
        """The live processes of its session: agtool, its keeper, its command; not zombies."""
        return _session(self.pid)

    def kill(self) -> None:
        """Kill what is left of it."""
        while left := self.processes():
            for pid in left:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.process.poll()
            time.sleep(0.005)
        self.process.wait()


class Agtool:
    """Starts agtools, each in a session of its own, and kills what is left of them at the end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._started: list[Running] = []

    def start(
        self,
        *arguments: str | Path,
        url: str | None = None,
        env: Mapping[str, str] | None = None,
        program: Sequence[str | Path] = (),
    ) -> Running:
        """Start `agtool ARGUMENTS...`, without waiting for anything.

        url becomes AGTOOL_DATABASE_URL; env is added to a clean environment; program stands for
        `python -m agtool`, when that has to be started in another way.
        """
        folder = self._folder / str(len(self._started) + 1)
        folder.mkdir()
        settings = {} if url is None else {"AGTOOL_DATABASE_URL": url}
        running = Running(
            [*map(str, program or (sys.executable, "-m", "agtool")), *map(str, arguments)],
            folder,
            clean_environment({**settings, **(env or {})}),
        )
        self._started.append(running)
        return running

    def run(
        self,
        *arguments: str | Path,
        url: str | None = None,
        env: Mapping[str, str] | None = None,
        program: Sequence[str | Path] = (),
        seconds: float = PATIENCE,
    ) -> Done:
        """Run `agtool ARGUMENTS...` to its end, as for `start`."""
        return self.start(*arguments, url=url, env=env, program=program).wait(seconds)

    def kill(self) -> None:
        """Kill all that is left."""
        for running in self._started:
            running.kill()


class Gate:
    """A command that says when it has begun, and works until it is let through."""

    def __init__(self, folder: Path) -> None:
        self._begun, self._open = folder / "begun", folder / "open"
        script = 'touch "$1"; until [ -e "$2" ]; do sleep 0.05; done'
        self.command = ["sh", "-c", script, "gate", str(self._begun), str(self._open)]

    def begun(self) -> bool:
        """Whether the command runs, or ran."""
        return self._begun.exists()

    def wait(self) -> None:
        """Return when the command runs. Raises AssertionError."""
        wait_until(self.begun, "the command runs")

    def open(self) -> None:
        """Let the command end, with 0."""
        self._open.touch()


@pytest.fixture
def gate(tmp_path_factory: pytest.TempPathFactory) -> Gate:
    """Give a command that works until it is let through."""
    return Gate(tmp_path_factory.mktemp("gate"))


@pytest.fixture
def agtool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agtool]:
    """Give what starts agtools."""
    started = Agtool(tmp_path_factory.mktemp("agtool"))
    try:
        yield started
    finally:
        started.kill()


def _session(number: int) -> list[int]:
    """The live processes of a session, from /proc; zombies are left out."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended meanwhile
            # state, parent, group, session; the name before them may hold anything.
            fields = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
            if fields[0] != "Z" and int(fields[3]) == number:
                found.append(int(entry.name))
    return found
