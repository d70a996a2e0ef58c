"""Writes go.mod and go.sum of each module in `modules/`, from the versions in `recipe.py`."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.cluster import toolchain
from tests.cluster.places import cache
from tests.cluster.recipe import Module, everything
from tests.servers.process import ServerFailed

PROGRAMS = "programs.go"


def lock(say: Callable[[str], None]) -> None:
    """Write them anew. Raises ServerUnavailable where there is no Go, and ServerFailed."""
    go = toolchain.provided(say)
    scratch = cache() / "lock"
    scratch.mkdir(parents=True, exist_ok=True)
    environment = toolchain.environment(go, scratch)
    for module in everything():
        say(f"{module.folder.name}: {module.path} {module.version}")
        module.folder.mkdir(parents=True, exist_ok=True)
        (module.folder / PROGRAMS).write_text(imports(module))
        wanted = f"{module.path}@v{module.version}"
        found = json.loads(_run(go, environment, scratch, "mod", "download", "-json", wanted))
        file = json.loads(_run(go, environment, scratch, "mod", "edit", "-json", found["GoMod"]))
        (module.folder / "go.mod").write_text(go_mod(module, file))
        (module.folder / "go.sum").unlink(missing_ok=True)
        _run(go, environment, module.folder, "mod", "tidy")
    shutil.rmtree(scratch)


def imports(module: Module) -> str:
    """The file by which `go mod tidy` sees what is built. It is not compiled itself."""
    listed = "".join(f'\t_ "{package}"\n' for package in module.programs.values())
    return f"//go:build tools\n\npackage {module.name}\n\nimport (\n{listed})\n"


def go_mod(module: Module, theirs: Any) -> str:
    """A go.mod that asks for the module, as its own go.mod (read by `go mod edit`) has it.

    Kubernetes replaces its parts by folders beside it. Each of them is published, too: with the
    same minor and patch number, below v0. A replacement is not taken over with a requirement.
    """
    _, minor, patch = module.version.split(".")
    lines = [f"module agtool.example/{module.name}", f"go {theirs['Go']}"]
    lines += [f"godebug {each['Key']}={each['Value']}" for each in theirs.get("Godebug") or ()]
    lines += [f"require {module.path} v{module.version}"]
    for each in theirs.get("Replace") or ():
        old, new = each["Old"]["Path"], each["New"]["Path"]
        if new.startswith("./staging/"):
            lines.append(f"replace {old} => {old} v0.{minor}.{patch}")
    return "\n\n".join(lines) + "\n"


def _run(go: Path, environment: dict[str, str], folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [go, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise ServerFailed(f"go {' '.join(arguments)} in {folder}: {done.stderr.strip()}")
    return done.stdout
