"""A technique as small as can be, to try the frame on."""

from agtool.core.command import Technique

TECHNIQUE = Technique("shop", "Sell apples.", "tests.unit.app.shop.cli")
WRAPPER = Technique(
    "wrap",
    "Run a command.",
    "tests.unit.app.shop.wrapper",
    wraps_command=True,
    words=(Technique("wrap paper", "Choose the paper.", "tests.unit.app.shop.paper"),),
)
