"""Where fetched roots lie: a PEM file of those to trust, which curl's --cacert takes, and another.

The other one has the roots whose production twins no public store has (`roots.trust`). Before
each certificate stand lines that say what it is. They hold the fingerprint for which it was
fetched, so that a file which was damaged or edited is noticed whenever it is read.
"""

import binascii
import hashlib
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from ssl import DER_cert_to_PEM_cert
from typing import NamedTuple

from agtool.core.errors import ConfigurationError
from agtool.core.home import home
from agtool.le_staging.certificate import parse
from agtool.le_staging.roots import trust
from agtool.le_staging.roots.pins import BY_SHA256, CURRENT
from agtool.le_staging.writing import own_folder, writing
from agtool.le_staging.writing import write as write_file

_HINT = "Fetch the roots again: agtool le-staging fetch --force"

_SPACE = "Free some space, or set XDG_DATA_HOME to a folder you can write to."

_NONE = "# none\n"
"""What a file without roots has: an empty one was cut off."""

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
        base = str(home(hint="Set XDG_DATA_HOME or HOME.") / ".local/share")
    return Path(base) / "agtool/le-staging"


def bundle() -> Path:
    """The PEM file with the fetched roots to trust; it need not exist."""
    return folder() / "roots.pem"


def others() -> Path:
    """The PEM file with the roots whose twins no public store has; it need not exist."""
    return folder() / "untrusted-twins.pem"


def everything() -> Path:
    """The PEM file with all of them, for who asks for it; see `bundle_of`."""
    return folder() / "all-roots.pem"


def no_certificates() -> Path:
    """An empty folder for curl's --capath, made with the bundle.

    Without it curl also trusts the folder of roots that it was built with: Debian's curl accepts
    a production certificate with --cacert alone.
    """
    return folder() / "no-certificates"


def roots() -> list[Root]:
    """The fetched roots, Let's Encrypt's first, each checked against its fingerprint.

    Raises NotFetched, or ConfigurationError when a file cannot be read, was damaged, or holds a
    root that has been retired or that is none of a private CA.
    """
    found = _read(bundle())
    if found is None:
        raise NotFetched(
            "the staging roots have not been fetched yet", hint="Run: agtool le-staging fetch"
        )
    return _ordered({root.sha256: root for root in (*found, *(_read(others()) or ()))}.values())


def bundle_of(found: Sequence[Root], *, untrusted_twins: bool = False) -> Path:
    """The path of a PEM file with those roots that are to be trusted today, written if need be.

    untrusted_twins: with those too whose twins no public store has.
    Raises ConfigurationError when it cannot be written.
    """
    if untrusted_twins:
        _write(everything(), found)
        return everything()
    trusted, _ = trust.split(found)
    if {root.sha256 for root in _read(bundle()) or ()} != {root.sha256 for root in trusted}:
        write(found)  # Mozilla's list has changed, or an older agtool wrote the file
    return bundle()


def _ordered(found: Iterable[Root]) -> list[Root]:
    places = {pin.sha256: place for place, pin in enumerate(CURRENT)}
    return sorted(found, key=lambda root: places.get(root.sha256, len(places)))


def _read(path: Path) -> list[Root] | None:
    """The roots in a file; None: there is no such file. Raises ConfigurationError."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise ConfigurationError(f"cannot read {path}: {reason}", hint=_HINT) from error
    found = [_root(entry, path) for entry in _ENTRY.finditer(text)]
    if text.count("-----BEGIN") != len(found) or not (found or text == _NONE):
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
    if pin and (pin.retired or pin.signed_by):
        raise ConfigurationError(f"{path} holds {pin.name}, which was retired", hint=_HINT)
    if pin is None and (whose := _not_private(der)):
        raise ConfigurationError(
            f"{path} holds {entry['name']}, which is no root of a private CA: it is {whose}",
            hint=_HINT,
        )
    return Root(entry["name"], entry["url"], entry["sha256"], der, private=pin is None)


def _not_private(der: bytes) -> str:
    """Whose certificate it is, if Let's Encrypt's, by its key; else ""."""
    try:
        certificate = parse(der)
    except ValueError:
        return ""
    return trust.lets_encrypt_s(certificate.spki, certificate.authority_key)


def write(wanted: Iterable[Root]) -> None:
    """Replace the fetched roots by these, all or none.

    Raises ConfigurationError when the folder or a file cannot be written.
    """
    trusted, untrusted = trust.split(_ordered(wanted))
    # First the file whose roots are trusted less: what stands in both is not lost, and not trusted
    # without need.
    if untrusted or others().exists():
        _write(others(), untrusted)
    _write(bundle(), trusted)


def _write(path: Path, listed: Sequence[Root]) -> None:
    text = "\n".join(
        f"# {root.name}\n# {root.url}\n# SHA-256 {root.sha256}\n{DER_cert_to_PEM_cert(root.der)}"
        for root in listed
    )
    with writing(path, hint=_SPACE):
        own_folder(path.parent)
        no_certificates().mkdir(mode=0o755, exist_ok=True)
    write_file(path, text or _NONE, mode=0o644, hint=_SPACE)
