"""How Sphinx makes the site from the Markdown of the repository. `make docs` runs it.

The pages stay plain Markdown that reads well on its own, so what only a site needs is here: the
list of pages at its side comes from docs/index.md, and README.md is its front page.
"""

import re
import shutil
from pathlib import Path, PurePosixPath
from posixpath import normpath

from sphinx.application import Sphinx

MAP = "docs/index"
TOOLS = "docs/how-to/migration-tools"

project = "agtool"
extensions = ["myst_parser"]
include_patterns = ["*.md", "docs/**.md", "pause/README.md"]
# Folders that Sphinx need not look through.
exclude_patterns = ["build", "dist", ".*"]
root_doc = "README"
nitpicky = True
# They would make one dash of the two of an option.
smartquotes = False
# Anchors for headings, as GitHub names them.
myst_heading_anchors = 6

html_theme = "furo"
html_title = "agtool"
html_favicon = "static/favicon.svg"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_copyright = False
html_use_index = False


def setup(app: Sphinx) -> None:
    """Add what Markdown has no word for."""
    app.connect("source-read", _add_lists)
    app.connect("build-finished", _add_front_page)


def _add_lists(app: Sphinx, docname: str, source: list[str]) -> None:
    """Give the front page the lists of pages of each section of the map, and a folder its own."""
    if docname == root_doc:
        source[0] += _toctree("", [MAP])
        for section in re.split(r"^## ", _map(app), flags=re.MULTILINE)[1:]:
            title, _, text = section.partition("\n")
            source[0] += _toctree(title, _pages(text))
    elif docname == f"{TOOLS}/README":
        tools = sorted((Path(app.srcdir) / TOOLS).glob("[a-z]*.md"))
        source[0] += _toctree("", [f"{TOOLS}/{tool.stem}" for tool in tools])


def _map(app: Sphinx) -> str:
    return (Path(app.srcdir) / f"{MAP}.md").read_text(encoding="utf-8")


def _pages(text: str) -> list[str]:
    """The pages that a text of the map links to. A page that it leaves out fails the build."""
    links = re.findall(r"\]\(([^)#:]+\.md)\)", text)
    folder = PurePosixPath(MAP).parent
    return [normpath(folder / link).removesuffix(".md") for link in links]


def _toctree(caption: str, pages: list[str]) -> str:
    lines = [
        "",
        "```{toctree}",
        ":hidden:",
        f":caption: {caption}",
        "",
        *(f"/{page}" for page in pages),
        "```",
        "",
    ]
    return "\n".join(line for line in lines if line != ":caption: ")


def _add_front_page(app: Sphinx, failed: Exception | None) -> None:
    """What a server shows for the folder. A copy in the same folder: all of its links are right."""
    if not failed and app.builder.name == "html":
        shutil.copy(Path(app.outdir) / "README.html", Path(app.outdir) / "index.html")
