"""agtool with the small techniques in the place of its own."""

import sys

from agtool import app
from tests.unit.app import shop

app.TECHNIQUES.clear()
app.TECHNIQUES.update({one.name: one for one in (shop.TECHNIQUE, shop.WRAPPER)})

if __name__ == "__main__":
    sys.exit(app.main())
