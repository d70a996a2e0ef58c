"""Installs a tool into the cache, as the lock files in its folder say, and finds it there.

Versions are pinned and, where the kind of package has them, hashes too. Where packages come from
is the person's: the ordinary clients with their ordinary settings.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.cluster import toolchain
from tests.cluster.places import cache
from tests.servers.process import ServerFailed, ServerUnavailable
from tests.servers.versions import new_folder

ROOT = Path(__file__).parents[2]
TOOLS = Path(__file__).parent

Say = Callable[[str], None]


def names() -> list[str]:
    """The tools that have a folder here."""
    return sorted(path.parent.name for path in TOOLS.glob("*/test_*.py"))


def place(tool: str) -> Path:
    """The folder of a tool in the cache; another one after a change of what it is made from."""
    digest = hashlib.sha256()
    for path in sorted(path for path in (TOOLS / tool).iterdir() if path.is_file()):
        if not path.name.startswith("test_"):
            digest.update(f"{path.name}\0".encode() + path.read_bytes())
    return _all() / f"{tool}-{digest.hexdigest()[:12]}"


def installed(tool: str) -> Path:
    """Return a tool's folder in the cache. Raises ServerUnavailable: it is not installed."""
    if not (found := place(tool)).is_dir():
        raise ServerUnavailable(f"{tool} is not installed: `make tools PARTS={tool}` does it")
    return found


def programs(folder: Path) -> list[Path]:
    """The folders with a tool's programs."""
    places = (folder / "bin", folder / "venv" / "bin", folder / "node_modules" / ".bin")
    return [path for path in places if path.is_dir()]


def install(tool: str, say: Say) -> None:
    """Install a tool, unless it is there. Raises ServerUnavailable and ServerFailed."""
    source = TOOLS / tool
    if (packages := source / "packages.txt").exists():
        say(f"{tool}: Debian's packages of packages.txt (a minute, if some are missing)")
        _run(["tests/install-system-packages.sh", *packages.read_text().split()], ROOT)
    with new_folder(place(tool)) as made:
        if made is None:
            return
        for lock, method in KINDS.items():
            if (source / lock).exists():
                method(source, made, lambda text: say(f"{tool}: {text}"))


def _python(source: Path, made: Path, say: Say) -> None:
    say("waiting for PyPI: installing requirements.txt (half a minute)")
    uv = str(Path(sys.executable).with_name("uv"))
    venv = made / "venv"
    # Relocatable, since the folder gets its name when all is there.
    _run([uv, "venv", "--no-config", "--quiet", "--relocatable", "--python", sys.executable, venv])
    _run(
        [
            *(uv, "pip", "install", "--no-config", "--quiet", "--python", venv / "bin" / "python"),
            *("--require-hashes", "--requirement", source / "requirements.txt"),
        ]
    )


def _go(source: Path, made: Path, say: Say) -> None:
    go = toolchain.provided(say)
    say("waiting for Go modules and the compiler (one to three minutes)")
    scratch = _all() / "go"
    scratch.mkdir(parents=True, exist_ok=True)
    tags = source / "go.tags"
    options = [f"-tags={','.join(tags.read_text().split())}"] if tags.exists() else []
    environment = toolchain.environment(go, scratch) | {"GOBIN": str(made / "bin")}
    # The programs are the `tool`s of go.mod, and main packages beside it.
    wanted = ["tool"] if "\ntool" in (source / "go.mod").read_text() else []
    wanted += ["."] if list(source.glob("*.go")) else []
    _run([go, "install", "-mod=readonly", *options, *wanted], source, environment)


def _modules(source: Path, made: Path, say: Say) -> None:
    """The files in folders of Go modules, as `MODULE@VERSION FOLDER` in each line says."""
    go = toolchain.provided(say)
    say("waiting for Go modules (a few seconds)")
    scratch = _all() / "go"
    scratch.mkdir(parents=True, exist_ok=True)
    environment = toolchain.environment(go, scratch)
    for line in (source / "modules.txt").read_text().splitlines():
        module, folder = line.split()
        _run([go, "mod", "download", module], scratch, environment)
        for file in (scratch / "modules" / module / folder).iterdir():
            shutil.copyfile(file, made / file.name)


def _npm(source: Path, made: Path, say: Say) -> None:
    say("waiting for the npm registry: installing package-lock.json (half a minute)")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(source / name, made)
    _run(["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"], made)


def _maven(source: Path, made: Path, say: Say) -> None:
    """The jars into `lib`, our Java files compiled into `classes`, and the tool into `bin`.

    The class that starts it stands in `main-class.txt`.
    """
    say("waiting for Maven: the jars of pom.xml (one minute)")
    goal = ("dependency:copy-dependencies", f"-DoutputDirectory={made / 'lib'}")
    _run(["mvn", "--batch-mode", "--quiet", f"--file={source / 'pom.xml'}", *goal])
    if sources := sorted(source.glob("*.java")):
        classes = made / "classes"
        _run(["javac", "-cp", f"{made / 'lib'}/*", "-d", classes, *sources])
    program = made / "bin" / source.name
    program.parent.mkdir()
    main = (source / "main-class.txt").read_text().strip()
    program.write_text(_JAVA.format(place=place(source.name), main=main))
    program.chmod(0o755)


# No second compiler of bytecode, for what runs for a second: half the CPU of a start.
_JAVA = """\
#!/bin/sh
exec java -XX:TieredStopAtLevel=1 -cp '{place}/classes:{place}/lib/*' {main} "$@"
"""


KINDS: Mapping[str, Callable[[Path, Path, Say], None]] = {
    "requirements.txt": _python,
    "go.mod": _go,
    "modules.txt": _modules,
    "package-lock.json": _npm,
    "pom.xml": _maven,
}


def _all() -> Path:
    return cache().with_name("tools")


def _run(
    argv: list[str | Path], folder: Path = ROOT, environment: Mapping[str, str] | None = None
) -> None:
    """Run a program to its end. Raises ServerUnavailable: there is none; ServerFailed."""
    try:
        done = subprocess.run(
            argv,
            cwd=folder,
            env=environment if environment is not None else os.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise ServerUnavailable(f"{error.filename} is not installed") from None
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()[-15:]
        raise ServerFailed("\n".join([f"{argv[0]} ended with {done.returncode}:", *said]))
