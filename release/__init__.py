"""What a release is made of, and the pages that are made from the program.

Read in this order: described (the commands as data), manual (agtool(1) and its like), reference
(the tables in docs/reference), and __main__, which is `make pages`.
"""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
