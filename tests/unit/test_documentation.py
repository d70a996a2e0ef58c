"""Every link in the documentation that stays in the repository leads somewhere."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.readme import examples

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "pause" / "README.md"])

FENCED = re.compile(r"^ {0,3}(```|~~~).*?^ {0,3}\1[^\n]*$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"(`+).+?\1", re.DOTALL)
# [text](target "title") and ![image](target), then [name]: target
INLINE = re.compile(r"\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
DEFINITION = re.compile(r"^ {0,3}\[[^\]]+\]:\s+(\S+)", re.MULTILINE)
HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)
ANCHOR = re.compile(r"<a (?:id|name)=\"([^\"]+)\"")
ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)


def links(text: str) -> Iterator[str]:
    """Give the targets of the links in a Markdown text, those in code left out."""
    prose = CODE.sub("", FENCED.sub("", text))
    yield from INLINE.findall(prose)
    yield from DEFINITION.findall(prose)


def anchors(text: str) -> set[str]:
    """Return what `#...` can point at: headings as GitHub names them, and explicit anchors."""
    found = set(ANCHOR.findall(text))
    seen: Counter[str] = Counter()
    for heading in HEADING.findall(FENCED.sub("", text)):
        shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")
        found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return found


def broken_links(document: Path) -> list[str]:
    """Return the links in a document that lead nowhere."""
    broken = []
    for link in links(document.read_text(encoding="utf-8")):
        if ELSEWHERE.match(link):
            continue
        path, _, anchor = unquote(link).partition("#")
        target = document.parent / path if path else document
        missing = not target.exists()
        if not missing and anchor and target.suffix == ".md":
            missing = anchor not in anchors(target.read_text(encoding="utf-8"))
        if missing:
            broken.append(link)
    return broken


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_resolve(document: Path) -> None:
    assert broken_links(document) == []


def test_broken_links_are_found(tmp_path: Path) -> None:
    document = tmp_path / "document.md"
    (tmp_path / "other page.md").write_text("# What `it` does, and why\n# Twice\n# Twice\n")
    document.write_text(
        "# Here\n"
        "[good](other%20page.md) [good](#here) [good](https://example.org/nowhere)\n"
        "[good](other%20page.md#what-it-does-and-why) [good](other%20page.md#twice-1)\n"
        "[bad](gone.md) ![bad](gone.png) [bad](#there) [bad](other%20page.md#thrice)\n"
        "`[code](ignored.md)`\n"
        "```\n[code](ignored.md)\n```\n"
        "[bad]: defined.md\n"
    )
    assert broken_links(document) == [
        "gone.md",
        "gone.png",
        "#there",
        "other%20page.md#thrice",
        "defined.md",
    ]


def test_the_map_has_all_pages() -> None:
    # The site fails without; it is made seldom.
    docs = ROOT / "docs"
    maps = [docs / "index.md", docs / "how-to/migration-tools/README.md"]
    listed = {
        (page.parent / link.partition("#")[0]).resolve()
        for page in maps
        for link in links(page.read_text(encoding="utf-8"))
    }
    assert {page for page in docs.glob("**/*.md") if page not in listed} == {maps[0]}


def test_each_example_of_the_readme_is_pasted_by_a_test() -> None:
    tests = [*(ROOT / "tests" / "e2e").glob("*/test_readme.py")]
    pasted = {
        name for test in tests for name in re.findall(r'examples\(\)\["(.+?)"\]', test.read_text())
    }
    assert pasted == set(examples())
    assert list(examples())[1] == "migrate-once inject"
