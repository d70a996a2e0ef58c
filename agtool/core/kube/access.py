"""A kubeconfig, or the pod that we run in -> where the API server is and who we are.

Certificates and tokens are the official client's. What is done here is what it leaves to its
caller: impersonation, and a private key that does not stay in the folder for temporary files.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from agtool.core import authorities
from agtool.core.errors import ConfigurationError
from agtool.core.kube.contexts import (
    SERVICE_ACCOUNT,
    explained,
    in_a_pod,
    kubeconfig_files,
    namespace_of_pod,
    no_context,
    read_context,
)
from agtool.core.kube.lean import lean_client
from agtool.core.kube.plugin import loader_with_plugins
from agtool.core.kube.proxy import settle_proxy
from agtool.core.text import fits_a_header

if TYPE_CHECKING:
    from kubernetes.client import Configuration

_IN_CLUSTER = "(in the cluster)"
"""In place of a context's name."""

_ONCE_IN = 15.0
"""Seconds in which credentials that are refused are renewed once: a plugin may ask a person."""


@dataclass(frozen=True)
class Identity:
    """Who we are, to be shown with a request.

    Attributes:
        headers: a token, and whom we act as. A name may come twice.
        certificate: the digest of our certificate and key; empty: we have none.
        tls: with that certificate.
    """

    headers: tuple[tuple[str, str], ...] = field(repr=False)
    certificate: bytes
    tls: ssl.SSLContext = field(compare=False)


@dataclass
class Access:
    """Where the API server is, and how we show who we are. Thread-safe.

    Attributes:
        impersonation: headers that say whom we act as. A name may come twice.
        tls: with our certificate, if we have one.
        certificate: its digest.
        expires: when what a log-in plugin gave does, in seconds since the epoch; None: nobody says.
        options: with which another command, kubectl too, gets there as the same user.
        load: gives what the kubeconfig says now.
    """

    context: str
    namespace: str
    impersonation: Sequence[tuple[str, str]]
    configuration: Configuration
    tls: ssl.SSLContext
    certificate: bytes = b""
    expires: float | None = None
    options: str = ""
    load: Callable[[], Access] = field(init=False)
    _in_vain: float = -_ONCE_IN
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def identity(self) -> Identity:
        """Who we are now: what has expired is renewed first.

        Raises ConfigurationError if that fails.
        """
        with self._lock:  # a log-in plugin must not run once for each of our threads
            if self.expires is not None and time.time() > self.expires:
                self._load_again()
            return self._identity()

    def renew(self, refused: Identity) -> bool:
        """After a refusal: log in anew. Returns whether we show something else than `refused` now.

        Raises ConfigurationError if a log-in plugin fails.
        """
        with self._lock:
            if self._identity() == refused and time.monotonic() - self._in_vain > _ONCE_IN:
                self._in_vain = time.monotonic()
                self._load_again()
            return self._identity() != refused

    def _load_again(self) -> None:
        """Take the credentials of the kubeconfig as it is now, and nothing else."""
        fresh = self.load()
        self.configuration, self.expires = fresh.configuration, fresh.expires
        if fresh.certificate != self.certificate:
            self.tls, self.certificate = fresh.tls, fresh.certificate

    def _identity(self) -> Identity:
        return Identity(
            _headers(self.configuration, self.impersonation), self.certificate, self.tls
        )


def find_access(
    kubeconfig: Path | None,
    context: str | None,
    namespace: str | None,
    as_user: str | None,
    as_groups: Sequence[str],
) -> Access:
    """What kubectl would use: the file, KUBECONFIG, ~/.kube/config, then the pod's own account.

    Raises:
        ConfigurationError: no kubeconfig, one that is not valid, no such context, or a log-in
            plugin that failed.
    """
    lean_client()
    files = kubeconfig_files(kubeconfig)
    if files:
        source = os.pathsep.join(files)
        read = partial(_from_kubeconfig, files, context)
    elif context:
        raise no_context(context)
    elif in_a_pod():
        source = str(SERVICE_ACCOUNT)
        read = partial(_from_service_account)
    else:
        raise ConfigurationError(
            "there is no kubeconfig ~/.kube/config",
            hint="Give --kubeconfig FILE, or set KUBECONFIG.",
        )

    def load() -> Access:
        with explained(source):
            return read()

    access = load()
    access.load = load
    if not re.match(r"https?://[^/]", access.configuration.host):
        raise ConfigurationError(
            f"the server of context {access.context!r} is not a valid URL",
            hint="Check `server` in the kubeconfig. It is like https://HOST:6443.",
        )
    if as_user:
        groups = [("Impersonate-Group", group) for group in as_groups]
        access.impersonation = [("Impersonate-User", as_user), *groups]
    _headers(access.configuration, access.impersonation)  # now, and not with the first request
    access.namespace = namespace or access.namespace
    given = [
        ("--kubeconfig", kubeconfig and str(kubeconfig)),
        ("--context", access.context != _IN_CLUSTER and access.context),
        ("--as", as_user),
        *(("--as-group", group) for group in as_groups),
        ("-n", access.namespace),
    ]
    access.options = shlex.join(word for name, value in given if value for word in (name, value))
    return access


def _from_kubeconfig(files: Sequence[str], wanted: str | None) -> Access:
    from kubernetes.client import Configuration

    context = read_context(files, wanted)
    with _temporary_folder() as folder:
        loader = loader_with_plugins()(
            config_dict=context.merged,
            active_context=context.name,
            config_base_path=None,
            # An identity provider may give each refresh token once: it must not be lost.
            config_persister=context.save,
            temp_file_path=folder,
        )
        configuration = Configuration()
        loader.load_and_set(configuration)
        tls, certificate = _tls(configuration), _digest(configuration)
        settle_proxy(configuration, context.cluster.get("proxy-url"))
    return Access(
        context=context.name,
        namespace=context.namespace,
        impersonation=list(_impersonation(context.user)),
        configuration=configuration,
        tls=tls,
        certificate=certificate,
        expires=loader.expires,
    )


@contextmanager
def _temporary_folder() -> Iterator[str]:
    """For certificates and keys, which OpenSSL takes from files only; removed at the end."""
    try:
        made = TemporaryDirectory(prefix="agtool-")
    except OSError as error:
        raise ConfigurationError(
            "there is no folder for temporary files, such as the certificates of a kubeconfig",
            hint="Set TMPDIR to a folder that can be written to, such as a volume of the pod.",
        ) from error
    with made as folder:
        yield folder


def _from_service_account() -> Access:
    from kubernetes.client import Configuration
    from kubernetes.config import load_incluster_config

    configuration = Configuration()
    load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    settle_proxy(configuration, None)
    return Access(
        context=_IN_CLUSTER,
        namespace=namespace_of_pod(),
        impersonation=(),
        configuration=configuration,
        tls=_tls(configuration),
    )


def _headers(
    configuration: Configuration, impersonation: Sequence[tuple[str, str]]
) -> tuple[tuple[str, str], ...]:
    """The headers with a token, and with whom we act as.

    Raises ConfigurationError, which does not show the value, for what no header can hold.
    """
    found: dict[str, Any] = dict(configuration.auth_settings())
    # What writes a file, or a block of YAML, ends it with a newline.
    tokens = [(s["key"], s["value"].strip()) for s in found.values() if s["value"]]
    headers = (*tokens, *impersonation)
    for name, value in headers:
        if not (isinstance(value, str) and fits_a_header(value)):
            what = "the token" if name == "authorization" else f"the value for {name}"
            raise ConfigurationError(
                f"{what} cannot be sent: it is not a text of one line in UTF-8",
                hint="Check the user in the kubeconfig, and what its log-in plugin prints.",
            )
    return headers


def _impersonation(user: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The headers for a user's `as`, `as-uid`, `as-groups` and `as-user-extra`."""
    if user.get("as"):
        yield "Impersonate-User", user["as"]
    if user.get("as-uid"):
        yield "Impersonate-Uid", user["as-uid"]
    for group in user.get("as-groups") or ():
        yield "Impersonate-Group", group
    for key, values in (user.get("as-user-extra") or {}).items():
        for value in values:
            yield f"Impersonate-Extra-{quote(key, safe='')}", value


def _tls(configuration: Configuration) -> ssl.SSLContext:
    """One context for all connections: urllib3's own would read the certificates for each."""
    if configuration.verify_ssl:
        context = authorities.context(cafile=configuration.ssl_ca_cert or None)
        # kubectl is not strict, and many a cluster's own authority lacks an extension.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    else:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if configuration.cert_file:
        context.load_cert_chain(configuration.cert_file, configuration.key_file)
    context.set_alpn_protocols(["http/1.1"])
    return context


def _digest(configuration: Configuration) -> bytes:
    """Of the files with our certificate and its key."""
    digest = hashlib.sha256()
    for file in filter(None, (configuration.cert_file, configuration.key_file)):
        digest.update(Path(file).read_bytes())
    return digest.digest() if configuration.cert_file else b""
