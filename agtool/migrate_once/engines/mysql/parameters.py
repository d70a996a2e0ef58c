"""From the URL to PyMySQL's parameters, and the files that these name."""

from __future__ import annotations

import os
import ssl
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from pymysql.constants import CLIENT

from agtool.core import authorities
from agtool.core.errors import ConfigurationError
from agtool.migrate_once.engines import client_files
from agtool.migrate_once.url.options import Translated, translate

if TYPE_CHECKING:
    from agtool.migrate_once.url import Database

# A try to connect gives up after this many seconds; the caller tries again. A server that looks
# up our name in a slow DNS greets us late, so this is longer than any later answer may take.
CONNECT_TIMEOUT = 10

_LONGEST_PATH = 107 if sys.platform == "linux" else 103
"""Bytes of a socket's path at most: sun_path of unix(7) without its NUL."""

_VERSIONS = {
    "0": ssl.TLSVersion.TLSv1,
    "1": ssl.TLSVersion.TLSv1_1,
    "2": ssl.TLSVersion.TLSv1_2,
    "3": ssl.TLSVersion.TLSv1_3,
}


def parameters(database: Database) -> dict[str, Any]:
    """PyMySQL's parameters for what the URL says.

    Raises:
        ConfigurationError: an option cannot be used.
    """
    query = _translated(database).values
    options: dict[str, Any] = {
        "host": database.host,
        "port": database.port or 3306,
        "user": database.user,
        # PyMySQL would write a str in Latin-1; servers hash what clients send, mostly UTF-8.
        "password": (database.password or "").encode(),
        "database": database.database,
        "connect_timeout": int(query.get("connect_timeout", CONNECT_TIMEOUT)),
        "charset": "utf8mb4",
        "autocommit": True,
        # An UPDATE counts the rows that it found, not only those that it changed.
        "client_flag": CLIENT.FOUND_ROWS,
        "program_name": "agtool migrate-once",
        **_tls(database, query),
    }
    if len(os.fsencode(query.get("unix_socket", ""))) > _LONGEST_PATH:
        raise ConfigurationError(
            f"the path of the socket of {database} is too long",
            hint="Correct unix_socket in the database URL, or --host. "
            f"It may have {_LONGEST_PATH} bytes.",
        )
    for key in ("unix_socket", "bind_address"):
        if key in query:
            options[key] = query[key]
    return options


def warnings(database: Database) -> tuple[str, ...]:
    """What is to be said of the URL's options.

    Raises:
        ConfigurationError: one cannot be used.
    """
    return _translated(database).warnings


def _translated(database: Database) -> Translated:
    return translate(database, lambda _: False)


def _tls(database: Database, query: Mapping[str, str]) -> dict[str, Any]:
    """The encryption that the URL asks for; by itself PyMySQL uses TLS if the server has it."""
    mode = query.get("ssl_mode", "")
    if mode == "DISABLED":
        return {"ssl_disabled": True}
    files = {key[4:]: query[key] for key in query if key.startswith("ssl_")}
    verify_cert, names = files.get("verify_cert"), files.get("verify_identity")
    versions = query.get("tls_versions", "")
    wanted = (
        "ssl" in query
        or mode in ("REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY")
        or bool(versions or files.keys() - {"mode"})
    )
    if not wanted:
        return {}
    if verify_cert == "false" and (mode.startswith("VERIFY") or names == "true"):
        raise ConfigurationError(
            "the database URL wants the server's certificate both verified and not verified",
            hint="Leave out one of its options: ssl_mode, ssl_verify_cert, "
            "ssl_verify_identity, or another connector's name for one of them.",
        )
    has_ca = "ca" in files or "capath" in files
    by_default = has_ca and not mode
    identity = mode == "VERIFY_IDENTITY" or (names == "true" if names else by_default)
    verify = identity or mode == "VERIFY_CA" or has_ca
    if verify_cert is not None:
        verify = verify_cert == "true"
    try:
        context = _context(files)
        context.check_hostname = identity and verify
        context.verify_mode = ssl.CERT_REQUIRED if verify else ssl.CERT_NONE
        if versions:
            context.minimum_version = _VERSIONS[versions[0]]
            context.maximum_version = _VERSIONS[versions[-1]]
    except OSError as error:  # ssl.SSLError is one too
        raise ConfigurationError(
            f"cannot use the TLS options for {database}: {error.strerror or error}",
            hint="Check the files named by ssl_ca, ssl_cert and ssl_key in the database URL, and "
            "ssl_key_password.",
        ) from error
    return {"ssl": context}


def _context(files: Mapping[str, str]) -> ssl.SSLContext:
    """With the certificates in these files.

    Raises:
        ConfigurationError: one cannot be read.
        OSError: it holds something else.
    """
    inline = files.get("ca", "").startswith("-----BEGIN")
    for name in ("ca", "capath", "cert", "key"):
        if name in files and not (name == "ca" and inline):
            client_files.check(f"ssl_{name}", files[name], folder=name == "capath")
    context = authorities.context(
        cafile=None if inline else files.get("ca"),
        capath=files.get("capath"),
        cadata=files["ca"] if inline else None,
    )
    # MySQL's own self-signed certificates do not pass what Python 3.13 made the default.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if files.keys() & {"cert", "key", "identity"}:
        _load_certificate(context, files)
    if "cipher" in files:
        context.set_ciphers(files["cipher"])
    return context


def _load_certificate(context: ssl.SSLContext, files: Mapping[str, str]) -> None:
    """The client's; without a password's text OpenSSL would ask for one at the terminal."""
    password = files.get("key_password", "")
    if "identity" not in files:
        # As the server's own clients do with a key alone: the file has both.
        certificate = files["cert"] if "cert" in files else files["key"]
        context.load_cert_chain(certificate, files.get("key"), password)
        return
    with ExitStack() as until_loaded:
        pem = client_files.identity("sslidentity", files["identity"], password, until_loaded)
        context.load_cert_chain(pem)
