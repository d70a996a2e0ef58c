"""Pure: what a pod and its events say about where it is on its way to a running container."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from agtool.core.kube.ended import runtime_words
from agtool.debug import hints
from agtool.debug.model import CONTAINER, STATUSES
from agtool.debug.modes import Given
from agtool.debug.pod.like import sidecars

if TYPE_CHECKING:
    from agtool.core.kube.session import Json


@dataclass(frozen=True)
class StartState:
    """Where a container is.

    Attributes:
        stage: what happens now, for people; empty: it does not go on.
        running: commands can be executed in it.
        problem: why it does not go on; empty: it does.
        hint: what to do about it.
        hopeless: waiting will not help.
        crashed: the container ran and ended by itself: its output may say why.
    """

    stage: str = ""
    running: bool = False
    problem: str = ""
    hint: str = ""
    hopeless: bool = False
    crashed: bool = False


_NOTHING = Given()


def start_state(  # noqa: PLR0911  # one for each answer
    pod: Json, events: Sequence[Json], container: str = CONTAINER, given: Given = _NOTHING
) -> StartState:
    """Where a pod's container is.

    Args:
        pod: the object as last seen.
        events: those about the pod, in the order in which they came.
        container: its name; an ephemeral one too.
        given: what stands on the command line, for hints.
    """
    status = pod.get("status") or {}
    ours = _status_of(status, container)
    if status.get("reason") == "DeadlineExceeded":
        return StartState(problem="the pod's lifetime (--ttl) is over", hopeless=True)
    deleted = "deletionTimestamp" in (pod.get("metadata") or {})
    if deleted and "running" not in (ours.get("state") or {}):
        return StartState(problem="the pod was deleted", hopeless=True)
    if how := _end_of_a_sleep(status, container):
        return StartState(problem=f"container {container} ended: {how}", hopeless=True)
    about = _About(given, str((pod.get("metadata") or {}).get("name")), events)
    if found := _container(ours, about, container):
        return found
    if status.get("phase") == "Failed":
        # It is over before its container has a state, or its node threw it out.
        why = (status.get("reason") or "Failed", _one_line(status.get("message") or ""))
        return StartState(problem=": ".join(filter(None, why)), hopeless=True)
    beside = {one["name"] for one in sidecars(pod)}
    for other in status.get("initContainerStatuses") or ():
        sidecar = other.get("name") in beside
        if found := _init_container(other, about, sidecar=sidecar):
            return found
    if any(_is_start(event, container) for event in events):
        # The kubelet tells the API server up to a second later than it tells of the event.
        return StartState("running", running=True)
    return _on_the_way(pod, ours, about, container)


@dataclass(frozen=True)
class _About:
    """What hints depend on: the command line, the name of the pod, and what came about it."""

    given: Given
    pod: str
    events: Sequence[Json]


def _on_the_way(pod: Json, ours: Json, about: _About, container: str) -> StartState:
    status, spec = pod.get("status") or {}, pod.get("spec") or {}
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            why = condition.get("message") or condition.get("reason") or ""
            return _unschedulable(pod, why, about.given)
    if not spec.get("nodeName"):
        return StartState("waiting for a node")
    node = spec["nodeName"]
    containers = (*(spec.get("containers") or ()), *(spec.get("ephemeralContainers") or ()))
    images = (str(one.get("image")) for one in containers if one.get("name") == container)
    image = ours.get("image") or next(images, "the image")
    trouble = ""
    # Without a Job the pod is made before its ConfigMap, and may be looked at in between.
    soon_over = rf'{_SOON_OVER}|configmap "{re.escape(about.pod)}" not found'
    stage = f"starting on {node}"
    for event in about.events:
        reason, message = event.get("reason"), event.get("message") or ""
        if reason == "Pulling":
            named = re.search(_NAMED, message)
            stage = f"pulling {named[1] if named else image} on {node}"
        elif reason in {"Pulled", "Created"}:
            stage, trouble = f"starting on {node}", ""
        elif reason in _OBSTACLES and not re.search(soon_over, message):
            trouble = f"{node}: {_one_line(message)}"
    return StartState(stage, problem=trouble)


_OBSTACLES = {
    "FailedMount",
    "FailedAttachVolume",
    "FailedCreatePodSandBox",
    "FailedCreatePodContainer",
    "NetworkNotReady",
}
"""Events that the kubelet repeats until it gets over them."""

_SOON_OVER = r"failed to sync \w+ cache|context deadline exceeded|is reserved for"
"""The kubelet, or the runtime, was not quick enough; it tries again."""

_PULL_PROBLEMS = {
    "ErrImagePull",
    "ImagePullBackOff",
    "ImageInspectError",
    "InvalidImageName",
    "ErrImageNeverPull",
    "RegistryUnavailable",
    "SignatureValidationFailed",
}

_START_PROBLEMS = {
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
    "PreCreateHookError",
    "PostStartHookError",
    "StartError",
    "ContainerCannotRun",
}


def _container(ours: Json, about: _About, container: str) -> StartState | None:
    """What the container's own status says; None: nothing yet."""
    state = ours.get("state") or {}
    if "running" in state:
        return StartState("running", running=True)
    if "terminated" in state:
        return _terminated(state["terminated"], container, about.given)
    waiting = state.get("waiting") or {}
    reason = waiting.get("reason") or ""
    message = waiting.get("message") or ""
    if reason in _PULL_PROBLEMS:
        return _cannot_pull(ours.get("image", ""), reason, message, about)
    if reason in _START_PROBLEMS:
        soon_over = re.search(_SOON_OVER, message)
        why = runtime_words(message) or reason
        return _cannot_start(why, about.given, hopeless=not soon_over)
    return None


def _init_container(status: Json, about: _About, *, sidecar: bool) -> StartState | None:
    state = status.get("state") or {}
    if (ended := state.get("terminated")) and not ended.get("exitCode"):
        return None
    if "running" in state:
        if sidecar and status.get("started"):
            return None
        return StartState(f"container {status.get('name')} prepares the pod")
    found = _container(status, about, status.get("name", ""))
    return replace(found, hopeless=False) if found and sidecar and found.crashed else found


def _terminated(state: Json, container: str, given: Given) -> StartState:
    code, reason = state.get("exitCode"), state.get("reason") or ""
    message = runtime_words(state.get("message") or "")
    if reason in _START_PROBLEMS:
        return _cannot_start(message or reason, given, hopeless=True)
    if code == 0 and container == CONTAINER:
        why = "the pod's main process has ended: its lifetime (--ttl) is over, or it was ended"
        return StartState(problem=why, hopeless=True)
    number = state.get("signal") or (code - 128 if isinstance(code, int) and code > 128 else None)
    how, hint = f"signal {number}" if number else f"exit code {code}", ""
    if reason == "OOMKilled":
        how = "it needed more memory than its limit (OOMKilled)"
        if container == CONTAINER and given.takes("--memory"):
            hint = "Raise the limit with --memory."
    return StartState(
        problem=f"container {container} ended: {how}" + (f": {message}" if message else ""),
        hint=hint,
        hopeless=True,
        crashed=True,
    )


def _cannot_pull(image: str, reason: str, message: str, about: _About) -> StartState:
    # "Back-off pulling image" says nothing; the event before it does.
    failures = [
        event.get("message") or ""
        for event in about.events
        if event.get("reason") == "Failed" and "pull" in (event.get("message") or "")
    ]
    why = _one_line(failures[-1] if failures and "rpc error" not in message else message) or reason
    # It may be another one, such as that of a volume (--tools).
    if named := re.search(_NAMED, why):
        image = named[1]
    why = re.sub(r"^Failed to pull image \"[^\"]*\": ", "", why)
    why = re.sub(r"^(rpc error: code = \w+ desc = )", "", why)
    why = re.sub(r"^failed to pull and unpack image \"[^\"]*\": ", "", why)
    lower = why.lower()
    hint = "Check the image's name and tag, and that the node can reach its registry."
    if re.search(r"unauthorized|denied|forbidden|401|403|authentication", lower):
        hint = hints.denied_image(about.given, about.pod)
    elif "no match for platform" in lower:
        hint = hints.other_architecture(about.given, "The image is")
    elif reason == "ErrImageNeverPull":
        hint = (
            "The image is not on the node. With --image-pull-policy IfNotPresent the node pulls it."
        )
    return StartState(
        problem=f"cannot pull {image}: {why}",
        hint=hint,
        hopeless=reason in {"InvalidImageName", "ErrImageNeverPull"}
        or bool(re.search(_NEVER_PULLED, lower)),
    )


_NAMED = (
    r"(?:Failed to pull image|Pulling image|Container image|pull and unpack image|"
    r"resolve (?:reference|image)) \"([^\"]+)\""
)
"""Where the kubelet and runtimes name the image that they mean."""

_NEVER_PULLED = (
    r"not found|manifest unknown|unauthorized|denied|forbidden|authentication required|"
    r"no such host|no match for platform|invalid reference"
)
"""The registry's words for what the next try will not change."""


def _unschedulable(pod: Json, message: str, given: Given) -> StartState:
    why = _one_line(message).partition(" preemption: ")[0].rstrip(". ")
    selector = ((pod.get("spec") or {}).get("nodeSelector") or {}).items()
    return StartState(
        "waiting for a node",
        problem=f"no node takes the pod: {why}",
        hint=hints.no_node(given, why, ", ".join(f"{key}={value}" for key, value in selector)),
    )


def _cannot_start(why: str, given: Given, *, hopeless: bool) -> StartState:
    text, hint = why.lower(), ""
    if "exec format error" in text:
        hint = hints.other_architecture(given, "The image or agtool's pause is")
    elif "runasnonroot" in text or "run as root" in text or "non-numeric user" in text:
        hint = hints.not_as_root(given)
    elif "secret" in text or "configmap" in text:
        hint = hints.missing_object(given)
    return StartState(problem=f"the container cannot start: {why}", hint=hint, hopeless=hopeless)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _is_start(event: Json, container: str) -> bool:
    path = (event.get("involvedObject") or {}).get("fieldPath") or ""
    return event.get("reason") == "Started" and path.endswith(f"{{{container}}}")


def _end_of_a_sleep(status: Json, container: str) -> str:
    """Why one of ours beside another, which is a sleep, has ended; empty: not so, or not known."""
    beside = {one.get("name") for one in status.get("ephemeralContainerStatuses") or ()}
    ended = (_status_of(status, container).get("state") or {}).get("terminated") or {}
    return _ENDS_OF_A_SLEEP.get(ended.get("exitCode", -1), "") if container in beside else ""


WITH_ITS_SESSION = "its session is over"

_ENDS_OF_A_SLEEP = {
    0: "its lifetime (--ttl) is over",
    128 + 1: WITH_ITS_SESSION,  # SIGHUP is the lifeline's
}


def _status_of(status: Json, container: str) -> Json:
    every: list[Any] = [one for kind in STATUSES for one in status.get(kind) or ()]
    return next((one for one in every if one.get("name") == container), {})
