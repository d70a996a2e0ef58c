"""One pod of a workload: those that there are, and which is meant."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from agtool.core.errors import ConfigurationError, UsageError
from agtool.debug.model import Workload
from agtool.debug.pod.like import get_workload

if TYPE_CHECKING:
    from agtool.core.kube.session import Json, Session

_INDEXES = ("apps.kubernetes.io/pod-index", "batch.kubernetes.io/job-completion-index")
"""Labels with the place of a pod among those of its StatefulSet or Job."""

_OWNERS = {"deployment": "ReplicaSet", "rollout": "ReplicaSet", "cronjob": "Job"}
"""The kind of what owns the pods of a workload, where it does not do so itself."""

_SHOWN = 20
"""Pods of which a message has the names."""


def find_pod(session: Session, workload: Workload, index: int | None, *, running: bool) -> Json:
    """The pod that is meant; if there are several, the person at the terminal is asked.

    Args:
        index: --pod-index.
        running: one that does not run is of no use.

    Raises:
        NotFoundError: no such pod or workload.
        DeniedError: no permission to read it, or to list pods.
        ConfigurationError: it has no such pod.
        UsageError: it has several, and nobody is there to ask.
    """
    pods = f"/api/v1/namespaces/{session.namespace}/pods"
    if workload.kind == "pod":
        return session.get(f"{pods}/{workload.name}")
    found = get_workload(session, session.namespace, workload)
    listed = _of_cron_job(session, found) if workload.kind == "cronjob" else None
    if listed is None:
        query = {"labelSelector": selector_of(found)}
        listed = [pod for pod in session.pages(pods, **query) if _is_of(pod, workload.kind, found)]
    usable = chosen_from(listed, running=running)
    if index is not None:
        return with_index(usable, index, workload)
    if not usable:
        # A pod that was completed is not offered beside others, but may be the one that is meant.
        if over := [pod["metadata"]["name"] for pod in listed if _has_completed(pod)]:
            raise ConfigurationError(
                f"{workload} has no pod that runs: {', '.join(over[:_SHOWN])} completed",
                hint=f"To run in a copy of it: agtool debug --copy --target pod/{over[-1]}",
            )
        raise ConfigurationError(
            f"{workload} has no pod{' that runs' if running else ''}",
            hint=f"`kubectl get pods` shows them. To run in a new pod that is like them: "
            f"agtool debug --like {workload}",
        )
    return usable[0] if len(usable) == 1 else usable[_asked(usable, workload)]


def _has_completed(pod: Json) -> bool:
    return (pod.get("status") or {}).get("phase") == "Succeeded"


def _of_cron_job(session: Session, found: Json) -> list[Json]:
    """The pods of the jobs that a cron job has made."""
    jobs = session.pages(f"/apis/batch/v1/namespaces/{session.namespace}/jobs")
    uids = {job["metadata"]["uid"] for job in jobs if _owner(job) == found["metadata"]["uid"]}
    pods = session.pages(
        f"/api/v1/namespaces/{session.namespace}/pods", labelSelector="batch.kubernetes.io/job-name"
    )
    return [pod for pod in pods if _owner(pod) in uids]


def _owner(found: Json) -> str:
    """The UID of its controller."""
    references = found["metadata"].get("ownerReferences") or ()
    return next((str(one["uid"]) for one in references if one.get("controller")), "")


def _is_of(pod: Json, kind: str, workload: Json) -> bool:
    """Whether a pod with the labels of a workload belongs to it, and is no debug pod like it."""
    references = pod["metadata"].get("ownerReferences") or ()
    none: Json = {}
    controller = next((one for one in references if one.get("controller")), none)
    if kind in _OWNERS:
        return bool(controller.get("kind") == _OWNERS[kind])
    return bool(controller.get("uid") == workload["metadata"]["uid"])


def selector_of(workload: Json) -> str:
    """The labels of a workload's pods, as a list is asked for them."""
    selector = workload["spec"].get("selector") or {}
    words = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
    words += map(_expression, selector.get("matchExpressions") or ())
    # A Rollout that refers to a Deployment has its selector in its status.
    return ",".join(words) or str((workload.get("status") or {}).get("selector") or "")


def _expression(one: Json) -> str:
    key, operator = one["key"], one["operator"]
    if operator == "Exists":
        return str(key)
    if operator == "DoesNotExist":
        return f"!{key}"
    return f"{key} {'in' if operator == 'In' else 'notin'} ({','.join(one['values'])})"


def chosen_from(pods: Sequence[Json], *, running: bool) -> list[Json]:
    """The pods that are of use, in the order of their numbers and names."""
    phases = ("Running",) if running else ("Running", "Pending", "Failed", "Unknown")
    usable = [
        pod
        for pod in pods
        if (pod.get("status") or {}).get("phase") in phases
        and "deletionTimestamp" not in pod["metadata"]
    ]
    return sorted(usable, key=_order)


def _order(pod: Json) -> list[Any]:
    """web-2 comes before web-10."""
    parts = re.split(r"(\d+)", pod["metadata"]["name"])
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


def with_index(pods: Sequence[Json], index: int, workload: Workload) -> Json:
    """The pod with a number: its own, as in a StatefulSet, else its place in the list.

    Raises ConfigurationError: there is none.
    """
    numbers = [_number(pod) for pod in pods]
    if any(number is not None for number in numbers):
        found = [pod for pod, number in zip(pods, numbers, strict=True) if number == index]
    else:
        found = list(pods[index : index + 1])
    if found:
        return found[0]
    raise ConfigurationError(
        f"{workload} has no pod with --pod-index {index} that can be used",
        hint=f"It has {_names(pods)}." if pods else "`kubectl get pods` shows why.",
    )


def _number(pod: Json) -> int | None:
    labels = pod["metadata"].get("labels") or {}
    found = next((labels[one] for one in _INDEXES if one in labels), "")
    return int(found) if found.isdigit() else None


def _names(pods: Sequence[Json]) -> str:
    names = [pod["metadata"]["name"] for pod in pods]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _asked(pods: Sequence[Json], workload: Workload) -> int:
    """Which of several it is, as a place in the list."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(
            f"{workload} has {len(pods)} pods: {_names(pods)}",
            hint="Choose one: --target pod/NAME, or --pod-index N.",
        )
    for line in _lines(pods):
        sys.stderr.write(f"  {line}\n")
    while True:
        sys.stderr.write(f"agtool: which pod of {workload}? [0-{len(pods) - 1}] ")
        sys.stderr.flush()
        answer = sys.stdin.readline()
        if not answer:
            raise UsageError(f"no pod of {workload} was chosen", hint="Use --pod-index N.")
        if answer.strip().isdecimal() and int(answer) < len(pods):
            return int(answer)
        sys.stderr.write(f"agtool: {answer.strip()!r} is not a number from 0 to {len(pods) - 1}\n")


def _lines(pods: Sequence[Json]) -> Iterator[str]:
    width = len(str(len(pods) - 1))
    for number, pod in enumerate(pods):
        spec, status = pod["spec"], pod.get("status") or {}
        statuses = status.get("containerStatuses") or ()
        ready = all(one.get("ready") for one in statuses) and bool(statuses)
        words = [str(status.get("phase")), *([] if ready else ["not ready"])]
        node = f" on {spec['nodeName']}" if spec.get("nodeName") else ""
        yield f"{number:{width}}  {pod['metadata']['name']}  {', '.join(words)}{node}"
