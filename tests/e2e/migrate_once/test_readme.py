"""The README's examples of migrate-once and of inject, pasted."""

from pathlib import Path

from tests.cluster.server import Server
from tests.readme import examples, paste


def test_three_replicas(tmp_path: Path) -> None:
    done = paste(examples()["migrate-once"], tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(" upgrades") == 1
    assert done.stderr.count("key v1 is already done") == 2
    assert "free, 0 waiting" in done.stdout
    assert "done" in done.stdout


def test_inject(tmp_path: Path, control_plane: Server) -> None:
    *before, look, write, back = examples()["migrate-once inject"].strip().splitlines()
    manifest = tmp_path / "shop.yaml"

    def run(*lines: str) -> str:
        done = paste("\n".join(lines), tmp_path, path=control_plane.kubectl.parent)
        assert done.returncode == 0, done.stderr
        return done.stdout

    shown = run(*before, look)
    assert "+" in shown
    assert "rails" in shown
    original = manifest.read_bytes()
    image = next(line.partition(" #")[0] for line in before if line.startswith("IMAGE="))
    run(image, write)
    assert b"agtool-migrate-once" in manifest.read_bytes()
    run(back)
    assert manifest.read_bytes() == original
