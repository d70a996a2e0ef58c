"""`make bundle`: the folder as a tar.gz for each architecture, lists of what is inside, the image.

    python -m bundle FOLDER [--full] [--architecture amd64|arm64]

writes agtool-VERSION-linux-ARCHITECTURE.tar.gz, the same with .cdx.json, and
agtool-VERSION-image.tar, an OCI archive for the architectures that were chosen (default: both).
With --full they have all commands, and begin with agtool-full.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from agtool import __version__
from agtool.core.files import write_atomically
from agtool.pause.image import Image, write_archive
from bundle import ARCHITECTURES, apt, folder, python
from bundle.selection import FULL, SMALL, Selection


def image_name(selection: Selection) -> str:
    """What a cluster finds the image by that imports the archive."""
    return f"localhost/agtool/{selection.name}:{__version__}"


def make(
    target: Path, architectures: Iterable[str] = ARCHITECTURES, selection: Selection = SMALL
) -> list[Path]:
    """Write everything into a folder; return the paths, the image's last.

    Raises apt.AptError, CalledProcessError, KeyError for a machine that has no folder, OSError.
    """
    target.mkdir(parents=True, exist_ok=True)
    written, images = [], []
    with tempfile.TemporaryDirectory(prefix="agtool-") as name:
        raw = Path(name)
        for one in sorted({*architectures, python.machine()}):
            folder.unpack(one, selection, raw)
        for one in architectures:
            files = folder.make(one, selection, raw)
            image = folder_image(one, files, python.Python(raw))
            images.append(image)
            base = target / f"{selection.name}-{__version__}-linux-{one}"
            for suffix, content in (
                (".tar.gz", image.layer),
                (".cdx.json", files[folder.CONTENTS].content),
            ):
                written.append(base.with_name(base.name + suffix))
                write_atomically(written[-1], content, mode=0o644)
    archive = target / f"{selection.name}-{__version__}-image.tar"
    write_archive(archive, image_name(selection), images)
    return [*written, archive]


def folder_image(architecture: str, files: dict[str, folder.File], used: python.Python) -> Image:
    """The image whose only layer is the folder, as /agtool: the tar.gz is that layer."""
    placed = {f"/agtool/{name}": file for name, file in files.items()}
    return Image(
        architecture,
        {name: file.content for name, file in placed.items()},
        ["/agtool/agtool"],
        data={name for name, file in placed.items() if not file.executable},
        gzip=used.compressed,
    )


def main() -> int:
    """Run from the command line; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bundle", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--full", action="store_true", help="with all commands")
    parser.add_argument("--architecture", choices=ARCHITECTURES, action="append")
    given = parser.parse_args()
    try:
        chosen = given.architecture or ARCHITECTURES
        for path in make(given.folder, chosen, FULL if given.full else SMALL):
            sys.stdout.write(f"{path}  {path.stat().st_size / 1e6:.1f} MB\n")
    except (apt.AptError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except subprocess.CalledProcessError as error:
        return error.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
