"""A kubeconfig, or the pod that we run in -> source the API server is and who we are.

Reading, merging and log-in plugins are the official client's. What is done here is what it
leaves to its caller: the namespace, impersonation, errors that name the file, and a private key
that does not stay in the folder for temporary files.
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
from agtool.core.kube.lean import lean_client
from agtool.core.kube.plugin import MISSHAPEN, loader_with_plugins
from agtool.core.kube.proxy import settle_proxy

if TYPE_CHECKING:
    from kubernetes.client import Configuration

_IN_CLUSTER = "(in the cluster)"
"""In place of a context's name."""

_SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


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
        found: dict[str, Any] = dict(self.configuration.auth_settings())
        tokens = [(s["key"], s["value"]) for s in found.values() if s["value"]]
        return Identity((*tokens, *self.impersonation), self.certificate, self.tls)


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
        read = partial(_from_kubeconfig, source, context)
    elif context:
        raise ConfigurationError(
            f"there is no kubeconfig with a context {context!r}",
            hint="Leave out --context to use the pod's service account, or set KUBECONFIG.",
        )
    else:
        source = str(_SERVICE_ACCOUNT)
        read = partial(_from_service_account)

    def load() -> Access:
        with _explained(source):
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


def kubeconfig_files(kubeconfig: Path | None) -> list[str]:
    """The kubeconfig files that exist; of those in KUBECONFIG some may be missing."""
    variable = os.environ.get("KUBECONFIG", "")
    named = [kubeconfig] if kubeconfig else [Path(p) for p in variable.split(os.pathsep) if p]
    files = [file.expanduser() for file in named or [Path("~/.kube/config")]]
    where = "Check --kubeconfig." if kubeconfig else "Check KUBECONFIG."
    for file in files:
        if file.is_dir():
            raise ConfigurationError(f"the kubeconfig {file} is a folder", hint=where)
    found = [str(file) for file in files if file.exists()]  # a pipe will do
    if not found and (named or not (_SERVICE_ACCOUNT / "token").exists()):
        raise ConfigurationError(
            f"there is no kubeconfig {os.pathsep.join(map(str, files))}",
            hint=where if named else "Give --kubeconfig FILE, or set KUBECONFIG.",
        )
    return found


def _from_kubeconfig(files: str, wanted: str | None) -> Access:
    from kubernetes.client import Configuration
    from kubernetes.config.kube_config import KubeConfigMerger

    merger = KubeConfigMerger(files)  # type: ignore[no-untyped-call]
    documents: list[dict[str, Any]] = list(merger.config_files.values())
    names = [entry["name"] for d in documents for entry in d.get("contexts") or ()]
    # The first file that has one, as in kubectl; the client would take the last.
    current = next((d["current-context"] for d in documents if d.get("current-context")), None)
    name = wanted or current
    if name not in names:
        raise ConfigurationError(
            f"{files} has no context {name!r}" if name else f"{files} has no current context",
            hint=f"Contexts: {', '.join(names)}." if names else "Give another --kubeconfig FILE.",
        )
    with TemporaryDirectory(prefix="agtool-") as folder:
        loader = loader_with_plugins()(
            config_dict=merger.config,
            active_context=name,
            config_base_path=None,
            # An identity provider may give each refresh token once: it must not be lost.
            config_persister=merger.save_changes,
            temp_file_path=folder,
        )
        configuration = Configuration()
        loader.load_and_set(configuration)
        tls, certificate = _tls(configuration), _digest(configuration)
        context = loader.current_context["context"]
        settle_proxy(configuration, _entry(documents, "cluster", context).get("proxy-url"))
    return Access(
        context=str(name),
        namespace=context.get("namespace") or "default",
        impersonation=list(_impersonation(_entry(documents, "user", context))),
        configuration=configuration,
        tls=tls,
        certificate=certificate,
        expires=loader.expires,
    )


def _entry(documents: Sequence[dict[str, Any]], kind: str, context: dict[str, Any]) -> Any:
    """The user or the cluster that a context names, in the first file that has it."""
    entries = [entry for document in documents for entry in document.get(f"{kind}s") or ()]
    found = (entry.get(kind) for entry in entries if entry["name"] == context.get(kind))
    return next(found, None) or {}


def _from_service_account() -> Access:
    from kubernetes.client import Configuration
    from kubernetes.config import load_incluster_config

    configuration = Configuration()
    load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    settle_proxy(configuration, None)
    return Access(
        context=_IN_CLUSTER,
        namespace=(_SERVICE_ACCOUNT / "namespace").read_text().strip() or "default",
        impersonation=(),
        configuration=configuration,
        tls=_tls(configuration),
    )


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


@contextmanager
def _explained(source: str) -> Iterator[None]:
    """The client meets a kubeconfig of the wrong shape with whatever Python raises."""
    import yaml  # type: ignore[import-untyped]  # comes with the client
    from kubernetes.config import ConfigException

    try:
        yield
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f": see line {mark.line + 1}" if mark else ""
        raise ConfigurationError(f"{source} is not valid YAML{line}") from error
    except ConfigException as error:
        # It may quote the entry at fault, secrets included.
        why = re.sub(r"\{.*\}", "...", str(error), flags=re.DOTALL)
        raise ConfigurationError(f"{source} is not valid: {why}") from error
    except ssl.SSLError as error:
        raise ConfigurationError(
            f"{source} has a certificate or key that OpenSSL does not take: {error.reason}"
        ) from error
    except OSError as error:
        raise ConfigurationError(
            f"cannot read {error.filename or source}: {error.strerror}"
        ) from error
    except MISSHAPEN as error:
        raise ConfigurationError(
            f"{source} is not a valid kubeconfig",
            hint="Compare it with what `kubectl config view` shows.",
        ) from error
