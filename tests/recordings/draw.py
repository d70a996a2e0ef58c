"""Draws a recording: an SVG without scripts that moves by CSS, and its text.

    python tests/recordings/draw.py RECORDING TITLE DESCRIPTION SVG TEXT

This runs in the environment of the documentation, which has termtosvg.
"""

import re
import sys
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pyte
from termtosvg import anim, asciicast, term

# Milliseconds: frames that are closer are one; a longer wait is cut; the last frame's time.
SHORTEST, LONGEST, LAST = 60, 2500, 6000
MARGIN = 12

# GitHub's dark colours, which reach a contrast of 4.5 on this background.
COLOURS = {
    "foreground": "#e6edf3",
    "background": "#0d1117",
    **dict(
        zip(
            (f"color{number}" for number in range(16)),
            (
                *("#6e7681", "#ff7b72", "#3fb950", "#d29922"),
                *("#58a6ff", "#bc8cff", "#39c5cf", "#c9d1d9"),
                *("#8b949e", "#ffa198", "#56d364", "#e3b341"),
                *("#79c0ff", "#d2a8ff", "#56d4dd", "#ffffff"),
            ),
            strict=True,
        )
    ),
}

# Of one cell of the terminal; termtosvg makes it as large as the recording.
TEMPLATE = """\
<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" role="img"
  aria-labelledby="title description" viewBox="0 0 {width} {height}" width="{width}" version="1.1">
<title id="title">{title}</title>
<desc id="description">{description}</desc>
<defs>
<termtosvg:template_settings xmlns:termtosvg="https://github.com/nbedos/termtosvg">
<termtosvg:screen_geometry columns="1" rows="1"/><termtosvg:animation type="css"/>
</termtosvg:template_settings>
<style type="text/css" id="generated-style"></style>
<style type="text/css" id="user-style">
#screen {{ font-family: ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace; }}
{colours}
</style>
</defs>
<rect class="background" width="100%" height="100%" rx="8"/>
<svg id="screen" x="{margin}" y="{margin}" width="{cell_width}" height="{cell_height}"
  viewBox="0 0 {cell_width} {cell_height}" preserveAspectRatio="xMidYMin slice"></svg>
</svg>
"""

STILL = """
@media (prefers-reduced-motion: reduce) {{
  #screen_view {{ animation: none; transform: translateY({last}px); }}
}}
"""


def main() -> None:
    """Draw what the command line says."""
    recording, title, description, svg, text = sys.argv[1:]
    template = TEMPLATE.format(
        title=escape(title),
        description=escape(description),
        colours="\n".join(f".{name} {{ fill: {colour}; }}" for name, colour in COLOURS.items()),
        margin=MARGIN,
        cell_width=anim.CELL_WIDTH,
        cell_height=anim.CELL_HEIGHT,
        width=anim.CELL_WIDTH + 2 * MARGIN,
        height=anim.CELL_HEIGHT + 2 * MARGIN,
    )
    records = list(asciicast.read_records(recording))
    geometry, frames = term.timed_frames(records, SHORTEST, LONGEST, LAST)
    anim.render_animation(frames, geometry, svg, template.encode())
    drawn = Path(svg).read_text(encoding="utf-8")
    # Who wants no motion sees the end.
    (last,) = re.findall(r"100\.000%\{transform:translateY\((-?\d+)px\)\}", drawn)
    head, style, tail = drawn.partition("\n.foreground")
    Path(svg).write_text(head + STILL.format(last=last) + style + tail + "\n", encoding="utf-8")
    Path(text).write_text(_text(geometry, records), encoding="utf-8")


def _text(geometry: tuple[int, int], records: list[Any]) -> str:
    """All that was on the screen, with what has left it at the top."""
    screen = pyte.HistoryScreen(*geometry, history=10_000)
    stream = pyte.Stream(screen)
    for record in records[1:]:
        stream.feed(record.event_data)
    gone = (
        "".join(line[column].data for column in range(geometry[0])) for line in screen.history.top
    )
    return "\n".join(line.rstrip() for line in [*gone, *screen.display]).rstrip() + "\n"


main()
