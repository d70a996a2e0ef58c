"""Container images without a container engine: an archive that engines and clusters can import.

    python -m agtool.pause.image pause.tar        # pause for all architectures

The archive is an OCI image layout in a tar file. With one architecture in it, it is also what
`docker save` makes, so that `docker load` reads it whatever its age. The same input gives the
same bytes, hence the same digest.

Specification: OCI image-spec 1.1, image-layout.md, image-index.md, manifest.md and config.md.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import re
import sys
import tarfile
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from agtool import __version__
from agtool.core.errors import AgtoolError
from agtool.core.files import write_atomically
from agtool.pause import ARCHITECTURES, binary

NOBODY = "65532:65532"
"""User and group of the images: in numbers, since an image from scratch knows no names."""

NAME = re.compile(r"[\w.-]+(:\d+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+:\w[\w.-]{0,127}", re.ASCII)
"""registry/name:tag, by the grammar of github.com/distribution/reference."""

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"


@dataclass(frozen=True)
class Image:
    """An image for one architecture, with one layer.

    files: absolute path -> content. All files can be written by nobody.
    links: absolute path -> what a symbolic link there says.
    data: paths of files that are no programs; all others are executable.
    gzip: compresses the layer; None: it stays as it is.
    """

    architecture: str
    files: Mapping[str, bytes]
    entrypoint: Sequence[str]
    user: str = NOBODY
    links: Mapping[str, str] = field(default_factory=dict)
    data: Collection[str] = ()
    gzip: Callable[[bytes], bytes] | None = None

    @property
    def platform(self) -> dict[str, str]:
        """What it runs on, in the words of OCI."""
        platform = {"architecture": self.architecture, "os": "linux"}
        # "arm" alone is ambiguous: engines take it for v7, but not all do.
        return {**platform, "variant": "v7"} if self.architecture == "arm" else platform

    @cached_property
    def content(self) -> bytes:
        """All files and links, as a tar file."""
        modes = {name: 0o444 if name in self.data else 0o555 for name in self.files}
        return _tar(self.files, modes, self.links)

    @cached_property
    def layer(self) -> bytes:
        """The same, compressed if that is wanted."""
        return self.gzip(self.content) if self.gzip else self.content


def pause_image(architecture: str) -> Image:
    """The image that has nothing but pause in it. Raises as `agtool.pause.binary` does."""
    program = binary(architecture).read_bytes()
    return Image(architecture, {"/pause": program}, ["/pause"])


def write_archive(path: Path, name: str, images: Sequence[Image]) -> str:
    """Write an archive with one image, or with one for several architectures.

    name: what a cluster finds it by, with its registry and tag: localhost/agtool/pause:1.
    Returns the digest by which it can be referred to ("sha256:..."). Raises OSError.
    """
    layout = _Layout()
    manifests = [layout.add_image(image) for image in images]
    if len(manifests) == 1:
        (top,) = manifests
        layout.files["manifest.json"] = _json(layout.docker_manifest(name))
    else:
        top = layout.add(INDEX, _json(_index(manifests)))
    annotations = {
        "io.containerd.image.name": name,
        "org.opencontainers.image.ref.name": name.rpartition(":")[2],
    }
    layout.files["index.json"] = _json(_index([{**top, "annotations": annotations}]))
    layout.files["oci-layout"] = _json({"imageLayoutVersion": "1.0.0"})
    write_atomically(path, _tar(layout.files, dict.fromkeys(layout.files, 0o644), {}), mode=0o644)
    return str(top["digest"])


@dataclass
class _Layout:
    """The files of an image layout, as they come together."""

    files: dict[str, bytes] = field(default_factory=dict)
    manifests: list[dict[str, Any]] = field(default_factory=list)

    def add(self, media_type: str, content: bytes) -> dict[str, Any]:
        """Store a blob under its digest; return its descriptor."""
        digest = _digest(content)
        self.files[f"blobs/{digest.replace(':', '/')}"] = content
        return {"mediaType": media_type, "digest": digest, "size": len(content)}

    def add_image(self, image: Image) -> dict[str, Any]:
        """Store an image; return the descriptor of its manifest."""
        layer = self.add(f"{LAYER}+gzip" if image.gzip else LAYER, image.layer)
        config = {
            **image.platform,
            # Engines show it, and some want it; the present time would change the digest.
            "created": "1970-01-01T00:00:00Z",
            "config": {"Entrypoint": list(image.entrypoint), "User": image.user, "WorkingDir": "/"},
            # Of the content, which is the layer itself if that is not compressed.
            "rootfs": {"type": "layers", "diff_ids": [_digest(image.content)]},
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self.add(CONFIG, _json(config)),
            "layers": [layer],
        }
        self.manifests.append(manifest)
        return {**self.add(MANIFEST, _json(manifest)), "platform": image.platform}

    def docker_manifest(self, name: str) -> list[dict[str, Any]]:
        """What `docker load` reads, for the only image."""
        (manifest,) = self.manifests
        blobs = (manifest["config"], *manifest["layers"])
        config, layer = (f"blobs/{blob['digest'].replace(':', '/')}" for blob in blobs)
        return [{"Config": config, "RepoTags": [name], "Layers": [layer]}]


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _index(manifests: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {"schemaVersion": 2, "mediaType": INDEX, "manifests": list(manifests)}


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _tar(files: Mapping[str, bytes], modes: Mapping[str, int], links: Mapping[str, str]) -> bytes:
    """A tar file whose bytes depend on nothing but the arguments; folders come before files."""
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        names = [PurePosixPath(name.strip("/")) for name in (*files, *links)]
        folders = {parent for name in names for parent in name.parents}
        for folder in sorted(folders - {PurePosixPath()}):
            entry = tarfile.TarInfo(str(folder))
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(entry)
        for name, content in sorted(files.items()):
            entry = tarfile.TarInfo(name.strip("/"))
            entry.size, entry.mode = len(content), modes[name]
            archive.addfile(entry, io.BytesIO(content))
        for name, target in sorted(links.items()):
            entry = tarfile.TarInfo(name.strip("/"))
            entry.type, entry.linkname, entry.mode = tarfile.SYMTYPE, target, 0o777
            archive.addfile(entry)
    return output.getvalue()


def _name(text: str) -> str:
    """Return the name of an image, if it is a whole one: containerd imports under any other too."""
    if not NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not like localhost/agtool/pause:1")
    return text


def main(arguments: Sequence[str] | None = None) -> int:
    """Write an archive of pause and print its digest. Returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m agtool.pause.image", description="Write an image of pause, as an archive."
    )
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument(
        "--architecture",
        action="append",
        choices=ARCHITECTURES,
        help="one that the image is for; may be repeated (default: all)",
    )
    parser.add_argument(
        "--name",
        type=_name,
        default=f"localhost/agtool/pause:{__version__}",
        help="registry/name:tag by which a cluster finds it (default: %(default)s)",
    )
    given = parser.parse_args(arguments)
    chosen = dict.fromkeys(given.architecture or ARCHITECTURES)
    try:
        digest = write_archive(given.file, given.name, [pause_image(one) for one in chosen])
    except AgtoolError as error:
        sys.stderr.write(f"{error.message}\n{error.hint}\n")
        return error.exit_code
    except OSError as error:
        sys.stderr.write(f"cannot write {given.file}: {error.strerror}\n")
        return 1
    try:
        sys.stdout.write(f"{digest}\n")
        sys.stdout.flush()
    except OSError as error:
        # Or Python would try again at exit, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.stderr.write(f"{given.file} is written; cannot print its digest: {error.strerror}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
