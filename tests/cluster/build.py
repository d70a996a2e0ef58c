"""Builds the programs of a cluster once, into the cache; an interrupted build goes on.

Libraries, what Go has compiled and the programs lie in a folder until all is done. The programs of
each module then move to a folder that is named by what they were built from; the rest is removed.
"""

import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, TextIO

from tests.cluster import recipe, toolchain
from tests.cluster.instances import locked
from tests.cluster.places import cache
from tests.cluster.recipe import Module
from tests.programs import ending_with_us
from tests.servers.process import ServerFailed, ServerUnavailable, tail

SPACE = 6_500_000_000
"""Bytes that the build needs on the disk for its time; 600 MB of them stay."""

MINUTES = "8 to 15"

SAY_EVERY = 10.0


class Programs(NamedTuple):
    """The folders with the programs of each module."""

    kubernetes: Path
    etcd: Path
    containerd: Path

    @property
    def kubectl(self) -> Path:
        """kubectl of that version."""
        return self.kubernetes / "kubectl"

    @property
    def pause(self) -> Path:
        """The source of Kubernetes' own pause, which is measured beside ours."""
        return self.kubernetes / "pause.c"


def programs() -> Programs:
    """Where the programs are. Raises ServerUnavailable when they have not been built."""
    go = toolchain.compiler()
    found = [_finished(module, go) for module in recipe.chosen()] if go else []
    if not found or not all(folder.is_dir() for folder in found):
        raise ServerUnavailable(
            "Kubernetes is not built for the tests yet: `python -m tests.cluster build` does it, "
            f"in {MINUTES} minutes"
        )
    return Programs(*found)


def helm() -> Path:
    """Where Helm is. Raises ServerUnavailable when it has not been built."""
    return _built(recipe.HELM)


def kustomize() -> Path:
    """Where Kustomize is. Raises ServerUnavailable when it has not been built."""
    return _built(recipe.KUSTOMIZE)


def _built(module: Module) -> Path:
    """The program of a module that has one."""
    go = toolchain.compiler()
    found = _finished(module, go) / module.name if go else None
    if not found or not found.exists():
        raise ServerUnavailable(
            f"{module.name} is not built for the tests yet: `python -m tests.cluster build` does it"
        )
    return found


def build() -> Programs:
    """Build what is not there yet; return where the programs are.

    Progress goes to stderr. Raises ServerUnavailable, ServerFailed.
    """
    cache().mkdir(parents=True, exist_ok=True)
    with locked(cache() / "go.lock", lambda: _say("another build fetches Go: waiting for it")):
        go = toolchain.provided(_say)
    modules = (*recipe.chosen(), recipe.HELM, recipe.KUSTOMIZE)
    if not _missing(modules, go):
        return programs()
    work = cache() / "build"
    _say(f"building {_names(_missing(modules, go))} in {work}, once: {MINUTES} minutes")
    with locked(cache() / "build.lock", lambda: _say("another build is under way: waiting for it")):
        if missing := _missing(modules, go):
            free = shutil.disk_usage(cache()).free
            if free < SPACE and not work.exists():
                raise ServerUnavailable(
                    f"{cache()} has {free / 1e9:.1f} GB left, and the build needs "
                    f"{SPACE / 1e9:.0f}; XDG_CACHE_HOME can name another place"
                )
            began = time.monotonic()
            _Build(work, go, missing).run()
            shutil.rmtree(work)
            _say(f"done in {_clock(time.monotonic() - began)}: {cache()}")
    return programs()


class _Build:
    """A build in its folder. What Go has compiled there already takes it no time."""

    def __init__(self, work: Path, go: Path, modules: list[Module]) -> None:
        self.work = work
        self.modules = modules
        self.log = work / "build.log"
        self._go = go
        self._environment = toolchain.environment(go, work)

    def run(self) -> None:
        self.work.mkdir(exist_ok=True)
        for number, module in enumerate(self.modules):
            made = self.work / _finished(module, self._go).name
            shutil.rmtree(made, ignore_errors=True)
            made.mkdir()
            self.compile(module, made, later=self.modules[number + 1 :])
            if module.name == "kubernetes":
                shutil.copy(self.source(module) / "build/pause/linux/pause.c", made)
            made.rename(_finished(module, self._go))

    def compile(self, module: Module, made: Path, later: list[Module]) -> None:
        """Compile a module's programs into a folder, with news of how far it is."""
        argv = [str(self._go), "build", *recipe.COMPILE, f"-tags={module.tags}"]
        argv += [f"-ldflags={' '.join(module.link)}", f"-o={made}/", *module.programs.values()]
        with (
            self.log.open("a") as log,
            # Line by line, for a build that goes on after this one was killed.
            (self.work / f"{made.name}.compiled").open("a+", buffering=1) as record,
            subprocess.Popen(
                argv,
                cwd=module.folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.PIPE,
                text=True,
            ) as process,
            ending_with_us(process),
        ):
            assert process.stderr is not None
            counter = _Counter(record, module, later)
            for line in process.stderr:
                log.write(line)
                counter.hear(line)
        if process.returncode:
            raise ServerFailed(
                f"Go failed; {self.log} ends:\n{tail(self.log)}\n"
                "When the cause is mended (the network, say, or space on the disk), run it again: "
                "it goes on from here."
            )
        # Go takes the name from the path, as which "server" would be etcd.
        for name, package in module.programs.items():
            if not (made / name).exists():
                (made / Path(package).parent.name).rename(made / name)

    def source(self, module: Module) -> Path:
        """The folder with the source of a module, as it was fetched."""
        argv = [str(self._go), "list", "-m", "-f={{.Dir}}", module.path]
        found = subprocess.run(
            argv,
            cwd=module.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return Path(found.stdout.strip())


class _Counter:
    """Counts the packages that are compiled, and says now and then how long it will take still."""

    def __init__(self, record: TextIO, module: Module, later: list[Module]) -> None:
        record.seek(0)
        self._before = self._count = len(record.readlines())
        self._record = record
        self._module = module
        self._later = later
        self._began = self._said = time.monotonic()

    def hear(self, line: str) -> None:
        """Take in what Go says: the packages that it has compiled. What else it says has spaces."""
        if line.startswith("go: downloading ") and self._count == self._before:
            # Compiling has not begun.
            self._began = time.monotonic()
        if len(line.split()) == 1:
            self._record.write(line)
            self._count += 1
        if time.monotonic() > self._said + SAY_EVERY:
            self._said = time.monotonic()
            self._say()

    def _say(self) -> None:
        module = self._module
        if self._count == self._before:
            _say(f"{module.name}: fetching what it is made of")
            return
        rate = (self._count - self._before) / (self._said - self._began)
        left = max(0, module.packages - self._count) + sum(each.packages for each in self._later)
        linking = sum(each.linking for each in (module, *self._later))
        _say(
            f"{module.name}: compiled {self._count} of {module.packages} packages, about "
            f"{_clock(left / rate + linking)} left for all"
        )


def _missing(modules: Sequence[Module], go: Path) -> list[Module]:
    return [module for module in modules if not _finished(module, go).is_dir()]


def _finished(module: Module, go: Path) -> Path:
    compiler = toolchain.version(go)
    return cache() / f"{module.name}-{module.version}-{module.identity(compiler)}"


def _names(modules: list[Module]) -> str:
    return ", ".join(f"{module.name} {module.version}" for module in modules)


def _say(text: str) -> None:
    sys.stderr.write(f"cluster: {text}\n")
    sys.stderr.flush()


def _clock(seconds: float) -> str:
    return f"{seconds // 60:.0f}:{seconds % 60:02.0f}"
