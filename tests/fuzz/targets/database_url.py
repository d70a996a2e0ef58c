"""The URL of a database: it is read or refused, and its password stands in no message."""

import re

from agtool.core.errors import AgtoolError
from agtool.migrate_once.url import parse

SECRET = "S3CR3T"


def check(data: bytes) -> None:
    """Any text in the place of a URL."""
    text = data.decode(errors="surrogateescape")
    try:
        database = parse(text)
        shown = f"{database} {database!r}"
    except AgtoolError as error:
        shown = f"{error.message} {error.hint}"
    # Where a person has put it, and nowhere else.
    if re.match(rf"[a-z0-9+]+://\w+:{SECRET}[^@]*@[^@]*\Z", text) and text.count(SECRET) == 1:
        assert SECRET not in shown, shown
