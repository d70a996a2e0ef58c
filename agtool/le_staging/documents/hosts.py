"""What `verify` and `check` found."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from agtool.core.finding import Finding

VerdictWord = Literal["STAGING", "PRODUCTION", "OTHER", "FAILED"]


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
