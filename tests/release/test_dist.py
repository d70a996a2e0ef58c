"""What `make dist` makes: the same twice, whole, and with nothing of a placeholder in it."""

from __future__ import annotations

import json
import subprocess
import tarfile
import zipfile
from email import message_from_bytes
from hashlib import sha256
from pathlib import Path

import pytest

from agtool import __version__
from release import dist
from release.dist import SUMS
from release.inventory import problem
from tests.release.conftest import REPOSITORY, blocks

MODES = {0o644, 0o755}


def test_twice_from_the_same_commit_it_is_the_same(
    release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    monkeypatch.setenv("LANG", "de_DE.UTF-8")
    again = tmp_path / "a longer path with spaces" / "dist"
    dist.make(again, repository=REPOSITORY, key=None, say=lambda _: None)
    assert (again / SUMS).read_text() == (release / SUMS).read_text()


def test_the_sums_are_those_of_all_files(release: Path) -> None:
    told = dict(line.split("  ")[::-1] for line in (release / SUMS).read_text().splitlines())
    files = {path.name: sha256(path.read_bytes()).hexdigest() for path in release.iterdir()}
    del files[SUMS]
    assert told == files


def test_every_kind_of_file_is_there(release: Path) -> None:
    names = {path.name for path in release.iterdir()}
    base = f"-{__version__}"
    wanted = {f"agtool_cli{base}-py3-none-any.whl", f"agtool_cli{base}.tar.gz", "agtool.krew.yaml"}
    wanted |= {f"agtool_cli{base}-py3-none-any.cdx.json"}
    for folder in (f"agtool{base}", f"agtool-full{base}"):
        wanted |= {f"{folder}-image.tar", f"{folder}-image.cdx.json"}
        for architecture in ("amd64", "arm64"):
            archive = f"{folder}-linux-{architecture}"
            wanted |= {f"{archive}.tar.gz", f"{archive}.cdx.json"}
    wanted |= {f"{name}{base}.tar.gz" for name in ("agtool-share", "kubectl-agtool")}
    wanted |= {f"agtool-deploy{base}.tar.gz", SUMS}
    wanted |= {
        f"{chart}{base}.tgz" for chart in ("agtool-ci-nodepool-watch", "agtool-migrate-once")
    }
    assert names == wanted


def test_the_lists_of_what_is_inside_are_valid(release: Path) -> None:
    lists = sorted(release.glob("*.cdx.json"))
    assert len(lists) == 7
    for path in lists:
        content = path.read_bytes()
        assert problem(content) == "", path
        document = json.loads(content)
        assert document["components"], path
        made = document["metadata"]["component"]
        for told in made.get("hashes", ()):
            file = path.with_name(path.name.replace(".cdx.json", ".whl"))
            file = file if file.exists() else file.with_suffix(".tar")
            assert told["content"] == sha256(file.read_bytes()).hexdigest()


def test_the_address_is_put_in_wherever_it_is_needed(release: Path) -> None:
    (wheel,) = release.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        metadata = message_from_bytes(archive.read(name))
    assert metadata["Project-URL"] == f"Repository, {REPOSITORY}"
    page = str(metadata.get_payload())
    assert f"]({REPOSITORY}/blob/v{__version__}/docs/" in page
    # No link is left that would lead nowhere on another page.
    assert "](docs/" not in page
    assert "](CHANGELOG.md" not in page
    assert f"{REPOSITORY}/releases/download/" in (release / "agtool.krew.yaml").read_text()
    assert "example.com/agtool" not in (release / "agtool.krew.yaml").read_text()


def test_archives_say_nothing_of_who_made_them(release: Path) -> None:
    for path in [*release.glob("*.tar.gz"), *release.glob("*.tgz")]:
        with tarfile.open(path) as archive:
            for member in archive:
                assert (member.uid, member.gid, member.uname, member.gname) == (0, 0, "", ""), path
                assert not member.name.startswith(("/", ".."))


def test_the_plugin_of_kubectl_is_what_the_wheel_has_too(release: Path) -> None:
    (wheel,) = release.glob("*.whl")
    with (
        zipfile.ZipFile(wheel) as archive,
        tarfile.open(release / f"kubectl-agtool-{__version__}.tar.gz") as plugin,
    ):
        for name in ("kubectl-agtool", "kubectl_complete-agtool"):
            (inside,) = (each for each in archive.namelist() if each.endswith(f"/scripts/{name}"))
            alone = plugin.extractfile(name)
            assert alone is not None
            assert alone.read() == archive.read(inside)
            assert plugin.getmember(name).mode == 0o755


def test_a_key_that_is_not_there_is_told_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(dist.DistError, match="no file"):
        dist.make(
            tmp_path / "dist", repository=REPOSITORY, key=tmp_path / "key", say=lambda _: None
        )
    assert list(tmp_path.iterdir()) == []


def verify(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the lines of the page about it, from the public key to the sums."""
    _, signature, sums, *_ = blocks("docs/how-to/verify-a-release.md")
    allow = blocks("docs/how-to/verify-a-release.md")[0]
    script = f"set -euo pipefail\n{allow}{signature}{sums}"
    return subprocess.run(
        ["bash", "-c", script], cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.fixture
def copy(signed: Path, key: Path, tmp_path: Path) -> Path:
    """Give a folder with the sums, their signature, the public key and one of the files."""
    for name in (SUMS, f"{SUMS}.sig"):
        (tmp_path / name).write_bytes((signed / name).read_bytes())
    (tmp_path / "agtool.pub").write_bytes(key.with_suffix(".pub").read_bytes())
    for line in (signed / SUMS).read_text().splitlines():
        name = line.split("  ")[1]
        (tmp_path / name).symlink_to(signed / name)
    return tmp_path


def test_the_page_about_verifying(copy: Path) -> None:
    done = verify(copy)
    assert done.returncode == 0, done.stderr
    assert 'Good "file" signature for agtool' in done.stdout
    assert done.stdout.count(": OK") == len((copy / SUMS).read_text().splitlines())


@pytest.mark.parametrize("fault", ["file", "sums", "key", "gone"])
def test_what_was_changed_is_found(copy: Path, fault: str, tmp_path: Path) -> None:
    plugin = copy / f"kubectl-agtool-{__version__}.tar.gz"
    if fault == "file":
        changed = plugin.read_bytes() + b"\0"
        plugin.unlink()
        plugin.write_bytes(changed)
    elif fault == "gone":
        plugin.unlink()
    elif fault == "sums":
        (copy / SUMS).write_text((copy / SUMS).read_text().replace("0", "1", 1))
    else:
        other = tmp_path / "other"
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "x", "-f", other], check=True
        )
        (copy / "agtool.pub").write_bytes(other.with_suffix(".pub").read_bytes())
    assert verify(copy).returncode != 0
