"""The trust anchors of one Chromium profile: the SQLite file `ServerCertificate` in its folder.

It is what chrome://certificate-manager writes for "Installed by you". Chromium reads it for that
profile alone; nothing outside the profile's folder sees it. The schema (version 1) was read from
files that Chromium 150 and 156 made; an unknown version is refused, not guessed at.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from agtool.core.errors import ConfigurationError, DeniedError
from agtool.le_staging.browser.profile import Anchors, Trusted, digests

FILE = "ServerCertificate"

_TRUSTED = bytes.fromhex("0a020803")
"""The first field of the trust settings: a message CertificateTrust with type TRUSTED."""

_SCHEMA = """
CREATE TABLE meta(key LONGVARCHAR NOT NULL UNIQUE PRIMARY KEY, value LONGVARCHAR);
INSERT INTO meta VALUES('version', '1');
INSERT INTO meta VALUES('last_compatible_version', '1');
CREATE TABLE certificates(
    sha256hash_hex TEXT PRIMARY KEY, der_cert BLOB NOT NULL, trust_settings BLOB NOT NULL);
"""


def settings(domains: Iterable[str]) -> bytes:
    """The protobuf that makes a certificate a trust anchor, for these domains only if any.

    Its second field is a message of constraints, whose first, repeated field is a DNS name.
    """
    names = b"".join(_field(1, domain.encode("ascii")) for domain in domains)
    return _TRUSTED + (_field(2, names) if names else b"")


def domains(trust_settings: bytes) -> tuple[str, ...] | None:
    """The inverse of `settings`; None: they are not of our making."""
    found: list[str] = []
    constraints = trust_settings.removeprefix(_TRUSTED)
    if constraints:
        names = _content(constraints)
        while names:
            name = _content(names)
            if not name.isascii():
                return None
            found.append(name.decode("ascii"))
            names = names[len(_field(1, name)) :]
    # Whatever else is in there, it does not come out the same.
    return tuple(found) if trust_settings == settings(found) else None


def _content(fields: bytes) -> bytes:
    """The content of the first of these length-delimited fields."""
    length = shift = 0
    at = 1
    while at < len(fields):
        length |= (fields[at] & 0x7F) << shift
        shift += 7
        at += 1
        if fields[at - 1] <= 0x7F:
            break
    return fields[at : at + length]


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


def read(profile: Path) -> Trusted:
    """What the profile trusts; nothing when it has no such file, or one we do not understand.

    Also while the browser runs, which keeps the file locked: it is read past the lock. What a
    write in the same moment may spoil is told by the digests.
    """
    uri = f"file:{quote(str(profile / FILE))}?immutable=1"
    try:
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            rows = connection.execute(
                "SELECT der_cert, trust_settings FROM certificates"
            ).fetchall()
        decoded = {hashlib.sha256(der).hexdigest(): domains(bytes(trust)) for der, trust in rows}
    except (sqlite3.Error, TypeError):
        return {}
    return {digest: names for digest, names in decoded.items() if names is not None}


def locked(database: Path) -> bool:
    """Whether another process holds this SQLite file, as Chromium does with all of a profile's."""
    if not database.exists():
        return False
    try:
        with closing(sqlite3.connect(database, timeout=0, isolation_level=None)) as connection:
            connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.Error as error:
        return "locked" in str(error)
    return False


def write(profile: Path, anchors: Anchors) -> None:
    """Make the profile trust these and nothing else, in one transaction.

    Raises:
        DeniedError: the browser runs with this profile.
        ConfigurationError: the file has a form that we do not know, or cannot be written.
    """
    path = profile / FILE
    try:
        path.touch(mode=0o600)  # an empty file is an empty database; SQLite would make it 0644
        path.chmod(0o600)
        with closing(sqlite3.connect(path, timeout=1, isolation_level=None)) as connection:
            connection.execute("BEGIN EXCLUSIVE")
            _replace(connection, anchors)
            connection.execute("COMMIT")
    except (sqlite3.Error, OSError) as error:
        if "locked" in str(error):
            raise DeniedError(
                f"the browser is running with {profile}", hint="Close its windows, then try again."
            ) from error
        raise ConfigurationError(
            f"cannot write {path}: {error}",
            hint="If the disk is full, free some space. Otherwise remove the profile: "
            "agtool le-staging remove",
        ) from error


def _replace(connection: sqlite3.Connection, anchors: Anchors) -> None:
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    if not tables:
        for statement in _SCHEMA.split(";"):
            connection.execute(statement)
    else:
        row = connection.execute(
            "SELECT value FROM meta WHERE key = 'last_compatible_version'"
        ).fetchone()
        if row is None or str(row[0]) != "1":
            raise sqlite3.DatabaseError("its format is newer than agtool knows")
    connection.execute("DELETE FROM certificates")
    connection.executemany(
        "INSERT INTO certificates VALUES(?, ?, ?)",
        [
            (digest, der, settings(names))
            for der, (digest, names) in zip(anchors, digests(anchors).items(), strict=True)
        ],
    )
