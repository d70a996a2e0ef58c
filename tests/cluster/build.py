"""Builds the programs of Kubernetes once, into the cache; an interrupted build goes on.

The sources, what Go has compiled and the programs lie in a folder until all is done. Then the
programs move to a folder that is named by what they were built from, and the rest is removed.
"""

import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.cluster import recipe
from tests.cluster.instances import locked
from tests.cluster.places import cache
from tests.servers.process import ServerFailed, ServerUnavailable, tail

SPACE = 3_000_000_000
"""Bytes that the build needs on the disk for its time; 210 MB of them stay."""

MINUTES = "4 to 8"

SAY_EVERY = 10.0
LINKING = 20.0
"""Seconds from the last package to the last program."""


def programs() -> Path:
    """The folder with the programs. Raises ServerUnavailable when they have not been built."""
    folder = _finished()
    if not folder.is_dir():
        raise ServerUnavailable(
            "Kubernetes is not built for the tests yet: `python -m tests.cluster build` does it, "
            f"in {MINUTES} minutes"
        )
    return folder


def build() -> Path:
    """Build the programs unless it has been done; return their folder.

    Progress goes to stderr. Raises ServerUnavailable, ServerFailed.
    """
    finished = _finished()
    if finished.is_dir():
        return finished
    cache().mkdir(parents=True, exist_ok=True)
    work = cache() / "build"
    _say(f"building Kubernetes {recipe.VERSION} in {work}, once: {MINUTES} minutes")
    with locked(cache() / "build.lock", lambda: _say("another build is under way: waiting for it")):
        if not finished.is_dir():
            free = shutil.disk_usage(cache()).free
            if free < SPACE and not work.exists():
                raise ServerUnavailable(
                    f"{cache()} has {free / 1e9:.1f} GB left, and the build needs "
                    f"{SPACE / 1e9:.0f}; XDG_CACHE_HOME can name another place"
                )
            began = time.monotonic()
            _Build(work).run(finished)
            shutil.rmtree(work)
            _say(f"done in {_clock(time.monotonic() - began)}: {finished}")
    return finished


class _Build:
    """A build in its folder, whose steps are left out when they are done."""

    def __init__(self, work: Path) -> None:
        self.work = work
        self.source = recipe.source(work)
        self.log = work / "build.log"

    def run(self, finished: Path) -> None:
        self.work.mkdir(exist_ok=True)
        # What was compiled for another recipe may be of use still, but not its source.
        stamp = self.work / recipe.identity()
        if not stamp.exists():
            self.fetch()
            stamp.touch()
        if not (self.source / recipe.OPENAPI).exists():
            self.generate()
        self.compile([f"./cmd/{name}" for name in recipe.COMPONENTS], recipe.link_flags())
        made = self.work / "bin"
        shutil.copy(self.source / recipe.PAUSE, made)
        made.rename(finished)

    def fetch(self) -> None:
        """Fetch and unpack the sources."""
        _say("fetching the source (45 MB)")
        downloads = self.work / "downloads"
        downloads.mkdir(exist_ok=True)
        apt = recipe.apt(self.work / "apt")
        self.step([*apt, "update"], downloads)
        packages = [archive.package for archive in (recipe.KUBERNETES, recipe.REFLECT2)]
        self.step([*apt, "source", "--download-only", *packages], downloads)
        recipe.unpack(recipe.KUBERNETES, downloads, self.source)
        recipe.unpack(recipe.REFLECT2, downloads, self.source / recipe.REFLECT2_HOME)

    def generate(self) -> None:
        """Generate the source file that is missing."""
        _say("generating the description of the API")
        self.compile([recipe.OPENAPI_GEN])
        generator = self.work / "bin" / "openapi-gen"
        arguments = recipe.openapi_arguments(self.source)
        self.step([str(generator), *arguments], self.source, recipe.environment(self.work))
        new = (self.source / recipe.OPENAPI).with_name(f"{recipe.OPENAPI_NEW}.go")
        new.rename(self.source / recipe.OPENAPI)
        generator.unlink()

    def compile(self, commands: Sequence[str], link: str = "") -> None:
        """Compile commands into the folder `bin`, with news of how far it is."""
        (self.work / "bin").mkdir(exist_ok=True)
        output = f"-o={self.work / 'bin'}/"
        argv = [str(recipe.go()), "build", *recipe.COMPILE, f"-ldflags={link}", output, *commands]
        environment = recipe.environment(self.work)
        began, said = time.monotonic(), time.monotonic()
        counted = self.work / "compiled"
        # Line by line, for a build that goes on after this one was killed.
        with self.log.open("a") as log, counted.open("a+", buffering=1) as compiled:
            compiled.seek(0)
            before = count = len(compiled.readlines())
            with subprocess.Popen(
                argv,
                cwd=self.source,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.PIPE,
                text=True,
            ) as process:
                assert process.stderr is not None
                for line in process.stderr:
                    log.write(line)
                    # Go names the packages that it has compiled. What is wrong has more words.
                    if len(line.split()) == 1:
                        compiled.write(line)
                        count += 1
                    if time.monotonic() > said + SAY_EVERY:
                        said = time.monotonic()
                        rate = max(1, count - before) / (said - began)
                        left = _clock(max(0, recipe.PACKAGES - count) / rate + LINKING)
                        _say(f"compiled {count} of {recipe.PACKAGES} packages, about {left} left")
        if process.returncode:
            self.fail("Go")

    def step(
        self, argv: Sequence[str], folder: Path, environment: dict[str, str] | None = None
    ) -> None:
        """Run a program to its end, with its output in the log."""
        with self.log.open("a") as log:
            done = subprocess.run(
                argv,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                check=False,
            )
        if done.returncode:
            self.fail(Path(argv[0]).name)

    def fail(self, what: str) -> None:
        """Raise ServerFailed."""
        raise ServerFailed(
            f"{what} failed; {self.log} ends:\n{tail(self.log)}\n"
            "When the cause is mended (the network, say, or space on the disk), run it again: "
            "it goes on from here."
        )


def _finished() -> Path:
    return cache() / f"kubernetes-{recipe.VERSION}-{recipe.identity()}"


def _say(text: str) -> None:
    sys.stderr.write(f"cluster: {text}\n")
    sys.stderr.flush()


def _clock(seconds: float) -> str:
    return f"{seconds // 60:.0f}:{seconds % 60:02.0f}"
