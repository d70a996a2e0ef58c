"""A chain that is stored and not seen in a handshake, and what is said of it, as facts."""

from __future__ import annotations

from typing import NamedTuple

from agtool.core.finding import Finding
from agtool.le_staging.certificate import Certificate
from agtool.le_staging.verify.judge import Verdict
from agtool.le_staging.verify.look import Sight


class Stored(NamedTuple):
    """A chain that lies somewhere, as a server would send it.

    Attributes:
        source: the file, or `secret NAMESPACE/NAME`.
        chain: its certificates in their order; the first is the server's own.
        key: the SHA-256 of the public key that belongs to the private key; empty: there is none.
        problems: what of it cannot be read.
    """

    source: str
    chain: tuple[Certificate, ...]
    key: str
    problems: tuple[Finding, ...]


class Checked(NamedTuple):
    """What is said of a stored chain.

    Attributes:
        stored: what was found.
        verdict: failed also if there is no certificate.
        problems: why it is not as expected.
        sight: what a client says of the chain; None: there is none.
        key: whether the private key belongs to the first certificate; None: there is no key.
    """

    stored: Stored
    verdict: Verdict
    problems: tuple[Finding, ...]
    warnings: tuple[Finding, ...]
    sight: Sight | None
    key: bool | None
