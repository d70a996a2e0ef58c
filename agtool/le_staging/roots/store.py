"""Where fetched roots lie: one PEM file, which is also what curl's --cacert takes.

Before each certificate stand lines that say what it is. They hold the fingerprint for which it
was fetched, so that a file which was damaged or edited is noticed whenever it is read.
"""

from __future__ import annotations

import binascii
import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from ssl import DER_cert_to_PEM_cert
from typing import NamedTuple

from agtool.core.errors import ConfigurationError
from agtool.core.files import write_atomically
from agtool.le_staging.roots.pins import BY_SHA256, CURRENT
from agtool.le_staging.writing import writing

_HINT = "Fetch the roots again: agtool le-staging fetch --force"

_ENTRY = re.compile(
    r"# (?P<name>[^\n]*)\n# (?P<url>[^\n]*)\n# SHA-256 (?P<sha256>[0-9a-f]{64})\n"
    r"-----BEGIN CERTIFICATE-----\n(?P<base64>[A-Za-z0-9+/=\n]+)-----END CERTIFICATE-----\n"
)


class NotFetched(ConfigurationError):
    """No root has been fetched yet."""


class Root(NamedTuple):
    """A root that was fetched and is to be trusted as staging.

    Attributes:
        name: its common name; for a private CA whatever its subject says.
        url: where it came from.
        sha256: of `der`, in lower-case hexadecimal.
        der: the certificate.
        private: it belongs to a private ACME CA (`fetch --url`), not to Let's Encrypt.
    """

    name: str
    url: str
    sha256: str
    der: bytes
    private: bool = False


def folder(environment: Mapping[str, str] = os.environ) -> Path:
    """agtool's folder for le-staging among the user's data; it need not exist.

    Raises ConfigurationError when there is neither XDG_DATA_HOME nor a home.
    """
    base = environment.get("XDG_DATA_HOME", "")
    if not base.startswith("/"):  # the XDG Base Directory Specification: relative ones are ignored
        try:
            base = str(Path.home() / ".local/share")
        except RuntimeError as error:
            raise ConfigurationError(
                "no home folder was found for the roots", hint="Set XDG_DATA_HOME or HOME."
            ) from error
    return Path(base) / "agtool/le-staging"


def bundle() -> Path:
    """The PEM file with all fetched roots; it need not exist."""
    return folder() / "roots.pem"


def no_certificates() -> Path:
    """An empty folder for curl's --capath, made with the bundle.

    Without it curl also trusts the folder of roots that it was built with: Debian's curl accepts
    a production certificate with --cacert alone.
    """
    return folder() / "no-certificates"


def roots() -> list[Root]:
    """The fetched roots, Let's Encrypt's first, each checked against its fingerprint.

    Raises NotFetched, or ConfigurationError when the file cannot be read, was damaged, or holds a
    root that has been retired.
    """
    path = bundle()
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise NotFetched(
            "the staging roots have not been fetched yet", hint="Run: agtool le-staging fetch"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise ConfigurationError(f"cannot read {path}: {reason}", hint=_HINT) from error
    found = [_root(entry, path) for entry in _ENTRY.finditer(text)]
    if not found or text.count("-----BEGIN") != len(found):
        raise ConfigurationError(f"{path} was damaged or edited", hint=_HINT)
    return found


def _root(entry: re.Match[str], path: Path) -> Root:
    try:
        der = binascii.a2b_base64(entry["base64"])
    except binascii.Error:
        der = b""
    if hashlib.sha256(der).hexdigest() != entry["sha256"]:
        raise ConfigurationError(
            f"{path} was damaged or edited: {entry['name']} does not have its fingerprint",
            hint=_HINT,
        )
    pin = BY_SHA256.get(entry["sha256"])
    if pin and pin not in CURRENT:
        raise ConfigurationError(f"{path} holds {pin.name}, which was retired", hint=_HINT)
    return Root(entry["name"], entry["url"], entry["sha256"], der, private=pin is None)


def write(wanted: Iterable[Root]) -> None:
    """Replace the fetched roots by these, all or none.

    Raises ConfigurationError when the folder or the file cannot be written.
    """
    path = bundle()
    text = "\n".join(
        f"# {root.name}\n# {root.url}\n# SHA-256 {root.sha256}\n{DER_cert_to_PEM_cert(root.der)}"
        for root in sorted(wanted, key=lambda root: root.private)
    )
    with writing(path, hint="Free some space, or set XDG_DATA_HOME to a folder you can write to."):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        no_certificates().mkdir(mode=0o755, exist_ok=True)
        write_atomically(path, text.encode(), mode=0o644)
