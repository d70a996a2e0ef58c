"""The port: what a kind of browser must do so that one profile of it trusts the staging roots."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

NAME = "lets-encrypt-staging-trust"
"""The profile's name, and its folder's."""

TITLE = "Let's Encrypt staging"
"""What the profile is called for people."""

WINDOW_CLASS = "chrome-le"
"""The class of its windows, by which a desktop finds their launcher and icon."""

COLOUR = "#ff9900"
"""Of the frame, so that nobody mistakes the window for the normal browser's."""

Anchors = Mapping[bytes, Sequence[str]]
"""A root (DER) -> the domains for which it is trusted, subdomains included; none: for all."""


Trusted = Mapping[str, tuple[str, ...]]
"""The same, for a root that is known by its SHA-256 (in lower-case hexadecimal)."""


def digests(anchors: Anchors) -> Trusted:
    """What a profile that was prepared with `anchors` trusts, in the same order."""
    return {hashlib.sha256(der).hexdigest(): tuple(names) for der, names in anchors.items()}


class Command(NamedTuple):
    """What starts the browser: its arguments, and what its environment has beyond ours."""

    argv: list[str]
    environment: dict[str, str]


class Profile(Protocol):
    """A profile that belongs to agtool alone."""

    @property
    def can_limit(self) -> bool:
        """Whether trust can be limited to domains."""

    def trusted(self) -> Trusted:
        """What it trusts beyond what the browser brings; asked for also while that runs."""

    def prepare(self, anchors: Anchors) -> None:
        """Make it trust these and nothing else, and give a new profile its colour and settings.

        Not while a browser runs with it. Raises ConfigurationError when it cannot be written.
        """

    def running(self) -> bool:
        """Whether a browser runs with it."""

    def command(self, urls: Sequence[str], *, headless: bool = False) -> Command:
        """What starts the browser with it, or opens the addresses in the one that runs."""
