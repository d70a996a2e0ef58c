"""One row of the table, and how what its values become is written down."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

How = Literal[
    "unused",
    "ignored",
    "refused",
    "as",
    "values",
    "seconds",
    "milliseconds",
    "duration",
    "ssl",
    "go-tls",
    "tls-versions",
    "certificate",
    "socket",
    "pg8000-socket",
]
"""What becomes of an option.

unused: the engine's own; agtool sets it by itself. ignored: another connector's, and said so.
refused: not without a person. as: it is `target`, with the same value. values: `values` has what
each value becomes. Others: what the function of that name in `values` makes of it.
"""

Merge = Literal["set", "default", "raise"]
"""How it meets others: set contradicts another value, default gives way, raise only adds to TLS."""

Values = Mapping[str, Mapping[str, str]]


class Option(NamedTuple):
    """One row. names: separated by commas; without the exact one, - _ spaces and case do not count.

    engine: any for all but SQLite. driver: a URL's form or suffix for which alone the row counts.
    """

    engine: str
    names: str
    connectors: str
    how: How
    becomes: str
    target: str = ""
    values: Values = MappingProxyType({})
    merge: Merge = "set"
    driver: str = ""


YES = ("true", "1", "yes", "on")
NO = ("false", "0", "no", "off")


def switch(yes: Mapping[str, str], no: Mapping[str, str]) -> Values:
    """What becomes of each word for yes and for no."""
    return {**dict.fromkeys(YES, yes), **dict.fromkeys(NO, no)}


def modes(target: str, names: Mapping[str, str]) -> Values:
    """Values in any spelling: without - _ and spaces, in lower case."""
    return {spelling: {target: mode} for spelling, mode in names.items()}
