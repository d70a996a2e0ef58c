"""DER (X.690), as far as certificates need it: elements with their tags, texts, times.

Whoever runs a server decides what stands in its certificate. So nothing here raises anything but
ValueError, and nothing is read that is not asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from typing import NamedTuple

SEQUENCE, SET, OCTETS, OID, BITS, INTEGER = 0x30, 0x31, 0x04, 0x06, 0x03, 0x02

_TEXTS = {0x0C: "utf-8", 0x13: "ascii", 0x14: "latin-1", 0x16: "ascii", 0x1A: "ascii"}
_TEXTS |= {0x12: "ascii", 0x1C: "utf-32-be", 0x1E: "utf-16-be"}
"""Tags of strings, and how they are encoded."""


class Element(NamedTuple):
    """A tag (one byte), its content, and both with the length between as they stood there."""

    tag: int
    content: bytes
    whole: bytes

    def parts(self) -> list[Element]:
        """The elements of which the content is made. Raises ValueError."""
        return list(elements(self.content))


def elements(data: bytes) -> Iterator[Element]:
    """The elements that stand one after the other. Raises ValueError."""
    at = 0
    while at < len(data):
        if len(data) - at < 2 or data[at] & 0x1F == 0x1F:
            raise ValueError("an element is cut off or has a long tag")
        length, begin = data[at + 1], at + 2
        if length >= 0x80:
            size = length & 0x7F
            length, begin = int.from_bytes(data[begin : begin + size], "big"), begin + size
            if not 0 < size <= 4:
                raise ValueError("an element has no definite length")
        end = begin + length
        if end > len(data):
            raise ValueError("an element is longer than what holds it")
        yield Element(data[at], data[begin:end], data[at:end])
        at = end


def read(data: bytes) -> Element:
    """The one element that the data are. Raises ValueError."""
    found = list(elements(data))
    if len(found) != 1:
        raise ValueError("not one element")
    return found[0]


def dotted(content: bytes) -> str:
    """The content of an object identifier, as in 2.5.4.3."""
    numbers, value = [], 0
    for byte in content:
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            numbers.append(value)
            value = 0
    if not numbers:
        return ""
    first = min(numbers[0] // 40, 2)
    return ".".join(map(str, [first, numbers[0] - 40 * first, *numbers[1:]]))


def text(element: Element) -> str:
    """A string, whatever its type; what is none of its characters becomes a mark."""
    return element.content.decode(_TEXTS.get(element.tag, "latin-1"), errors="replace")


def time(element: Element) -> datetime:
    """A UTCTime or GeneralizedTime of RFC 5280, 4.1.2.5. Raises ValueError."""
    digits = element.content.decode("ascii", errors="replace")
    if element.tag == 0x17:  # two digits of the year, from 1950 to 2049
        digits = ("19" if digits[:2] >= "50" else "20") + digits
    if not (len(digits) == 15 and digits[14] == "Z" and digits.isascii() and digits[:14].isdigit()):
        raise ValueError("a time has another form than YYYYMMDDHHMMSSZ")
    # Not by strptime, whose first call imports what a locale calls the days.
    year, month, day = int(digits[:4]), int(digits[4:6]), int(digits[6:8])
    hour, minute, second = int(digits[8:10]), int(digits[10:12]), int(digits[12:14])
    return datetime(year, month, day, hour, minute, second, tzinfo=timezone.utc)
