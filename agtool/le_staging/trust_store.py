"""The trust anchors of one Chromium profile: the SQLite file `ServerCertificate` in its folder.

It is what chrome://certificate-manager writes for "Installed by you". Chromium reads it for that
profile alone; nothing outside the profile's folder sees it. The schema (version 1) was read from
files that Chromium 150 and 156 made; an unknown version is refused, not guessed at.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from agtool.core.errors import ConfigurationError, DeniedError

FILE = "ServerCertificate"

_TRUSTED = bytes.fromhex("0a020803")
"""Message CertificateTrust with type TRUSTED, as the first field of the trust settings."""

_SCHEMA = """
CREATE TABLE meta(key LONGVARCHAR NOT NULL UNIQUE PRIMARY KEY, value LONGVARCHAR);
INSERT INTO meta VALUES('version', '1');
INSERT INTO meta VALUES('last_compatible_version', '1');
CREATE TABLE certificates(
    sha256hash_hex TEXT PRIMARY KEY, der_cert BLOB NOT NULL, trust_settings BLOB NOT NULL);
"""

Rows = dict[str, tuple[bytes, bytes]]
"""SHA-256 in hex -> (certificate as DER, trust settings)."""


def rows(anchors: Mapping[bytes, Sequence[str]]) -> Rows:
    """What the file shall hold: each certificate (DER), trusted for its domains (none: for all).

    A domain includes its subdomains.
    """
    return {
        hashlib.sha256(der).hexdigest(): (der, trust_settings(domains))
        for der, domains in anchors.items()
    }


def trust_settings(domains: Iterable[str]) -> bytes:
    """The protobuf that makes a certificate a trust anchor, for these domains only if any.

    The second field is a message of constraints, whose first, repeated field is a DNS name.
    """
    names = b"".join(_field(1, domain.encode("ascii")) for domain in domains)
    return _TRUSTED + (_field(2, names) if names else b"")


def _field(number: int, content: bytes) -> bytes:
    """A length-delimited field (protobuf's wire type 2)."""
    return bytes([number << 3 | 2]) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def read(profile: Path) -> Rows | None:
    """What the profile's file holds; None when it has none, or nothing that we understand.

    Also while the browser runs, which keeps the file locked: it is read past the lock. What a
    write in the same moment may spoil is told by the digests.
    """
    path = profile / FILE
    if not path.exists():
        return None
    uri = f"file:{quote(str(path))}?immutable=1"
    try:
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            found: Rows = {
                digest: (bytes(der), bytes(settings))
                for digest, der, settings in connection.execute(
                    "SELECT sha256hash_hex, der_cert, trust_settings FROM certificates"
                )
            }
    except (sqlite3.Error, TypeError):
        return None
    return found if all(hashlib.sha256(der).hexdigest() == d for d, (der, _) in found.items()) else None


def write(profile: Path, wanted: Rows) -> None:
    """Make the profile's file hold `wanted` and nothing else, in one transaction.

    Raises:
        DeniedError: the browser runs with this profile.
        ConfigurationError: the file has a form that we do not know, or cannot be written.
    """
    path = profile / FILE
    try:
        with _private_umask(), closing(sqlite3.connect(path, timeout=1, isolation_level=None)) as db:
            db.execute("BEGIN EXCLUSIVE")
            _replace(db, wanted)
            db.execute("COMMIT")
        path.chmod(0o600)  # one that is older than us
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise running(profile) from error
        raise ConfigurationError(f"cannot write {path}: {error}") from error
    except (sqlite3.Error, OSError) as error:
        raise ConfigurationError(f"cannot write {path}: {error}") from error


def _replace(db: sqlite3.Connection, wanted: Rows) -> None:
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not tables:
        for statement in _SCHEMA.split(";"):
            db.execute(statement)
    else:
        (compatible,) = db.execute(
            "SELECT value FROM meta WHERE key = 'last_compatible_version'"
        ).fetchone() or ("",)
        if str(compatible) != "1":
            raise sqlite3.DatabaseError(f"its format {compatible!r} is newer than agtool knows")
    db.execute("DELETE FROM certificates")
    db.executemany(
        "INSERT INTO certificates VALUES(?, ?, ?)",
        [(digest, der, settings) for digest, (der, settings) in wanted.items()],
    )
