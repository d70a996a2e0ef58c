"""Which kubeconfig files there are, and what the one context in them says that is meant.

Reading and merging are the official client's. Nothing is sent, and no log-in plugin runs.
"""

from __future__ import annotations

import copy
import os
import re
import ssl
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agtool.core.errors import ConfigurationError
from agtool.core.kube.lean import lean_client
from agtool.core.kube.plugin import MISSHAPEN

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""What the kubelet gives to a pod."""


@dataclass(frozen=True)
class Context:
    """A context of a kubeconfig.

    Attributes:
        cluster, user: what it names; empty: the kubeconfig has no such entry.
        merged: all files in one, for the client's loader.
        save: writes back what the client has changed in them.
    """

    name: str
    namespace: str
    cluster: dict[str, Any]
    user: dict[str, Any]
    merged: Any
    save: Callable[[], None]


def kubeconfig_files(kubeconfig: Path | None, *, needed: bool = True) -> list[str]:
    """The kubeconfig files that exist; of those in KUBECONFIG some may be missing.

    needed: False: all of those in KUBECONFIG may be missing, as for kubectl where it sends nothing.

    None: no file was named, and ~/.kube/config is not there, or cannot be had in a pod, which has
    another account.

    Raises:
        ConfigurationError: none of those that were named exists, or one cannot be a kubeconfig.
    """
    variable = os.environ.get("KUBECONFIG", "")
    named = [str(kubeconfig)] if kubeconfig else list(filter(None, variable.split(os.pathsep)))
    # Unlike Path.expanduser it leaves a path alone where there is no home to be found.
    files = [os.path.expanduser(file) for file in named or ["~/.kube/config"]]  # noqa: PTH111
    where = "Check --kubeconfig." if kubeconfig else "Check KUBECONFIG."
    hint = where if named else "Give --kubeconfig FILE, or set KUBECONFIG."
    found = []
    for file in files:
        try:
            mode = Path(file).stat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            if not named and in_a_pod():  # the HOME of another user, such as root's in its image
                continue
            raise ConfigurationError(f"cannot read {file}: {error.strerror}", hint=hint) from error
        if stat.S_ISDIR(mode):
            raise ConfigurationError(f"the kubeconfig {file} is a folder", hint=hint)
        found.append(file)  # a pipe will do
    if named and not found and (needed or kubeconfig):
        raise ConfigurationError(f"there is no kubeconfig {os.pathsep.join(files)}", hint=hint)
    return found


def in_a_pod() -> bool:
    """Whether there is a service account to be used in place of a kubeconfig."""
    return os.path.exists(SERVICE_ACCOUNT / "token")  # noqa: PTH110  # Path.exists may raise


def namespace_of_pod() -> str:
    """That of the pod that we run in. Raises OSError."""
    return (SERVICE_ACCOUNT / "namespace").read_text().strip() or "default"


def namespace_of_context(kubeconfig: Path | None, context: str | None) -> str:
    """The namespace that is meant where none is named.

    `default` where there is no kubeconfig, in a pod its own.

    Raises:
        ConfigurationError: `kubeconfig` is not there, one is not valid, or there is no such
            context.
    """
    lean_client()
    files = kubeconfig_files(kubeconfig, needed=False)
    if files:
        with explained(os.pathsep.join(files)):
            return read_context(files, context).namespace
    if context:
        raise no_context(context)
    if not in_a_pod():
        return "default"
    with explained(str(SERVICE_ACCOUNT)):
        return namespace_of_pod()


def no_context(name: str) -> ConfigurationError:
    """What to say where a context is named and there is no kubeconfig."""
    return ConfigurationError(
        f"there is no kubeconfig with a context {name!r}",
        hint="Leave out --context to use the pod's service account, or set KUBECONFIG.",
    )


def read_context(files: Sequence[str], wanted: str | None) -> Context:
    """A context; None: the current one. To be called in `explained`."""
    from kubernetes.config.kube_config import KubeConfigMerger

    # Given the paths at once, it would split each at its colons, which names of EKS contexts have.
    merger = KubeConfigMerger("")  # type: ignore[no-untyped-call]
    for file in files:
        merger.paths.append(file)
        merger.load_config(file)  # type: ignore[no-untyped-call]
    merger.config_saved = copy.deepcopy(merger.config_files)
    documents: list[dict[str, Any]] = list(merger.config_files.values())
    entries = [entry for document in documents for entry in document.get("contexts") or ()]
    names = [entry["name"] for entry in entries]
    for entry in (*documents, *entries):
        _check_types(entry)
    # The first file that has one, as in kubectl; the client would take the last.
    current = next((d["current-context"] for d in documents if d.get("current-context")), None)
    name = str(wanted or current or "")
    if name not in names:
        source = os.pathsep.join(files)
        raise ConfigurationError(
            f"{source} has no context {name!r}" if name else f"{source} has no current context",
            hint=f"Contexts: {', '.join(names)}." if names else "Give another --kubeconfig FILE.",
        )
    context = entries[names.index(name)]["context"]
    cluster, user = (_entry(documents, kind, context) for kind in ("cluster", "user"))
    for entry in (context, cluster, user):
        _check_types(entry)
    return Context(
        name=name,
        namespace=context.get("namespace") or "default",
        cluster=cluster,
        user=user,
        merged=merger.config,
        save=merger.save_changes,
    )


def _entry(documents: Sequence[dict[str, Any]], kind: str, context: dict[str, Any]) -> Any:
    """The user or the cluster that a context names, in the first file that has it."""
    entries = [entry for document in documents for entry in document.get(f"{kind}s") or ()]
    found = (entry.get(kind) for entry in entries if entry["name"] == context.get(kind))
    return next(found, None) or {}


_TEXTS = (
    *("current-context", "name", "namespace", "server", "tls-server-name", "proxy-url"),
    *("as", "as-uid", "token"),
)


def _check_types(entry: dict[str, Any]) -> None:
    """Refuse what kubectl refuses: YAML makes a number of 2024. The value may be a secret."""
    for key in _TEXTS:
        if not isinstance(entry.get(key) or "", str):
            raise ConfigurationError(
                f"`{key}` in the kubeconfig is not a text", hint=f'Write {key}: "..." in quotes.'
            )
    if not isinstance(entry.get("insecure-skip-tls-verify") or False, bool):
        raise ConfigurationError(
            "`insecure-skip-tls-verify` in the kubeconfig is neither true nor false",
            hint="Write it without quotes.",
        )


@contextmanager
def explained(source: str) -> Iterator[None]:
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
