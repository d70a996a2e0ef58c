"""Draw a plot, in the environment of the documentation. The specification is Vega-Lite's, as JSON.

python bench/draw.py SPECIFICATION SVG
"""

import json
import sys
from pathlib import Path

import vl_convert

_, specification, svg = sys.argv
read = json.loads(Path(specification).read_text(encoding="utf-8"))
Path(svg).write_text(vl_convert.vegalite_to_svg(read), encoding="utf-8")
