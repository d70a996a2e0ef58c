"""What keeps a manifest from being changed, with its place."""

from __future__ import annotations

from typing import NamedTuple

from agtool.core.errors import ConfigurationError


class Place(NamedTuple):
    """Where something stands, for people.

    Attributes:
        file: its name.
        document: its number in the file, from 1; 0: all of the file.
        line: in the file, from 1; 0: it is not known.
        name: of the object, such as Deployment/shop; empty: it is not known.
    """

    file: str
    document: int = 0
    line: int = 0
    name: str = ""

    def __str__(self) -> str:
        parts = [f"document {self.document}"] * bool(self.document)
        parts += [f"line {self.line}"] * bool(self.line)
        where = f"{self.file} ({', '.join(parts)})" if parts else self.file
        return f"{self.name} in {where}" if self.name else where


class ManifestError(ConfigurationError):
    """A manifest, or what was asked for, is not such that it can be done."""

    code = "manifest"

    def __init__(self, message: str, *, hint: str = "", place: Place | None = None) -> None:
        told = f"{place}: {message}" if place else message
        super().__init__(told, hint=hint, subject=str(place) if place else "")
        self.problem = message
        self.place = place
