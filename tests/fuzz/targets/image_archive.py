"""An OCI archive of any program: every blob has the digest and the size that its name says."""

import hashlib
import json
import tarfile
import tempfile
from functools import cache
from pathlib import Path

from agtool.pause.image import Image, write_archive


@cache
def file() -> Path:
    """The one that all checks write."""
    return Path(tempfile.mkdtemp()) / "image.tar"


def check(data: bytes) -> None:
    """The first byte says how many images and whether they are compressed, the rest the program."""
    first = data[0] if data else 0
    images = [Image(name, {"/x": data[1:]}, ["/x"]) for name in ("amd64", "arm64")[: 1 + first % 2]]
    digest = write_archive(file(), "localhost/x:1", images)
    with tarfile.open(file()) as archive:
        files = {each.name: archive.extractfile(each) for each in archive if each.isfile()}
        contents = {name: found.read() for name, found in files.items() if found}
    for name, content in contents.items():
        if name.startswith("blobs/sha256/"):
            assert hashlib.sha256(content).hexdigest() == name.rpartition("/")[2]
    (top,) = json.loads(contents["index.json"])["manifests"]
    assert top["digest"] == digest
    assert f"blobs/{digest.replace(':', '/')}" in contents
