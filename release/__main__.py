"""`make reference`: writes the tables in docs/reference that are made from the program.

python -m release [--check]
"""

from __future__ import annotations

import sys

from release import ROOT, reference
from release.described import described


def main(arguments: list[str]) -> int:
    """Write what differs, or with --check only name it; return the exit code."""
    try:
        files = reference.made(described())
    except reference.PageError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    wrong = [path for path, text in files.items() if not path.exists() or path.read_text() != text]
    for path in wrong:
        if "--check" in arguments:
            sys.stderr.write(f"{path.relative_to(ROOT)} is not up to date: make reference\n")
        else:
            path.write_text(files[path])
    return 1 if wrong and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
