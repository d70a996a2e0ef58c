"""Wait until a pod's container runs, and tell what happens meanwhile."""

from __future__ import annotations

import queue
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agtool.core.errors import TIMED_OUT, AgtoolError, DeniedError, UnreachableError
from agtool.core.output import say, show_line
from agtool.debug.model import CONTAINER, Json
from agtool.debug.pod.explain import Progress, progress

if TYPE_CHECKING:
    from agtool.core.kube.session import Session
    from agtool.debug.interrupts import Interrupts

_WATCH = 300.0
"""Seconds after which a watch is begun anew."""


class NotStartedError(AgtoolError):
    """The container does not run, and will not."""

    code = "not-started"


class TooLongError(AgtoolError):
    """The container does not run yet, and --timeout is over."""

    exit_code = TIMED_OUT
    code = "timed-out"


@dataclass
class _Seen:
    pod: Json = field(default_factory=dict)
    events: dict[str, Json] = field(default_factory=dict)


def wait_until_running(
    session: Session,
    namespace: str,
    name: str,
    uid: str,
    *,
    container: str = CONTAINER,
    timeout: float,
    interrupts: Interrupts,
) -> str:
    """Return the node's name as soon as commands can be executed in the container.

    Args:
        timeout: seconds.

    Raises:
        NotStartedError: it cannot start; the message says why.
        TooLongError: it has not started in time; the message says what it waits for.
        DeniedError: no permission to watch pods.
        Stopped: a signal.
    """
    deadline = time.monotonic() + timeout
    news: queue.Queue[Json | AgtoolError] = queue.Queue()
    pods = f"/api/v1/namespaces/{namespace}/pods"
    events = f"/api/v1/namespaces/{namespace}/events"
    for path, selector in ((pods, f"metadata.name={name}"), (events, f"involvedObject.uid={uid}")):
        threading.Thread(
            target=_follow, args=(session, path, selector, deadline, news), daemon=True
        ).start()
    story = _Story(name, timeout)
    seen = _Seen()
    latest = Progress("")
    with story, interrupts.allowed():
        while True:
            story.tell(latest)
            if latest.running:
                return str((seen.pod.get("spec") or {}).get("nodeName", ""))
            if latest.hopeless:
                last = _last_lines(session, namespace, name, container) if latest.crashed else ""
                raise NotStartedError(latest.problem + last, hint=latest.hint)
            left = deadline - time.monotonic()
            if left <= 0:
                why = latest.problem or f"still {latest.stage or 'unknown to the API server'}"
                raise TooLongError(
                    f"not running after {timeout:.0f} s (--timeout): {why}", hint=latest.hint
                )
            with suppress(queue.Empty):
                _take(news.get(timeout=left), seen, uid)
                while True:
                    _take(news.get_nowait(), seen, uid)
            if seen.pod:
                latest = progress(seen.pod, list(seen.events.values()), container)


def _take(news: Json | AgtoolError, seen: _Seen, uid: str) -> None:
    if isinstance(news, AgtoolError):
        raise news
    found = news["object"]
    if found.get("kind") == "Event":
        # A repeated one comes again, as the same object with a higher count: now it is the last.
        seen.events.pop(found["metadata"]["uid"], None)
        seen.events[found["metadata"]["uid"]] = found
    elif found["metadata"].get("uid") == uid:
        seen.pod = found
        if news["type"] == "DELETED":
            raise NotStartedError("somebody deleted the pod")


def _follow(
    session: Session,
    path: str,
    selector: str,
    deadline: float,
    news: queue.Queue[Json | AgtoolError],
) -> None:
    """Put what is there, and each change of it, into `news`."""
    pause = 0.2
    while (left := deadline - time.monotonic()) > 0:
        try:
            # Version 0: what there is now comes first, as if it were new.
            for event in session.watch(
                path, resource_version="0", timeout=min(_WATCH, left + 1), fieldSelector=selector
            ):
                if event["type"] in {"ADDED", "MODIFIED", "DELETED"}:
                    news.put(event)
            pause = 0.2
        except UnreachableError:
            time.sleep(pause)
            pause = min(2.0, pause * 2)
        except DeniedError as error:
            # Without events there is less to tell, and that is all.
            if path.endswith("/pods"):
                news.put(error)
            return
        except AgtoolError as error:
            news.put(error)
            return


def _last_lines(session: Session, namespace: str, name: str, container: str) -> str:
    """The end of a container's output, to be added to a message."""
    path = f"/api/v1/namespaces/{namespace}/pods/{name}/log"
    try:
        text = session.text(path, container=container, tailLines=10, limitBytes=4000)
    except AgtoolError as error:
        return f" (its output cannot be read: {error.message})"
    lines = text.splitlines()
    return "; its last lines:" + "".join(f"\n  {line}" for line in lines) if lines else ""


class _Story:
    """What happens, on stderr: a live line on a terminal, else a line for each news."""

    def __init__(self, name: str, timeout: float) -> None:
        self._name = name
        self._patience = f"Waiting for that to change, {timeout:.0f} s in all (--timeout) ..."
        self._live = sys.stderr.isatty()
        self._told = ""
        self._problem = ""

    def __enter__(self) -> _Story:
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            show_line("")

    def tell(self, news: Progress) -> None:
        if news.problem and not news.hopeless and news.problem != self._problem:
            if self._live:
                show_line("")
            lines = (f"{self._name}: {news.problem}", news.hint)
            say("\n".join(filter(None, (*lines, "" if self._problem else self._patience))))
            self._problem = news.problem
        if news.stage and news.stage != self._told:
            self._told = news.stage
            if self._live:
                show_line(f"{self._name}: {news.stage}")
            elif not news.running:
                say(f"{self._name}: {news.stage}")
