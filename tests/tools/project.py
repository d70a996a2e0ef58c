"""The files of an application at some release, as they would lie in its image."""

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

TOOLS = Path(__file__).parent


def write_project(
    tool: str, engine: str, statements: Mapping[str, str], release: int, folder: Path
) -> None:
    """Make a folder with the files of the project and of all releases up to this one.

    Args:
        statements: SQL that stands for @NAME@ in the files, as `Target.statements`.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    releases = [f"release-{number}" for number in range(1, release + 1)]
    for part in ("project", f"project-{engine}", *releases):
        if (source := TOOLS / tool / part).is_dir():
            shutil.copytree(source, folder, dirs_exist_ok=True)
    for path in folder.rglob("*"):
        if path.is_file() and "@" in (text := path.read_text(encoding="utf-8")):
            made = re.sub(r"@(\w+)@", lambda found: statements.get(found[1], found[0]), text)
            path.write_text(made, encoding="utf-8")
