"""The roots, and how other programs trust them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from agtool.core.finding import Finding

State = Literal["ok", "broken", "not-installed"]


@dataclass(frozen=True)
class FetchedRoot:
    """A root that is trusted as staging.

    Attributes:
        name: its common name, or the whole name of its subject.
        url: where it was fetched.
        sha256: its fingerprint.
        private: it belongs to a private ACME CA.
        fetched_now: it was fetched by this call.
    """

    name: str
    url: str
    sha256: str
    private: bool
    fetched_now: bool


@dataclass(frozen=True)
class RootsFetched:
    """What `fetch` did.

    Attributes:
        bundle: the path of the PEM file with all roots.
        roots: all roots in that file.
        warnings: roots that could not be fetched again, and what was lost with a damaged file.
    """

    bundle: str
    roots: list[FetchedRoot]
    warnings: list[Finding]


@dataclass(frozen=True)
class CurlCommand:
    """The curl command that is as strict as `verify`.

    Attributes:
        argv: its words.
    """

    argv: list[str]


@dataclass(frozen=True)
class EnvironmentVariable:
    """A variable that makes programs trust the staging roots.

    Attributes:
        name: its name.
        value: a file, or options that name one.
        replaces: it replaces what the program trusts, so that its file has the public roots too;
            otherwise it adds the staging roots to that.
        read_by: which programs read it.
    """

    name: str
    value: str
    replaces: bool
    read_by: str


@dataclass(frozen=True)
class TrustingEnvironment:
    """What `env` prints.

    Attributes:
        variables: what to set.
        roots: the names of the staging roots that are trusted then.
    """

    variables: list[EnvironmentVariable]
    roots: list[str]


@dataclass(frozen=True)
class InstalledRoot:
    """A root that is trusted as staging.

    Attributes:
        name: its common name, or the whole name of its subject.
        sha256: its fingerprint.
        private: it belongs to a private ACME CA.
        trusted: its production twin is in Mozilla's list, or it belongs to a private CA.
    """

    name: str
    sha256: str
    private: bool
    trusted: bool


@dataclass(frozen=True)
class RootsStatus:
    """The fetched roots.

    Attributes:
        state: whether they can be used.
        bundle: the path of the PEM file with all roots, if it is there or not.
        roots: the roots in that file.
        missing: the names of Let's Encrypt's current roots that are not in it.
        problems: why they cannot be used.
    """

    state: State
    bundle: str
    roots: list[InstalledRoot]
    missing: list[str]
    problems: list[Finding]
