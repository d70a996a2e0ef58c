"""Links that are made whole, archives, and the lines with which agtool is installed."""

import io
import re
import sys
import tarfile
from pathlib import Path

import pytest

import agtool
from agtool.core.image import parse_image
from release import plugin
from release.archive import File, read_tar, tar_gz
from release.links import absolute

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("agtool/**/*.py")])
INSTALL = re.compile(r"pip install ([^`\n&#]*)")
NAMED = re.compile(r"(?<![\w/.-])(agtool[a-z-]*)(?:\[([a-z,]+)\])?(?![\w/.])")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("[a](docs/a.md#b)", "[a](R/blob/v1/docs/a.md#b)"),
        ("![a](docs/a.svg)", "![a](R/raw/v1/docs/a.svg)"),
        ("[![a](b.svg)](c.md)", "[![a](R/raw/v1/b.svg)](R/blob/v1/c.md)"),
        ('<img alt="x" src="b.svg">', '<img alt="x" src="R/raw/v1/b.svg">'),
        ("[a](#here) [b](https://e.org/x) [c](mailto:x@e.org)",) * 2,
        ("[a [b] c](d)", "[a [b] c](R/blob/v1/d)"),
    ],
)
def test_links_are_made_whole(text: str, wanted: str) -> None:
    assert absolute(text, "https://e.org", "1") == wanted.replace("R/", "https://e.org/")


def test_an_archive_is_the_same_whatever_the_order() -> None:
    one, two = File(b"x"), File(b"#!/bin/sh\n", executable=True)
    made = tar_gz({"b": two, "a/c": one}, 1_700_000_000)
    assert made == tar_gz({"a/c": one, "b": two}, 1_700_000_000)
    assert read_tar(made) == {"a/c": one, "b": two}
    with tarfile.open(fileobj=io.BytesIO(made)) as tar:
        assert [(m.name, m.mode, m.mtime) for m in tar] == [
            ("a/c", 0o644, 1_700_000_000),
            ("b", 0o755, 1_700_000_000),
        ]


def test_every_line_that_installs_agtool_names_the_distribution() -> None:
    """Verbatim they are run by `make release-test`; those of a Dockerfile are only read."""
    found = 0
    for page in PAGES:
        for words in INSTALL.findall(page.read_text(encoding="utf-8")):
            for name, extras in NAMED.findall(words):
                found += 1
                assert name == PROJECT["name"] == "agtool-cli", (page, words)
                known = {"", *PROJECT["optional-dependencies"]}
                assert set(extras.split(",")) <= known, (page, words)
    assert found > 10


def test_one_version_everywhere() -> None:
    assert PROJECT["version"] == agtool.__version__
    charts = list((ROOT / "deploy").rglob("Chart.yaml"))
    assert len(charts) == 2
    for chart in charts:
        versions = re.findall(r"(?:^version|^appVersion): (.+)$", chart.read_text(), re.MULTILINE)
        assert versions == [agtool.__version__] * 2, chart
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    named = re.findall(r"(?:agtool_cli-|agtool/agtool:)([\d.]+)", readme)
    assert {*named} == {agtool.__version__}
    for file in (ROOT / "deploy").rglob("*.yaml"):
        for image in re.findall(r"image: (localhost/agtool/\S+)", file.read_text()):
            assert parse_image("image", image) == image
            assert image.rpartition(":")[2] == agtool.__version__, file


def test_the_placeholder_stands_once() -> None:
    tracked = [ROOT / "pyproject.toml", ROOT / "README.md", *ROOT.glob("agtool/**/*.py")]
    texts = [path.read_text(encoding="utf-8") for path in tracked]
    assert sum(text.count("https://example.com/agtool") for text in texts) == 1
    assert list(PROJECT["urls"].values()) == ["https://example.com/agtool"]


def test_the_manifest_for_krew_names_what_is_given() -> None:
    folders = {"arm64": ("b.tar.gz", "2" * 64), "amd64": ("a.tar.gz", "1" * 64)}
    text = plugin.krew_manifest("https://git.example.org/x", "1.2.3", folders)
    assert "https://git.example.org/x/releases/download/v1.2.3/a.tar.gz" in text
    assert text.index("1" * 64) < text.index("2" * 64)
