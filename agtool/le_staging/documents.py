"""What the commands print for programs. Fingerprints are SHA-256 in lower-case hexadecimal."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from agtool.core.finding import Finding

VerdictWord = Literal["STAGING", "PRODUCTION", "OTHER", "FAILED"]

State = Literal["ok", "broken", "not-installed"]

Kind = Literal["profile", "private-home", "firefox"]


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
class Anchor:
    """The root that was really used.

    Attributes:
        name: its common name, or the whole name of its subject.
        sha256: its fingerprint.
    """

    name: str
    sha256: str


@dataclass(frozen=True)
class ChainCertificate:
    """A certificate of the chain that was used.

    Attributes:
        subject: its common name, or another name of it.
        issuer: the common name of its issuer.
        names: the names and addresses for which it is valid.
        not_before: when its validity begins, in UTC.
        not_after: when its validity ends, in UTC.
        key: type and size of its key.
        signature: the algorithm with which it was signed.
        sha256: its fingerprint.
    """

    subject: str
    issuer: str
    names: list[str]
    not_before: datetime
    not_after: datetime
    key: str
    signature: str
    sha256: str


@dataclass(frozen=True)
class Sight:
    """What one address of a host showed.

    Attributes:
        address: the IP address.
        key: type and size of the key of the certificate; null: none was seen.
        sha256: the fingerprint of the certificate.
        not_after: when its validity ends, in UTC.
        verdict: what the certificate is.
        problems: the codes of what is wrong with it.
    """

    address: str
    key: str | None
    sha256: str | None
    not_after: datetime | None
    verdict: VerdictWord
    problems: list[str]


@dataclass(frozen=True)
class StoredChain:
    """What was found in a file or a Secret. What is not known is null.

    Attributes:
        source: the file, or `secret NAMESPACE/NAME`.
        verdict: what its certificate is; FAILED also if there is none.
        as_expected: whether the verdict is the expected one.
        issued_by: as of a host.
        problems: why it is not as expected.
        warnings: what will be a problem, or is one for other clients.
        anchor: the root that was really used.
        matched_name: the name in the certificate that stands for the first of `--name`.
        days_left: whole days until the certificate expires; negative: since it expired.
        chain: the path that a client would use, the server's certificate first.
        stored: the fingerprints of what is stored, in its order.
        key_fits: whether the private key belongs to the first certificate; null: there is none.
    """

    source: str
    verdict: VerdictWord
    as_expected: bool
    issued_by: VerdictWord | None
    problems: list[Finding]
    warnings: list[Finding]
    anchor: Anchor | None
    matched_name: str | None
    days_left: int | None
    chain: list[ChainCertificate]
    stored: list[str]
    key_fits: bool | None


@dataclass(frozen=True)
class Host:
    """What was found at one host. What is not known is null.

    Attributes:
        target: the host as it was given.
        host: its name in ASCII, or its address.
        port: the TCP port; 0: what was given is no host.
        verdict: what its certificate is; FAILED also if no certificate was seen.
        as_expected: whether the verdict is the expected one.
        issued_by: the verdict that there would be without problems of dates, names and clients'
            certificates; null: no root vouches for the certificate.
        problems: why it is not as expected.
        warnings: what will be a problem, or is one for other clients.
        notes: what is worth knowing, and no fault: that a wildcard was checked as another name,
            that the host has addresses which were not looked at.
        sights: what each address showed, with each kind of key; only with `--all-addresses`.
        source: the Kubernetes object that serves the host; null: it was given.
        stored: what the Secret has that the object names; null: nobody knows.
        anchor: the root that was really used.
        matched_name: the name in the certificate that stands for the host.
        days_left: whole days until the certificate expires; negative: since it expired.
        chain: the path that was used, the host's certificate first.
        presented: the fingerprints of what the server sent, in its order.
        address: the IP address that answered.
        tls: the version of TLS.
        cipher: the cipher suite.
        seconds: how long the check took.
    """

    target: str
    host: str
    port: int
    verdict: VerdictWord
    as_expected: bool
    issued_by: VerdictWord | None
    problems: list[Finding]
    warnings: list[Finding]
    notes: list[Finding]
    sights: list[Sight]
    source: str | None
    stored: StoredChain | None
    anchor: Anchor | None
    matched_name: str | None
    days_left: int | None
    chain: list[ChainCertificate]
    presented: list[str]
    address: str | None
    tls: str | None
    cipher: str | None
    seconds: float


@dataclass(frozen=True)
class HostsVerified:
    """What `verify` found.

    Attributes:
        expected: the verdict that is a success.
        hosts: one for each host, in the order in which they were given.
        warnings: what could not be read in the cluster.
    """

    expected: VerdictWord
    hosts: list[Host]
    warnings: list[Finding]


@dataclass(frozen=True)
class StoredChecked:
    """What `check` found.

    Attributes:
        expected: the verdict that is a success.
        chains: one for each file or Secret.
    """

    expected: VerdictWord
    chains: list[StoredChain]


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
