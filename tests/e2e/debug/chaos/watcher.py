"""What of the sessions runs, and what is left of them, as seen from outside all the time."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from agtool.debug.model import KIND, PROCESS
from tests.cluster.api import Api, Object, Refused

EVERY = 0.4
"""Seconds between two looks."""

_SESSION = re.compile(rb"\0(?:AGTOOL_SESSION|HOSTNAME)=(debug-[a-z0-9]{6})")

_RESOURCES = {"pods": "/api/v1", "jobs": "/apis/batch/v1", "configmaps": "/api/v1"}


@dataclass
class Seen:
    """What was seen of one session; times by time.monotonic(), 0: not yet.

    Attributes:
        made: when the first of its objects was there.
        ran: when a process of it ran first, and ran_last: when last.
        gone: when none of its objects was there any more.
        objects: those that are there, by resource.
        parents: what is in their annotation of agtool's process.
    """

    made: float = 0.0
    ran: float = 0.0
    ran_last: float = 0.0
    gone: float = 0.0
    objects: dict[str, Object] = field(default_factory=dict)
    parents: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Process:
    """A process in a container of a session; pid as it is here, first: it is the container's."""

    pid: int
    session: str
    first: bool
    command: str


class Watcher:
    """Looks, from `with` to its end, at the processes of this machine and at some namespaces.

    Attributes:
        blind: seconds for which the API server did not answer.
        blind_at: when that was last; 0: never.
    """

    def __init__(self, api: Api, namespaces: list[str]) -> None:
        self._api = api
        self._namespaces = namespaces
        self._seen: dict[str, Seen] = {}
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watcher", daemon=True)
        self.looked = 0.0
        self.blind = 0.0
        self.blind_at = 0.0
        self.broken: BaseException | None = None

    def __enter__(self) -> Watcher:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def seen(self, name: str) -> Seen:
        """What is known of a session. Raises what has ended the watch."""
        if self.broken:
            raise self.broken
        with self._lock:
            return self._seen.get(name) or Seen()

    def of_process(self, identity: str) -> str:
        """The session that an agtool has made, by `Started.identity`; empty: none that is known."""
        with self._lock:
            for name, seen in self._seen.items():
                if any(parent.endswith(f"/{identity}") for parent in seen.parents):
                    return name
        return ""

    def pod(self, name: str) -> Object | None:
        """Its pod, if it is there."""
        return self.seen(name).objects.get("pods")

    def _watch(self) -> None:
        try:
            while not self._over.wait(EVERY):
                self._look()
        except BaseException as error:
            self.broken = error
            raise

    def _look(self) -> None:
        now = time.monotonic()
        for process in processes():
            seen = self._of(process.session)
            seen.ran = seen.ran or now
            seen.ran_last = now
        try:
            found = [
                (resource, item)
                for namespace in self._namespaces
                for resource, group in _RESOURCES.items()
                for item in self._api.get(
                    f"{group}/namespaces/{namespace}/{resource}", labelSelector=KIND
                )["items"]
            ]
        except (httpx.TransportError, Refused):
            self.blind += time.monotonic() - (self.looked or now)
            self.looked = self.blind_at = time.monotonic()
            return
        self.looked = time.monotonic()
        there: dict[str, dict[str, Object]] = {}
        for resource, item in found:
            there.setdefault(item["metadata"]["name"], {})[resource] = item
        for name, objects in there.items():
            seen = self._of(name)
            seen.made = seen.made or now
            for item in objects.values():
                parent = (item["metadata"].get("annotations") or {}).get(PROCESS)
                seen.parents |= {parent} if parent else set()
            seen.objects, seen.gone = objects, 0.0
        for name, seen in list(self._seen.items()):
            if seen.made and name not in there:
                seen.objects, seen.gone = {}, seen.gone or self.looked

    def _of(self, name: str) -> Seen:
        with self._lock:
            return self._seen.setdefault(name, Seen())


def processes() -> Iterator[Process]:
    """The live processes in containers of sessions, from /proc of this machine."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        with suppress(OSError):  # it ended meanwhile
            found = _SESSION.search(b"\0" + (entry / "environ").read_bytes())
            if found is None:
                continue
            status = _fields((entry / "status").read_text())
            if status["State"].startswith("Z"):
                continue
            inside = status["NSpid"].split()
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            first = len(inside) > 1 and inside[-1] == "1"
            yield Process(int(entry.name), found[1].decode(), first, command)


def processes_of(name: str) -> list[Process]:
    """Those of one session."""
    return [each for each in processes() if each.session == name]


def first_of(host: str) -> int | None:
    """The first process of the containers of a pod of that name, of which the oldest is taken."""
    mark = f"\0HOSTNAME={host}\0".encode()
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            if mark in b"\0" + (entry / "environ").read_bytes():
                inside = _fields((entry / "status").read_text())["NSpid"].split()
                if inside[-1] == "1":
                    found.append(int(entry.name))
    return min(found, default=None)


def _fields(status: str) -> Mapping[str, str]:
    pairs = (line.partition(":") for line in status.splitlines())
    return {name: value.strip() for name, _, value in pairs}


def kill(pid: int | None, number: int) -> bool:
    """Send a signal; whether there was such a process."""
    if pid is None:
        return False
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True
