"""Log-in plugins of a kubeconfig (`exec`), which print a token or a certificate.

A plugin talks to the person at the terminal: what it writes to stderr is shown as it comes, and
it reads the terminal, or nothing; never what is piped into us, which is for somebody else. As
kubectl: k8s.io/client-go/plugin/pkg/client/auth/exec/exec.go.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from agtool.core.errors import ConfigurationError

MISSHAPEN = (ValueError, TypeError, KeyError, AttributeError)
"""What Python raises at data that have another shape than they should."""

_VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")

_HINT = "Log in again with your provider's own command, or install the plugin."

_busy = 0
"""How many have taken our terminal, or our input, for something else."""

_quiet = 0
"""How many do not want anything to be shown."""


@contextmanager
def without_a_person(*, quiet: bool = False) -> Iterator[None]:
    """Meanwhile no plugin may ask anything: our stdin is in use.

    Args:
        quiet: nor show anything, since nobody could read it (a terminal in raw mode).
    """
    global _busy, _quiet  # noqa: PLW0603  # there is one terminal
    _busy += 1
    _quiet += quiet
    try:
        yield
    finally:
        _busy -= 1
        _quiet -= quiet


@dataclass(frozen=True)
class Plugin:
    """What a kubeconfig says of a plugin.

    Attributes:
        command: a name to be found in PATH, or a path.
        env: in addition to ours.
        mode: whether it may ask the person: Never, IfAvailable or Always.
        hint: how to install it; empty: the kubeconfig does not say.
        cluster: what it is to know of the cluster; None: nothing.
    """

    command: str
    args: tuple[str, ...]
    version: str
    env: Mapping[str, str]
    mode: str
    hint: str
    cluster: Mapping[str, Any] | None


def read_plugin(entry: Mapping[str, Any], folder: str, cluster: Mapping[str, Any]) -> Plugin:
    """`exec` of a user.

    Args:
        folder: that of its kubeconfig, where files are looked for, and a command with a slash.

    Raises:
        ConfigurationError: it lacks what kubectl wants, too.
    """
    for key in ("command", "apiVersion"):
        if not entry.get(key):
            raise _failed(f"its entry has no {key}", "Add it to `exec` in the kubeconfig.")
    version = str(entry["apiVersion"])
    if version not in _VERSIONS:
        raise _failed(f"its apiVersion is {version}", f"kubectl knows {' and '.join(_VERSIONS)}.")
    mode = entry.get("interactiveMode") or ("" if version == _VERSIONS[0] else "IfAvailable")
    if mode not in {"Never", "IfAvailable", "Always"}:
        raise _failed(
            f"its interactiveMode is {mode!r}" if mode else "its entry has no interactiveMode",
            "It is Never, IfAvailable or Always.",
        )
    command = str(entry["command"])
    if os.sep in command:
        command = str(Path(folder, command))
    return Plugin(
        command=command,
        args=tuple(map(str, entry.get("args") or ())),
        version=version,
        env={str(one["name"]): str(one["value"]) for one in entry.get("env") or ()},
        mode=mode,
        hint=str(entry.get("installHint") or "").strip(),
        cluster=_known_cluster(cluster, folder) if entry.get("provideClusterInfo") else None,
    )


def ask(plugin: Plugin) -> dict[str, Any]:
    """Run the plugin, and return the `status` of its answer: credentials.

    Raises:
        ConfigurationError: it is not there, it failed, or its answer makes no sense.
    """
    terminal = not _busy and sys.stdin is not None and os.isatty(0)
    if plugin.mode == "Always" and not terminal:
        raise _failed(
            f"{plugin.command} asks the person at the terminal (interactiveMode Always), and "
            + ("the terminal is in use" if _busy and os.isatty(0) else "our input is no terminal"),
            "Log in with your provider's own command first, or run agtool in a terminal and give "
            "COMMAND its input by a file in the pod.",
        )
    interactive = plugin.mode != "Never" and terminal
    spec: dict[str, Any] = {"interactive": interactive}
    if plugin.cluster is not None:
        spec["cluster"] = plugin.cluster
    info = {"apiVersion": plugin.version, "kind": "ExecCredential", "spec": spec}
    try:
        done = subprocess.run(
            [plugin.command, *plugin.args],
            env={**os.environ, **plugin.env, "KUBERNETES_EXEC_INFO": json.dumps(info)},
            stdin=None if interactive else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if _quiet else None,
            check=False,
        )
    except FileNotFoundError as error:
        raise _failed(f"{plugin.command} is not installed", plugin.hint or _HINT) from error
    except OSError as error:
        raise _failed(f"cannot run {plugin.command}: {error.strerror}", _HINT) from error
    if done.returncode:
        how = (
            f"ended with exit code {done.returncode}"
            if done.returncode > 0
            else f"was ended by signal {-done.returncode}"
        )
        words = (done.stderr or b"").decode(errors="replace").strip()  # else they have been shown
        raise _failed(f"{plugin.command} {how}" + (f": {words}" if words else ""), _HINT)
    return _status(plugin, done.stdout)


def _status(plugin: Plugin, answer: bytes) -> dict[str, Any]:
    try:
        document: Any = json.loads(answer)
    except ValueError as error:
        raise _failed(f"{plugin.command} printed no JSON", _HINT) from error
    if not isinstance(document, dict) or document.get("kind") != "ExecCredential":
        raise _failed(f"{plugin.command} printed no ExecCredential", _HINT)
    if document.get("apiVersion") != plugin.version:
        raise _failed(
            f"{plugin.command} answered with apiVersion {document.get('apiVersion')}, and its "
            f"entry in the kubeconfig says {plugin.version}",
            "Change apiVersion in the kubeconfig, or update the plugin.",
        )
    status = document.get("status")
    if not isinstance(status, dict):
        raise _failed(f"the answer of {plugin.command} has no status", _HINT)
    certificate = [bool(status.get(key)) for key in ("clientCertificateData", "clientKeyData")]
    if any(certificate) and not all(certificate):
        raise _failed(f"{plugin.command} gave a certificate or a key, and not both", _HINT)
    if not (status.get("token") or all(certificate)):
        raise _failed(f"{plugin.command} gave neither a token nor a certificate", _HINT)
    return status


def _known_cluster(cluster: Mapping[str, Any], folder: str) -> dict[str, Any]:
    """Where credentials are for, as plugins get to know it: k8s.io/client-go, Cluster."""
    names = ("server", "tls-server-name", "insecure-skip-tls-verify", "proxy-url")
    known = {name: cluster[name] for name in names if cluster.get(name)}
    if data := cluster.get("certificate-authority-data"):
        known["certificate-authority-data"] = data
    elif file := cluster.get("certificate-authority"):
        known["certificate-authority-data"] = b64encode(Path(folder, file).read_bytes()).decode()
    for extension in cluster.get("extensions") or ():
        if extension.get("name") == "client.authentication.k8s.io/exec":
            known["config"] = extension.get("extension")
    return known


def _failed(why: str, hint: str) -> ConfigurationError:
    return ConfigurationError(f"the log-in plugin of the kubeconfig failed: {why}", hint=hint)


def loader_with_plugins() -> Any:
    """The official client's class that reads a kubeconfig, with our way to run a plugin.

    Its own shows neither prompt nor stderr, lets the plugin read our input, and only logs that
    it failed. `expires` is when the credentials of the plugin do (seconds since the epoch); None:
    it does not tell, or there is none.
    """
    from kubernetes.config.dateutil import parse_rfc3339
    from kubernetes.config.kube_config import KubeConfigLoader

    parse_time: Any = parse_rfc3339

    class Loader(KubeConfigLoader):
        expires: float | None = None

        def _load_from_exec_plugin(self: Any) -> bool:
            if "exec" not in self._user:
                return False
            entry, cluster = self._user["exec"].value, self._cluster.value
            try:
                status = ask(read_plugin(entry, self._get_base_path(self._user.path), cluster))
                if status.get("token"):
                    self.token = f"Bearer {status['token']}"
                if status.get("clientCertificateData"):
                    self.cert_file = _file(self._temp_file_path, status["clientCertificateData"])
                    self.key_file = _file(self._temp_file_path, status["clientKeyData"])
                if status.get("expirationTimestamp"):
                    until: datetime = parse_time(status["expirationTimestamp"])
                    self.expires = until.timestamp()
            except (OSError, *MISSHAPEN) as error:
                raise _failed(f"its entry or its answer makes no sense: {error}", _HINT) from error
            return True

    return Loader


def _file(folder: str, content: str) -> str:
    """Make a file; its path."""
    with NamedTemporaryFile("w", encoding="utf-8", dir=folder, delete=False) as file:
        file.write(content)
    return file.name
