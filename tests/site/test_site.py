"""The site that `make docs` has built: what makes its build fail, and how a browser finds it."""

import functools
import http.server
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import needed
from tests.site.browser import Browser, hosts

ROOT = Path(__file__).parents[2]
SITE = ROOT / "build" / "site"
PICTURES = ROOT / "build" / "screenshots"
PAGES = sorted(str(path.relative_to(SITE)) for path in SITE.rglob("*.html"))
# Looked at by people: the front page, the map, a page of tables, one of pictures, one of code.
LOOKED_AT = [
    "index.html",
    "docs/index.html",
    "docs/reference/migrate-once.html",
    "docs/reference/benchmarks.html",
    "docs/how-to/run-migrations-once.html",
]
PHONE, DESK = 380, 1400


class _Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        """Say nothing: the terminal is the tests'."""


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    """Serve the site. Returns its URL, with a slash at the end."""
    if not PAGES:
        pytest.fail("there is no site in build/site: `make site` makes it", pytrace=False)
    handler = functools.partial(_Handler, directory=str(SITE))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with needed(), Browser(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@pytest.fixture
def browser(chromium: Browser) -> Iterator[Browser]:
    """One for all tests, and after each: no error in its console, and no other host asked."""
    chromium.urls.clear()
    chromium.complaints.clear()
    yield chromium
    chromium.ask("1")  # what was told until now has come
    assert chromium.complaints == []
    assert hosts(chromium.urls) <= {"127.0.0.1"}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A small tree in the form of the repository, whose site can be built."""
    folder = tmp_path / "a source"
    shutil.copytree(ROOT / "docs" / "site", folder / "docs" / "site")
    (folder / "README.md").write_text("# Front\n\nSee [the page](docs/page.md#a-part-of-it).\n")
    (folder / "docs" / "index.md").write_text("# Map\n\n## Learn\n\n- [page](page.md)\n")
    (folder / "docs" / "page.md").write_text("# Page\n\n## A part of it\n\n![a](a.svg)\n")
    (folder / "docs" / "a.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    return folder


def build(source: Path) -> subprocess.CompletedProcess[str]:
    command = [
        "make",
        "--no-print-directory",
        "-C",
        str(ROOT),
        "site",
        f"SITE_SOURCE={source}",
        f"SITE={source.parent / 'site'}",
    ]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_sound_source_is_built(source: Path) -> None:
    built = build(source)
    assert built.returncode == 0, built.stderr
    front = (source.parent / "site" / "index.html").read_text()
    assert 'href="docs/page.html#a-part-of-it"' in front


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("[a](gone.md)", "gone.md"),
        ("[a](#gone)", "gone"),
        ("[a](../README.md#gone)", "gone"),
        ("[a](gone.yaml)", "gone.yaml"),
        ("![a](gone.svg)", "gone.svg"),
    ],
)
def test_a_broken_link_fails_the_build(source: Path, page: str, said: str) -> None:
    with (source / "docs" / "page.md").open("a") as file:
        file.write(f"\n{page}\n")
    built = build(source)
    assert built.returncode != 0
    assert f"{Path('docs') / 'page.md'}" in built.stderr
    assert said in built.stderr


def test_a_page_that_the_map_leaves_out_fails_the_build(source: Path) -> None:
    (source / "docs" / "lonely.md").write_text("# Lonely\n")
    built = build(source)
    assert built.returncode != 0
    assert "lonely.md" in built.stderr


def test_no_page_is_wider_than_a_phone(base: str, browser: Browser) -> None:
    wide = {}
    for page in PAGES:
        browser.show(base + page, PHONE)
        if (width := browser.ask("document.documentElement.scrollWidth")) > PHONE:
            wide[page] = width
    assert wide == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, DESK])
def test_pages_follow_the_system_s_colours(
    base: str, browser: Browser, width: int, scheme: str
) -> None:
    for page in LOOKED_AT:
        browser.show(base + page, width, scheme)
        browser.picture(
            PICTURES / f"{page.replace('/', '-').removesuffix('.html')}-{width}-{scheme}.png"
        )
        colour = browser.ask("getComputedStyle(document.body).backgroundColor")
        levels = [int(level) for level in colour.removeprefix("rgb(").removesuffix(")").split(",")]
        assert (max(levels) < 64) == (scheme == "dark"), f"{page}: {colour}"


def test_pictures_in_pages_load(base: str, browser: Browser) -> None:
    illustrated = [page for page in PAGES if "<img" in (SITE / page).read_text(encoding="utf-8")]
    assert illustrated
    for page in illustrated:
        browser.show(base + page, DESK)
        browser.ask("document.querySelectorAll('img').forEach(img => img.loading = 'eager')")
        browser.wait_for("[...document.images].every(img => img.complete)")
        assert (
            browser.ask("[...document.images].filter(i => !i.naturalWidth).map(i => i.src)") == []
        )
        assert browser.ask("[...document.images].filter(i => !i.alt).map(i => i.src)") == []


def test_the_search_finds_a_word(base: str, browser: Browser) -> None:
    browser.show(base + "index.html", DESK)
    browser.ask("document.querySelector('input[name=q]').value = 'snapshots'")
    browser.ask("document.querySelector('input[name=q]').form.submit()")
    found = "[...document.querySelectorAll('#search-results li a')].map(a => a.href)"
    page = "docs/explanation/lock.html"
    browser.wait_for(f"{found}.some(href => href.includes('{page}'))")
