"""Wait until a pod's container runs, and tell what happens meanwhile."""

from __future__ import annotations

import queue
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from agtool.core.errors import TIMED_OUT, AgtoolError, DeniedError, UnreachableError
from agtool.core.kube.errors import NotFoundError
from agtool.core.live import Live
from agtool.core.output import say
from agtool.core.text import printable
from agtool.debug.pod.explain import StartState, start_state

if TYPE_CHECKING:
    from agtool.core.kube.session import Json, Session
    from agtool.debug.interrupts import Interrupts
    from agtool.debug.modes import Given

_WATCH = 300.0
"""Seconds after which a watch is begun anew."""


_LOOK_UP = 1.0
"""Seconds after which a signal is heard whose exception has been lost: see `Interrupts`."""


class NotStartedError(AgtoolError):
    """The container does not run, and will not."""

    code = "not-started"


class TooLongError(AgtoolError):
    """The container does not run yet, and --timeout is over."""

    exit_code = TIMED_OUT
    code = "timed-out"


@dataclass
class _Known:
    """What the API server has said so far."""

    pod: Json = field(default_factory=dict)
    events: dict[str, Json] = field(default_factory=dict)


def wait_until_running(
    session: Session,
    name: str,
    uid: str,
    *,
    container: str,
    timeout: float,
    interrupts: Interrupts,
    given: Given,
) -> None:
    """Return as soon as commands can be executed in the container.

    Args:
        timeout: seconds.
        given: what stands on the command line, for hints.

    Raises:
        NotStartedError: it cannot start; the message says why.
        TooLongError: it has not started in time; the message says what it waits for.
        DeniedError: no permission to get and watch pods.
        Stopped: a signal.
    """
    deadline = time.monotonic() + timeout
    news: queue.Queue[Json | AgtoolError] = queue.Queue()
    place = f"/api/v1/namespaces/{session.namespace}"
    for what in (
        _Followed(f"{place}/pods", f"metadata.name={name}", f"{place}/pods/{name}"),
        _Followed(f"{place}/events", f"involvedObject.uid={uid}"),
    ):
        follow = (session, what, deadline, news)
        threading.Thread(target=_follow, args=follow, daemon=True).start()
    known = _Known()
    latest = StartState("")
    problem = ""
    with Live() as live, interrupts.allowed():
        while True:
            if latest.problem and not latest.hopeless and latest.problem != problem:
                more = "" if problem else f"Waiting {timeout:.0f} s in all (--timeout) for a change"
                problem = latest.problem
                say("\n".join(filter(None, (f"{name}: {problem}", latest.hint, more))))
            if latest.running:
                return
            if latest.stage:
                live.show(f"{name}: {latest.stage}")
            if latest.hopeless:
                last = _last_lines(session, name, container) if latest.crashed else ""
                raise NotStartedError(latest.problem + last, hint=latest.hint)
            interrupts.check()
            left = deadline - time.monotonic()
            if left <= 0:
                why = latest.problem or f"still {latest.stage or 'unknown to the API server'}"
                raise TooLongError(
                    f"{name} is not running after {timeout:.0f} s (--timeout): {why}",
                    hint=latest.hint,
                )
            with suppress(queue.Empty):
                _take(news.get(timeout=min(left, _LOOK_UP)), known, uid)
                while True:
                    _take(news.get_nowait(), known, uid)
            if known.pod:
                latest = start_state(known.pod, list(known.events.values()), container, given)


def _take(news: Json | AgtoolError, known: _Known, uid: str) -> None:
    if isinstance(news, AgtoolError):
        raise news
    found = news["object"]
    if found.get("kind") == "Event":
        # A repeated one comes again, as the same object with a higher count: now it is the last.
        known.events.pop(found["metadata"]["uid"], None)
        known.events[found["metadata"]["uid"]] = found
    elif found["metadata"].get("uid") != uid or news["type"] == "DELETED":
        raise _was_deleted()
    else:
        known.pod = found


def _was_deleted() -> NotStartedError:
    return NotStartedError("the pod was deleted")


class _Followed(NamedTuple):
    """What is watched.

    Attributes:
        path: of the collection in the API.
        one: of the object in it that has to be there; empty: there may be any number.
    """

    path: str
    selector: str
    one: str = ""


def _follow(
    session: Session, what: _Followed, deadline: float, news: queue.Queue[Json | AgtoolError]
) -> None:
    """Put what is there, and each change of it, into `news`."""
    pause = 0.2
    while (left := deadline - time.monotonic()) > 0:
        try:
            # Version 0: what there is now comes first, as if it were new.
            version = "0"
            if what.one:
                # A watch does not tell of what was deleted before.
                found = session.get(what.one)
                news.put({"type": "ADDED", "object": found})
                version = found["metadata"]["resourceVersion"]
            for event in session.watch(
                what.path,
                resource_version=version,
                timeout=min(_WATCH, left + 1),
                fieldSelector=what.selector,
            ):
                if event["type"] in {"ADDED", "MODIFIED", "DELETED"}:
                    news.put(event)
            pause = 0.2
        except NotFoundError:
            news.put(_was_deleted())
            return
        except UnreachableError:
            time.sleep(pause)
            pause = min(2.0, pause * 2)
        except DeniedError as error:
            # Without events there is less to tell, and that is all.
            if what.one:
                news.put(error)
            return
        except AgtoolError as error:
            news.put(error)
            return


def _last_lines(session: Session, name: str, container: str) -> str:
    """The end of a container's output, to be added to a message."""
    path = f"/api/v1/namespaces/{session.namespace}/pods/{name}/log"
    try:
        text = session.text(path, container=container, tailLines=10, limitBytes=4000)
    except AgtoolError as error:
        return f" (its output cannot be read: {error.message})"
    lines = [f"\n  {printable(line)}" for line in text.splitlines()]
    return "; its last lines:" + "".join(lines) if lines else ""
