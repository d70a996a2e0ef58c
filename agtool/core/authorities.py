"""The certificate authorities that this machine trusts, wherever its system keeps them."""

from __future__ import annotations

import ssl
from pathlib import Path

FILES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
    "/etc/ssl/ca-bundle.pem",
)
"""Debian and Alpine, Red Hat, Alpine again, SUSE."""


def places() -> tuple[str | None, str | None]:
    """The file and the folder of certificates, as OpenSSL takes them; nothing is there: twice None.

    OpenSSL looks where its makers keep them, or where SSL_CERT_FILE and SSL_CERT_DIR say. That of
    the self-contained folder is Debian's, and what other systems have is elsewhere.
    """
    own = ssl.get_default_verify_paths()
    if own.cafile or own.capath:
        return own.cafile, own.capath
    return file(), None


def file() -> str | None:
    """The file with all of them, for libraries that take no folder; None: there is none."""
    own = ssl.get_default_verify_paths().cafile
    return next((place for place in (own, *FILES) if place and Path(place).is_file()), None)


def context(
    cafile: str | None = None, capath: str | None = None, cadata: str | None = None
) -> ssl.SSLContext:
    """As ssl.create_default_context for a client. Raises what that raises.

    Without an authority that is named it trusts those of this machine.
    """
    made = ssl.create_default_context(cafile=cafile, capath=capath, cadata=cadata)
    if not (cafile or capath or cadata):
        found = places()
        if any(found):
            made.load_verify_locations(*found)
    return made
