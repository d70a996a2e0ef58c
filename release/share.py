"""What belongs into share/ of a prefix such as /usr/local: man pages and completions.

python -m release.share FOLDER DATE
"""

from __future__ import annotations

import sys
from pathlib import Path

from agtool.core import shells
from release.described import described
from release.manual import pages

COMPLETIONS = {
    "bash": "bash-completion/completions/agtool",
    "zsh": "zsh/site-functions/_agtool",
    "fish": "fish/vendor_completions.d/agtool.fish",
}
"""Where each shell looks for them."""


def files(date: str) -> dict[str, str]:
    """The text of each file, by its path. date: of the release, as YYYY-MM-DD."""
    manual = {f"man/man1/{name}": text for name, text in pages(described(), date).items()}
    return {**manual, **{path: shells.script(name) for name, path in COMPLETIONS.items()}}


def main() -> int:
    """Write them; return the exit code."""
    folder, date = Path(sys.argv[1]), sys.argv[2]
    for name, text in files(date).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
