"""Pictures in the documentation: no scripts, nothing from elsewhere, readable on a phone."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RECORDINGS = sorted((ROOT / "docs" / "recordings").glob("*.svg"))
PLOTS = sorted((ROOT / "docs" / "reference" / "plots").glob("*.svg"))
PICTURES = [*RECORDINGS, *PLOTS]

SVG = "{http://www.w3.org/2000/svg}"
# CSS pixels; and how many of them a point is.
PHONE, POINT = 380, 96 / 72


def named(path: Path) -> str:
    return path.name


@pytest.mark.parametrize("path", PICTURES, ids=named)
def test_a_picture_has_no_script_and_asks_no_host(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "<!DOCTYPE" not in text
    root = ET.fromstring(text)  # noqa: S314  # a file of ours, without entities
    for element in root.iter():
        assert element.tag not in {f"{SVG}script", f"{SVG}foreignObject", f"{SVG}a"}
        for name, value in element.attrib.items():
            local = name.rpartition("}")[2].lower()
            assert not local.startswith("on"), f"{name}={value}"
            if local in {"href", "src"}:
                assert value.startswith("#"), f"{name}={value}"
        for style in (element.text or "", *element.attrib.values()):
            assert "@import" not in style
            assert all(link.startswith("#") for link in re.findall(r"url\([\"']?([^)]*)", style))


@pytest.mark.parametrize("path", PICTURES, ids=named)
def test_a_picture_says_what_it_shows(path: Path) -> None:
    root = ET.fromstring(path.read_text(encoding="utf-8"))  # noqa: S314
    title, description = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
    assert title is not None
    assert description is not None
    assert len(title.text or "") > 10
    assert len(description.text or "") > len(title.text or "")


@pytest.mark.parametrize("path", PICTURES, ids=named)
def test_text_is_readable_on_a_phone(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    root = ET.fromstring(text)  # noqa: S314
    width = float(root.attrib["viewBox"].split()[2])
    sizes = [float(size) for size in re.findall(r"font-size[:=]\s*\"?([\d.]+)px", text)]
    assert sizes
    assert min(sizes) * min(1, PHONE / width) / POINT >= 6


@pytest.mark.parametrize("path", RECORDINGS, ids=named)
def test_a_recording_stands_still_for_who_wants_no_motion(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    last = re.findall(r"100\.000%\{transform:translateY\((-\d+px)\)\}", text)
    still = re.search(
        r"prefers-reduced-motion: reduce\) \{\s*#screen_view \{ animation: none; "
        r"transform: translateY\((-\d+px)\)",
        text,
    )
    assert still
    assert [still[1]] == last


@pytest.mark.parametrize("path", RECORDINGS, ids=named)
def test_a_text_beside_a_recording_says_the_same(path: Path) -> None:
    page = (path.parent / "README.md").read_text(encoding="utf-8")
    root = ET.fromstring(path.read_text(encoding="utf-8"))  # noqa: S314
    title, description = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
    assert title is not None
    assert description is not None
    assert f"![{title.text}]({path.name})" in page
    shown = " ".join(page.split())
    assert (description.text or "").rpartition(" agtool ")[0] in shown
    said = path.with_suffix(".txt").read_text(encoding="utf-8")
    assert said in page
    # The end of the text is the last screen; what scrolled by at once is in the text alone.
    groups = [group for group in root.iter(f"{SVG}g") if group.find(f"{SVG}text") is not None]
    last = [line.rstrip() for line in said.splitlines() if line.strip()][-12:]
    assert set(last) <= {row(group) for group in groups}


def row(group: ET.Element) -> str:
    """A row of the terminal, which is a text for each run of one colour, 8 wide for a cell."""
    shown = ""
    for text in group.iter(f"{SVG}text"):
        shown = shown.ljust(int(text.attrib["x"]) // 8) + (text.text or "")
    return shown.rstrip()


def test_there_are_recordings_and_plots() -> None:
    assert {path.stem for path in RECORDINGS} == {
        "ci-nodepool",
        "debug",
        "le-staging",
        "migrate-once",
    }
    techniques = ("migrate-once", "ci-nodepool", "le-staging", "debug", "pause", "start")
    drawn = [path.stem for path in PLOTS]
    assert all(any(name.startswith(part) for name in drawn) for part in techniques)
    front = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(re.findall(r"!\[[^\]]+\]\(docs/recordings/[\w-]+\.svg\)", front)) == 2
