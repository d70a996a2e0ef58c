"""What there is of browsers, their profiles and the launcher, and what was done with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from agtool.core.finding import Finding
from agtool.le_staging.documents.trust import RootsStatus, State

Kind = Literal["profile", "private-home", "firefox"]


@dataclass(frozen=True)
class SelfTest:
    """The self-test that a browser passed.

    Attributes:
        version: the name and version of the browser.
        kind: where the profile keeps its roots: in the profile's own store, in a home folder of
            its own, or in the profile's certificate database.
        limits: whether trust can be limited to domains.
        at: when, in ISO 8601.
    """

    version: str
    kind: Kind
    limits: bool
    at: str


@dataclass(frozen=True)
class BrowserStatus:
    """A browser that passed the self-test, and its profile.

    Attributes:
        program: the path that starts it.
        folder: where its profile is.
        self_test: the test that it passed.
        version: its name and version now; null: it cannot be run.
        trusts: the fingerprint of each root that the profile trusts, and the domains for which it
            is trusted; no domains: for all.
        running: whether it runs with the profile.
        problems: why it cannot be used.
    """

    program: str
    folder: str
    self_test: SelfTest
    version: str | None
    trusts: dict[str, list[str]]
    running: bool
    problems: list[Finding]


@dataclass(frozen=True)
class BrowsersStatus:
    """The browsers that passed the self-test.

    Attributes:
        state: whether they can be used.
        browsers: one for each.
        available: the programs of the browsers on this machine; only if none was tested yet.
    """

    state: State
    browsers: list[BrowserStatus]
    available: list[str]


@dataclass(frozen=True)
class LauncherStatus:
    """The launcher on the desktop.

    Attributes:
        state: whether all of its files are there.
        file: the path of the desktop entry, if it is installed or not.
        missing: the files that are not there any more.
    """

    state: State
    file: str
    missing: list[str]


@dataclass(frozen=True)
class Status:
    """What `status` found."""

    roots: RootsStatus
    browsers: BrowsersStatus
    launcher: LauncherStatus


@dataclass(frozen=True)
class Program:
    """A browser.

    Attributes:
        name: its name and version.
        program: the path that starts it.
    """

    name: str
    program: str


@dataclass(frozen=True)
class ProfileFolder:
    """A profile that belongs to agtool.

    Attributes:
        kind: where it keeps its roots, as in a self-test.
        folder: where it is.
    """

    kind: Kind
    folder: str


@dataclass(frozen=True)
class BrowserOpened:
    """What `chrome` did or, with `--dry-run`, would do.

    Attributes:
        dry_run: nothing was done.
        browser: the browser.
        profile: its profile.
        roots: the names of the roots that the profile trusts.
        only: the domains for which it trusts them; none: for all.
        urls: what is opened.
        steps: what would be done before the start; only with `--dry-run`.
        prepared_only: the profile was prepared, and the browser is not started.
        command: the words of the command that starts the browser: its program, then the flags
            that another program needs to start it with the profile, then the URLs.
        environment: what its environment has beyond that of agtool.
        pid: the process that was started; null: the browser was running, or nothing was done.
        already_running: the browser was running, and the URLs were opened in its window.
        self_test: the test that the browser passed; null: nothing was done.
    """

    dry_run: bool
    browser: Program
    profile: ProfileFolder
    roots: list[str]
    only: list[str]
    urls: list[str]
    steps: list[str]
    prepared_only: bool
    command: list[str]
    environment: dict[str, str]
    pid: int | None
    already_running: bool
    self_test: SelfTest | None


@dataclass(frozen=True)
class LauncherInstalled:
    """What `desktop` did or, with `--dry-run`, would do.

    Attributes:
        dry_run: nothing was written.
        files: the files of the launcher.
        command: the words of the command that it runs, before the addresses.
    """

    dry_run: bool
    files: list[str]
    command: list[str]


@dataclass(frozen=True)
class Removed:
    """What `remove` did or, with `--dry-run`, would do.

    Attributes:
        dry_run: nothing was removed.
        removed: the files and folders.
    """

    dry_run: bool
    removed: list[str]
