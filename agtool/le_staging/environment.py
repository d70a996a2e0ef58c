"""What each ecosystem reads to trust the staging roots: environment variables, and their files.

A variable that replaces what a program trusts gets a file with the public roots too; one that adds
to it gets the staging roots alone. Nothing but these files is written, and nothing outside
agtool's own folder.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from ssl import DER_cert_to_PEM_cert
from typing import NamedTuple

from agtool.le_staging.roots import store, trust
from agtool.le_staging.roots.store import Root
from agtool.le_staging.writing import write

PASSWORD = "changeit"  # noqa: S105  # Java's own; the trust store has no secret
"""The password of the trust store, without which Java reads no certificate in it."""

_FILES = {
    "SSL_CERT_FILE": "OpenSSL, Python, Ruby, Go, PHP, Perl and curl built with another library",
    "CURL_CA_BUNDLE": "curl",
    "REQUESTS_CA_BUNDLE": "Python's requests",
    "PIP_CERT": "pip",
    "AWS_CA_BUNDLE": "the AWS command line and boto3",
    "GIT_SSL_CAINFO": "git",
    "CARGO_HTTP_CAINFO": "Cargo",
    # Only these count where a person has set one of them, or its setting, for a company's CA.
    "NIX_SSL_CERT_FILE": "Nix, and programs that it has built",
    "npm_config_cafile": "npm",
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": "gRPC",
    "HTTPLIB2_CA_CERTS": "Python's httplib2",
    "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE": "Google Cloud's command line",
}
"""Variables that replace what a program trusts by a PEM file, and who reads them."""

_ADDING = {"NODE_EXTRA_CA_CERTS": "Node.js", "DENO_CERT": "Deno"}
"""Variables that add the certificates of a PEM file."""

_JAVA = "JAVA_TOOL_OPTIONS"

_OURS_FOR_JAVA = re.compile(
    r"\s*-Djavax\.net\.ssl\.trustStore=(?:(?! -D).)*/agtool/le-staging/\S+"
    r" -Djavax\.net\.ssl\.trustStoreType=PKCS12 -Djavax\.net\.ssl\.trustStorePassword=\w+"
)
"""What an earlier call has added to Java's options."""

_HEAD = b"# Made by agtool le-staging env.\n"
_OWN = b"# What SSL_CERT_FILE named when this was made:\n"
"""Lines of our PEM file, by which a later call finds again what the person trusts."""


class Variable(NamedTuple):
    """One variable.

    Attributes:
        replaces: it replaces what the program trusts, so that its file has the public roots too.
        read_by: who reads it.
    """

    name: str
    value: str
    replaces: bool
    read_by: str


def variables(
    roots: Sequence[Root],
    *,
    untrusted_twins: bool = False,
    environment: Mapping[str, str] = os.environ,
) -> list[Variable]:
    """The variables, their files written.

    roots: the fetched ones. untrusted_twins: as in `store.bundle_of`. environment: what
    SSL_CERT_FILE and Java's options say now is kept. Raises ConfigurationError when a file cannot
    be written.
    """
    added = store.bundle_of(roots, untrusted_twins=untrusted_twins)
    trusted = list(roots) if untrusted_twins else trust.split(roots)[0]
    own = _own_store(environment)
    ders = list(dict.fromkeys([*(root.der for root in trusted), *trust.mozilla()]))
    own = [der for der in dict.fromkeys(own) if der not in ders]
    # Nothing stands after the last certificate: npm would take it for one.
    text = _HEAD + _pem(ders) + (_OWN + _pem(own) if own else b"")
    # Another content has another name: programs that run with the file of an earlier call, or of
    # another shell, go on trusting what they did.
    name = f"environment/{hashlib.sha256(text).hexdigest()[:16]}"
    pem, java = (store.folder() / f"{name}{end}" for end in (".pem", ".p12"))
    write(pem, text, mode=0o644)
    write(java, _java_store([*ders, *own]), mode=0o644)
    # Java knows quotes there, as a shell does, but no backslashes: shlex writes none.
    options = [_OURS_FOR_JAVA.sub("", environment.get(_JAVA, "")).strip()]
    options += [f"-Djavax.net.ssl.trustStore={shlex.quote(str(java))}"]
    options += ["-Djavax.net.ssl.trustStoreType=PKCS12"]
    options += [f"-Djavax.net.ssl.trustStorePassword={PASSWORD}"]
    return [
        *(Variable(one, str(pem), True, who) for one, who in _FILES.items()),
        *(Variable(one, str(added), False, who) for one, who in _ADDING.items()),
        Variable(_JAVA, " ".join(filter(None, options)), True, "Java"),
    ]


def _own_store(environment: Mapping[str, str]) -> list[bytes]:
    """What the person has told programs to trust, as a company's CA; without it, nothing.

    Of a file that an earlier call has made, it is what that call has found.
    """
    path = environment.get("SSL_CERT_FILE")
    try:
        content = Path(path).read_bytes() if path else b""
        if content.startswith(_HEAD):
            return trust.certificates(content.partition(_OWN)[2])
        # Nor are the fetched roots what a person trusts elsewhere.
        ours = not path or Path(path).parent == store.folder()
        return [] if ours else trust.certificates(content)
    except (OSError, ValueError):
        return []


def _pem(ders: Sequence[bytes]) -> bytes:
    return "".join(map(DER_cert_to_PEM_cert, ders)).encode()


def _java_store(ders: Sequence[bytes]) -> bytes:
    """The certificates as a trust store of Java; keytool would take the first of a PEM file."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import BestAvailableEncryption
    from cryptography.hazmat.primitives.serialization.pkcs12 import (
        PKCS12Certificate,
        serialize_java_truststore,
    )

    named = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # oddities of old roots
        for number, der in enumerate(ders, 1):
            with suppress(ValueError):  # one that the library does not take
                # Java has no two entries of one name.
                certificate = x509.load_der_x509_certificate(der)
                named.append(PKCS12Certificate(certificate, f"agtool-{number}".encode()))
    return serialize_java_truststore(named, BestAvailableEncryption(PASSWORD.encode()))
