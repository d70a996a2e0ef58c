"""Image archives, read back by the rules of the OCI image specification."""

import hashlib
import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

import agtool.pause
from agtool.pause.image import Image, main, pause_image, write_archive

NAME = "localhost/some/image:1.2"


def made(architecture: str, **more: Any) -> Image:
    return Image(architecture, {"/bin/it": architecture.encode()}, ["/bin/it", "now"], **more)


def read(archive: bytes) -> dict[str, bytes]:
    """Return the files in a tar file; each must look as if nobody had made it at no time."""
    files = {}
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for entry in tar:
            assert (entry.mtime, entry.uid, entry.gid, entry.uname) == (0, 0, 0, "")
            content = tar.extractfile(entry)
            if content is not None:
                files[entry.name] = content.read()
    return files


def blob(files: dict[str, bytes], descriptor: dict[str, Any]) -> bytes:
    """Return what a descriptor points at; size and digest must be right."""
    algorithm, _, digest = descriptor["digest"].partition(":")
    content = files[f"blobs/{algorithm}/{digest}"]
    assert len(content) == descriptor["size"]
    assert hashlib.new(algorithm, content).hexdigest() == digest
    return content


def test_one_architecture(tmp_path: Path) -> None:
    path = tmp_path / "one.tar"
    digest = write_archive(path, NAME, [made("amd64", user="1:2")])

    files = read(path.read_bytes())
    assert json.loads(files["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    (top,) = json.loads(files["index.json"])["manifests"]
    assert top["digest"] == digest
    assert top["annotations"]["io.containerd.image.name"] == NAME
    assert top["annotations"]["org.opencontainers.image.ref.name"] == "1.2"

    manifest = json.loads(blob(files, top))
    assert manifest["mediaType"] == top["mediaType"]
    config = json.loads(blob(files, manifest["config"]))
    assert (config["architecture"], config["os"]) == ("amd64", "linux")
    assert config["config"]["Entrypoint"] == ["/bin/it", "now"]
    assert config["config"]["User"] == "1:2"

    (layer,) = manifest["layers"]
    content = blob(files, layer)
    assert config["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(content).hexdigest()}"]
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        assert [(entry.name, oct(entry.mode)) for entry in tar] == [
            ("bin", "0o755"),
            ("bin/it", "0o555"),
        ]

    (docker,) = json.loads(files["manifest.json"])
    assert docker["RepoTags"] == [NAME]
    assert files[docker["Config"]] == blob(files, manifest["config"])
    assert [files[name] for name in docker["Layers"]] == [content]


def test_links(tmp_path: Path) -> None:
    path = tmp_path / "links.tar"
    write_archive(path, NAME, [made("amd64", links={"/usr/bin/also": "../../bin/it", "/sh": "it"})])
    files = read(path.read_bytes())
    (layer,) = json.loads(files["manifest.json"])[0]["Layers"]
    with tarfile.open(fileobj=io.BytesIO(files[layer])) as tar:
        assert [entry.name for entry in tar] == [
            "bin",
            "usr",
            "usr/bin",
            "bin/it",
            "sh",
            "usr/bin/also",
        ]
        also = tar.getmember("usr/bin/also")
        assert (also.issym(), also.linkname, also.mtime, also.uid) == (True, "../../bin/it", 0, 0)


def test_several_architectures(tmp_path: Path) -> None:
    path = tmp_path / "several.tar"
    digest = write_archive(path, NAME, [made("amd64"), made("arm"), made("s390x")])

    files = read(path.read_bytes())
    assert "manifest.json" not in files, "docker load would take the last one for all"
    (top,) = json.loads(files["index.json"])["manifests"]
    assert top["digest"] == digest
    index = json.loads(blob(files, top))
    assert [entry["platform"] for entry in index["manifests"]] == [
        {"architecture": "amd64", "os": "linux"},
        {"architecture": "arm", "os": "linux", "variant": "v7"},
        {"architecture": "s390x", "os": "linux"},
    ]
    for entry in index["manifests"]:
        manifest = json.loads(blob(files, entry))
        config = json.loads(blob(files, manifest["config"]))
        assert config["architecture"] == entry["platform"]["architecture"]
        layer = read(blob(files, manifest["layers"][0]))
        assert layer == {"bin/it": config["architecture"].encode()}


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    images = [made("amd64"), made("arm64")]
    assert write_archive(tmp_path / "a", NAME, images) == write_archive(
        tmp_path / "b", NAME, images
    )
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    other = [made("amd64"), made("arm64", user="0:0")]
    assert write_archive(tmp_path / "c", NAME, other) != write_archive(tmp_path / "a", NAME, images)


def test_pause_is_alone_in_its_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agtool.pause, "DATA", tmp_path)
    (tmp_path / "pause-riscv64").write_bytes(b"the program")
    image = pause_image("riscv64")
    assert image == Image("riscv64", {"/pause": b"the program"}, ["/pause"], "65532:65532")


def test_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(agtool.pause, "DATA", tmp_path)
    path = tmp_path / "pause.tar"
    arguments = [str(path), "--architecture", "arm64", "--name", NAME]

    assert main(arguments) == 3
    assert "lacks pause-arm64" in capsys.readouterr().err

    (tmp_path / "pause-arm64").write_bytes(b"the program")
    assert main(arguments) == 0
    (top,) = json.loads(read(path.read_bytes())["index.json"])["manifests"]
    assert capsys.readouterr().out == f"{top['digest']}\n"

    assert main([str(tmp_path / "nowhere" / "pause.tar"), "--architecture", "arm64"]) == 1
    assert "No such file or directory" in capsys.readouterr().err


@pytest.mark.parametrize(
    "name", ["", "name", "localhost/name", "localhost:5000/name", "localhost/Name:1", "a b/c:1"]
)
def test_a_name_that_no_cluster_could_find(tmp_path: Path, name: str) -> None:
    with pytest.raises(SystemExit) as caught:
        main([str(tmp_path / "pause.tar"), "--name", name])
    assert caught.value.code == 2
    assert list(tmp_path.iterdir()) == []


def test_a_digest_that_nobody_takes(tmp_path: Path) -> None:
    program = "import agtool.pause as p, sys; p.DATA = p.Path(sys.argv.pop(1));"
    program += "from agtool.pause.image import main; sys.exit(main())"
    (tmp_path / "pause-arm64").write_bytes(b"the program")
    argv = [sys.executable, "-c", program, tmp_path, tmp_path / "a.tar", "--architecture", "arm64"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            list(map(str, argv)), stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 1
    assert done.stderr == (
        f"{tmp_path}/a.tar is written; cannot print its digest: No space left on device\n"
    )
