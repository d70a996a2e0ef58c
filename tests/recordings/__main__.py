"""Makes the recordings of docs/recordings, and its page.

python -m tests.recordings [SCENE...]     (no SCENE: all)
"""

import argparse
import subprocess
import tempfile
import time
from pathlib import Path

from agtool import __version__
from bench.figures import paragraph
from tests.programs import carry_out, voice
from tests.recordings.scenes import ROOT, SCENES, Scene, play
from tests.servers.process import ServerFailed, ServerUnavailable

_say = voice("recordings")

FOLDER = ROOT / "docs" / "recordings"
ABOUT = """
Real runs on real servers, made by `make recordings`: a PostgreSQL, a Kubernetes cluster with a
node, Pebble with certbot. What is typed is typed by a script, and waits of more than 2.5 seconds
are cut to that. Where the system is set to reduced motion, the pictures stand still and show the
end.
"""
PYTHON = ROOT / ".venv-docs" / "bin" / "python"


def main() -> int:
    """Return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.recordings",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = [scene.name for scene in SCENES]
    parser.add_argument("scenes", nargs="*", metavar="SCENE", help=", ".join(names))
    chosen = parser.parse_args().scenes or names
    if unknown := sorted(set(chosen) - set(names)):
        parser.error(f"no such scene: {', '.join(unknown)}; there are {', '.join(names)}")
    try:
        for scene in SCENES:
            if scene.name in chosen:
                _say(f"{scene.name} ...")
                _record(scene)
    except (ServerFailed, ServerUnavailable) as error:
        _say(f"{error}")
        return 1
    (FOLDER / "README.md").write_text(_page(), encoding="utf-8")
    return 0


def _record(scene: Scene) -> None:
    with tempfile.TemporaryDirectory() as name:
        cast = Path(name) / "recording.cast"
        play(scene, cast)
        FOLDER.mkdir(exist_ok=True)
        when = f"agtool {__version__}, {time.strftime('%Y-%m-%d', time.gmtime())}."
        draw: list[Path | str] = [
            PYTHON,
            ROOT / "tests" / "recordings" / "draw.py",
            cast,
            scene.title,
        ]
        svg, text = FOLDER / f"{scene.name}.svg", FOLDER / f"{scene.name}.txt"
        subprocess.run([*draw, f"{scene.description} {when}", svg, text], check=True)


def _page() -> str:
    """The page with all of them, and what they say as text."""
    parts = ["# Recordings", paragraph(ABOUT)]
    for scene in (scene for scene in SCENES if (FOLDER / f"{scene.name}.txt").exists()):
        text = (FOLDER / f"{scene.name}.txt").read_text(encoding="utf-8")
        parts += [
            f"## {scene.title}",
            f"![{scene.title}]({scene.name}.svg)",
            paragraph(scene.description),
            "<details><summary>All of it as text</summary>",
            f"```text\n{text}```",
            "</details>",
        ]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    carry_out(main, _say)
