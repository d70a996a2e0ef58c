"""Roots of private CAs in a file that was given, for one call."""

from __future__ import annotations

import hashlib
import re
import ssl
from pathlib import Path

from agtool.core.errors import ConfigurationError
from agtool.core.text import printable
from agtool.le_staging.certificate import parse
from agtool.le_staging.roots.private import refuse_public
from agtool.le_staging.roots.store import Root

PEM = re.compile(rb"-----BEGIN CERTIFICATE-----\s+[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----")


def read(file: Path) -> list[Root]:
    """The certificates in a PEM file, as roots to trust.

    Raises ConfigurationError when there is none, DeniedError for one that is no private CA's.
    """
    try:
        blocks = PEM.findall(file.read_bytes())
        ders = [ssl.PEM_cert_to_DER_cert(block.decode()) for block in blocks]
        certificates = [parse(der) for der in ders]
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigurationError(
            f"cannot read {file}: {reason}", hint="Correct --cacert."
        ) from error
    if not certificates:
        raise ConfigurationError(
            f"{file} has no certificate in PEM", hint="Give the root of your own ACME CA."
        )
    for certificate in certificates:
        refuse_public(certificate)
    return [
        Root(printable(c.subject), str(file), hashlib.sha256(c.der).hexdigest(), c.der, True)
        for c in certificates
    ]
