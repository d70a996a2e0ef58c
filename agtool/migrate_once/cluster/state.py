"""Where a container of a pod is, by what the API server knows of the pod. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from agtool.core.kube.ended import runtime_words
from agtool.core.text import read_json

if TYPE_CHECKING:
    from agtool.core.kube.session import Json


class State(NamedTuple):
    """Where a container is.

    Attributes:
        kind: running, done (it has ended with 0), failed (otherwise; it may be started again), or
            pending (it has not been started).
        since: its start, or its end.
        exit_code: None: it has not ended, or nobody knows.
        restarts: how often it was started again.
        reason: for people, why it cannot be asked; empty: it can.
        result: what agtool wrote about it (--result-file), the document's `data`; None: nothing.
    """

    kind: str
    since: datetime | None = None
    exit_code: int | None = None
    restarts: int = 0
    reason: str = ""
    result: dict[str, Any] | None = None


def state(pod: Json, container: str) -> State:
    """Where a container is: of the name, in its pod."""
    status = pod.get("status") or {}
    ours = _status_of(status, container)
    now = ours.get("state") or {}
    if "running" in now:
        return State("running", _time(now["running"].get("startedAt")), None, _restarts(ours))
    if "terminated" in now:
        return _ended(now["terminated"], ours, pod)
    if before := (ours.get("lastState") or {}).get("terminated"):
        return _ended(before, ours, pod)
    return State("pending", reason=_why_pending(pod, ours, container))


def _ended(terminated: Json, ours: Json, pod: Json) -> State:
    code = terminated.get("exitCode")
    message = terminated.get("message") or ""
    result = _result(message)
    kind = "done" if code == 0 else "failed"
    # A container that has failed is started again, unless the pod is over.
    waiting = ((ours.get("state") or {}).get("waiting") or {}).get("reason") or ""
    if kind == "done":
        reason = "its container has ended"
    else:
        how = terminated.get("reason") or "Error"
        reason = f"its container has ended with exit code {code} ({how})"
        if (pod.get("status") or {}).get("phase") == "Failed":
            why = (pod.get("status") or {}).get("reason")
            reason += f", and the pod is over{f' ({why})' if why else ''}"
        elif waiting:
            reason += f" and waits for its next start ({waiting})"
    problem = _problem(message)
    if problem:
        reason += f": {problem}"
    ended = _time(terminated.get("finishedAt"))
    return State(kind, ended, code, _restarts(ours), reason, result)


def _why_pending(pod: Json, ours: Json, container: str) -> str:
    """Why a container has not been started."""
    status = pod.get("status") or {}
    if status.get("phase") in ("Failed", "Succeeded"):
        words = filter(None, (status.get("reason"), status.get("message")))
        return f"the pod is over: {': '.join(words) or status['phase']}"
    waiting = (ours.get("state") or {}).get("waiting") or {}
    if waiting and waiting.get("reason") not in ("PodInitializing", "ContainerCreating"):
        return f"it cannot start: {_waiting(waiting)}"
    for other in status.get("initContainerStatuses") or ():
        if other.get("name") == container:
            break
        if why := _not_over(other, pod):
            return why
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            why = condition.get("message") or condition.get("reason") or ""
            return f"the pod has no node: {' '.join(why.split())}"
    if not (pod.get("spec") or {}).get("nodeName"):
        return "the pod has no node yet"
    return "it has not been started yet"


def _not_over(other: Json, pod: Json) -> str:
    """Why an init container before ours keeps it from its start; empty: it does not."""
    name, now = other.get("name"), other.get("state") or {}
    specs = (pod.get("spec") or {}).get("initContainers") or ()
    sidecar = any(
        each.get("name") == name and each.get("restartPolicy") == "Always" for each in specs
    )
    if "running" in now:
        return "" if sidecar and other.get("started") else f"container {name} runs before it"
    if "terminated" in now:
        code = now["terminated"].get("exitCode")
        return f"container {name} has failed with exit code {code}" if code else ""
    waiting = now.get("waiting") or {}
    if before := (other.get("lastState") or {}).get("terminated"):
        return (
            f"container {name} has failed with exit code {before.get('exitCode')} "
            f"({waiting.get('reason', 'it is started again')})"
        )
    if waiting.get("reason") in ("PodInitializing", "ContainerCreating", None):
        return f"container {name} has not been started yet"
    return f"container {name} cannot start: {_waiting(waiting)}"


def _waiting(waiting: Json) -> str:
    words = runtime_words(waiting.get("message") or "")
    return ": ".join(filter(None, (waiting.get("reason"), words)))


def _document(message: str) -> dict[str, Any]:
    """The result file in a container's message: its last line, if it is one."""
    lines = message.strip().splitlines()
    try:
        found: Any = read_json(lines[-1]) if lines else None
    except ValueError:
        return {}
    return found if isinstance(found, dict) and found.get("command") == "migrate-once" else {}


def _result(message: str) -> dict[str, Any] | None:
    data = _document(message).get("data")
    return data if isinstance(data, dict) and "outcome" in data else None


def _problem(message: str) -> str:
    """What agtool says of the failure, in one line."""
    found = _document(message)
    errors = found.get("errors")
    if isinstance(errors, list) and errors and isinstance(errors[0], dict):
        return str(errors[0].get("message", ""))
    data = found.get("data")
    if isinstance(data, dict) and data.get("reason"):
        return str(data["reason"])
    if found:
        return ""
    lines = message.strip().splitlines()
    return lines[-1][:300] if lines else ""


def _status_of(status: Json, name: str) -> Json:
    every = (
        *(status.get("initContainerStatuses") or ()),
        *(status.get("containerStatuses") or ()),
    )
    return next((each for each in every if each.get("name") == name), {})


def _restarts(ours: Json) -> int:
    return int(ours.get("restartCount") or 0)


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text.replace("Z", "+00:00")) if text else None
