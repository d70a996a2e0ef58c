"""What the shell offers where a value is to be written.

Everything here answers within a second, or AGTOOL_COMPLETION_TIMEOUT, and with nothing where the
cluster does not: a person who pressed Tab has no use for a message.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer  # noqa: TC002  # Typer reads the annotations

from agtool.core.duration import parse_duration
from agtool.core.errors import AgtoolError

if TYPE_CHECKING:
    from agtool.core.kube.session import Session

Completer = Callable[..., list[str]]

_DEADLINE = 0.8
"""Seconds from the start to the answer; the shell and Python's end need the rest of a second."""

_LEAST = 0.1
"""Seconds that a search gets, also where the start has taken long: the promise comes first."""

_MOST = 500
"""Names that are read of each kind; nobody chooses from more."""

_GROUPS = {
    "deployment": "/apis/apps/v1",
    "statefulset": "/apis/apps/v1",
    "daemonset": "/apis/apps/v1",
    "replicaset": "/apis/apps/v1",
    "pod": "/api/v1",
    "job": "/apis/batch/v1",
}
"""The kinds of workloads that are offered, and the groups that have them."""


def words(*choices: str) -> Completer:
    """Offer these."""

    def offer(incomplete: str) -> list[str]:
        return [choice for choice in choices if choice.startswith(incomplete)]

    return offer


def search(find: Callable[[Mapping[str, Any]], Iterable[str]]) -> Completer:
    """Offer what `find` gives in time, of what it raises nothing.

    Args:
        find: gets the values that stand on the command line, by the parameters' names.
    """

    def offer(context: typer.Context, incomplete: str) -> list[str]:
        names = _found_in_time(lambda: find(context.params))
        return sorted({name for name in names if name.startswith(incomplete)})

    return offer


def from_cluster(names: Callable[[Session], Iterable[str]]) -> Completer:
    """Offer what `names` reads from the cluster and the namespace of the command line."""

    def find(params: Mapping[str, Any]) -> Iterator[str]:
        from agtool.core.kube.session import connect

        with connect(
            kubeconfig=_kubeconfig(params),
            context=params.get("context"),
            namespace=params.get("namespace"),
            as_user=params.get("as_user"),
            as_groups=params.get("as_group") or (),
            connections=len(_GROUPS),
            timeout=_deadline(),
            patience=0,
        ) as session:
            yield from names(session)

    return search(find)


def listed(session: Session, path: str, **query: Any) -> list[str]:
    """The names of the objects of a list, such as /api/v1/nodes; only the first 500."""
    from agtool.core.kube.session import METADATA_LIST

    page = session.get(path, accept=METADATA_LIST, limit=_MOST, **query)
    return [item["metadata"]["name"] for item in page.get("items") or ()]


def _namespaced(group: str, plural: str) -> Callable[[Session], list[str]]:
    return lambda session: listed(session, f"{group}/namespaces/{session.namespace}/{plural}")


def _workloads(session: Session) -> Iterator[str]:
    from concurrent.futures import ThreadPoolExecutor

    def names(kind: str) -> list[str]:
        found: list[str] = []
        with suppress(AgtoolError):  # it may be one that we may not list
            found = _namespaced(_GROUPS[kind], f"{kind}s")(session)
        return [f"{kind}/{name}" for name in found]

    # At once: there is time for one answer, not for five.
    with ThreadPoolExecutor(len(_GROUPS)) as threads:
        for found in threads.map(names, _GROUPS):
            yield from found


def _kubeconfig(params: Mapping[str, Any]) -> Path | None:
    return Path(params["kubeconfig"]) if params.get("kubeconfig") else None


def _contexts(params: Mapping[str, Any]) -> Iterator[str]:
    import yaml  # type: ignore[import-untyped]

    from agtool.core.kube.contexts import kubeconfig_files

    for file in kubeconfig_files(_kubeconfig(params)):
        with suppress(OSError, yaml.YAMLError, TypeError, KeyError):
            # The loader that is written in C takes a tenth of the time, if it is there.
            loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
            content = yaml.load(Path(file).read_bytes(), loader)  # noqa: S506  # both are safe
            yield from (entry["name"] for entry in content["contexts"])


contexts = search(_contexts)
"""Offer the contexts of the kubeconfig."""

namespaces = from_cluster(lambda session: listed(session, "/api/v1/namespaces"))
"""Offer the cluster's namespaces."""

nodes = from_cluster(lambda session: listed(session, "/api/v1/nodes"))
"""Offer the cluster's nodes."""

pods = from_cluster(
    lambda session: [f"pod/{name}" for name in _namespaced("/api/v1", "pods")(session)]
)
"""Offer the pods of the namespace, such as pod/web-0."""

workloads = from_cluster(_workloads)
"""Offer what runs in the namespace, such as deployment/web and pod/web-0."""


def _found_in_time(find: Callable[[], Iterable[str]]) -> list[str]:
    """What `find` has found until the deadline.

    It runs in a process of its own, which has no terminal: whatever it waits for, an address that
    is not resolved or a log-in plugin that asks, ends with it.
    """
    if sys.platform == "win32":
        return []  # which has no such processes
    until = time.monotonic() + max(_LEAST, _deadline() - _seconds_since_start())
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        _search_in_child(find, writer)
    os.close(writer)
    text = b""
    try:
        while select.select([reader], [], [], max(0.0, until - time.monotonic()))[0]:
            chunk = os.read(reader, 65536)
            if not chunk:
                break
            text += chunk
    finally:
        os.close(reader)
        for kill in (os.killpg, os.kill):  # it may have made no group yet
            with suppress(ProcessLookupError):
                kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    return text.decode(errors="replace").split("\n")[:-1]


def _deadline() -> float:
    """Seconds from the start of the program to the answer."""
    with suppress(KeyError, ValueError):
        return parse_duration(os.environ["AGTOOL_COMPLETION_TIMEOUT"])
    return _DEADLINE


def _seconds_since_start() -> float:
    """The age of our process; 0 where the system does not tell."""
    if sys.platform == "linux":
        # Behind the name, which may hold anything; proc(5): the time after boot, in clock ticks.
        ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
        return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    else:  # noqa: RET505  # else mypy takes the line below for one that is never reached
        return 0.0


def _search_in_child(find: Callable[[], Iterable[str]], writer: int) -> None:
    """Write what is found; ends the process."""
    with suppress(BaseException):
        if sys.platform != "win32":
            os.setsid()
        nothing = os.open(os.devnull, os.O_RDWR)
        for standard in (0, 1, 2):
            os.dup2(nothing, standard)
        for name in find():
            if name and name.isprintable():
                os.write(writer, f"{name}\n".encode())
    os._exit(0)
