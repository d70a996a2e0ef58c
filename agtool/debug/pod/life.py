"""A pod from its creation to its end."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from agtool.core.errors import AgtoolError, DeniedError, UnreachableError
from agtool.core.kube.errors import ConflictError, NotFoundError, OverloadedError, RejectedError
from agtool.core.kube.session import Session
from agtool.core.output import say
from agtool.debug.interrupts import Interrupts, Stopped
from agtool.debug.model import PROCESS, Json, Request
from agtool.debug.pod.manifest import debug_pod, needs_pause, pause_config_map
from agtool.debug.pod.security import Security, ways
from agtool.pause import binary

_STUBBORN = 3.0
"""Seconds for which a removal cannot be interrupted: who presses Ctrl-C presses it twice."""


@dataclass
class Made:
    """A pod of ours.

    Attributes:
        security: how it runs.
        refused: the namespace's words about what was asked for first; empty: it got that.
        keep: leave it when the context ends.
    """

    namespace: str
    name: str
    uid: str
    security: Security
    refused: str
    keep: bool = False


@contextmanager
def made(session: Session, request: Request, interrupts: Interrupts) -> Iterator[Made]:
    """A pod, created on entry, and removed by its UID at the end unless `keep` was set.

    A signal during its creation is heard when the server has answered, so that we know what to
    remove. Without an answer we look whether it was made.

    Raises:
        DeniedError: no permission, a quota, or a policy that takes it in no way.
        RejectedError: something in it is invalid.
        UnreachableError: no answer.
    """
    program = binary(request.architecture).read_bytes() if needs_pause(request) else None
    try:
        pod = _create(session, request, interrupts)
    except OverloadedError:
        raise  # it was not made
    except UnreachableError:
        _remove_unanswered(session, request, interrupts)
        raise
    try:
        interrupts.check()
        if program is not None:
            path = f"/api/v1/namespaces/{request.namespace}/configmaps"
            _post(session, path, pause_config_map(request, program, pod.uid), interrupts)
        interrupts.check()
        yield pod
    finally:
        if not pod.keep:
            _remove_or_say(session, pod.namespace, pod.name, pod.uid, interrupts)


def _post(session: Session, path: str, body: Json, interrupts: Interrupts) -> Json:
    """Create an object. A signal is heard between two attempts, when nothing has been done."""
    usual, session.pause = session.pause, interrupts.pause
    try:
        return session.post(path, body)
    except OverloadedError:
        interrupts.check()
        raise
    finally:
        session.pause = usual


def _create(session: Session, request: Request, interrupts: Interrupts) -> Made:
    """Create the pod in the first way that the namespace takes.

    The creation itself is the probe: what is refused is not made, and a dry run before it would
    cost a round trip and fail at webhooks that know no dry run.
    """
    refused: list[str] = []
    path = f"/api/v1/namespaces/{request.namespace}/pods"
    for security in ways(request):
        try:
            pod = _post(session, path, debug_pod(request, security), interrupts)
        except (DeniedError, RejectedError) as error:
            if not is_policy(error.message):
                raise explained(error) from error
            refused.append(error.message)
            continue
        uid = pod["metadata"]["uid"]
        why = policy_words(refused[0]) if refused else ""
        return Made(request.namespace, request.name, uid, security, why)
    raise DeniedError(
        f"a policy of namespace {request.namespace} forbids the pod: {policy_words(refused[0])}",
        hint=policy_hint(refused[0]),
    )


_POLICY_HINT = (
    "Another namespace (-n) may allow it; `kubectl get namespace NAME --show-labels` shows its "
    "Pod Security level."
)


def policy_hint(message: str) -> str:
    """What to do about a policy's refusal."""
    if "PodSecurity" in message:
        return _POLICY_HINT
    return (
        "Give it what the policy wants (--label KEY=VALUE, --cpu, --memory), or choose another "
        "namespace (-n)."
    )


def is_policy(message: str) -> bool:
    """Whether a refusal is about what the pod may do, so that a pod that does less may pass."""
    return bool(
        re.search(
            r"violates PodSecurity|PodSecurityPolicy|security context constraint"
            r"|denied the request|denied request",
            message,
        )
    )


def policy_words(message: str) -> str:
    """A policy's refusal without the words that are in each of them."""
    text = re.sub(r"^.*?pods \"[^\"]*\" is forbidden: ", "", message)
    return re.sub(r"^.*?(violates PodSecurity)", r"it \1", text)


def explained(error: AgtoolError) -> AgtoolError:
    """A refusal to create a pod, with what to do about it."""
    message = error.message
    hint = error.hint
    if "exceeded quota" in message:
        hint = "`agtool debug --cleanup` removes pods that are over. Else ask for a larger quota."
    elif "failed quota" in message and "must specify" in message:
        hint = "The namespace's quota wants amounts: add --cpu 100m --memory 64Mi."
    elif "error looking up service account" in message:
        hint = "Check --serviceaccount. In a new namespace the default one comes after a moment."
    elif "being terminated" in message:
        hint = "The namespace is being deleted: choose another one with -n."
    elif isinstance(error, NotFoundError):
        hint = "Check -n and --context."
    return type(error)(re.sub(r"^pods \"[^\"]*\" is forbidden: ", "", message), hint=hint)


def remove(session: Session, namespace: str, name: str, uid: str) -> bool:
    """Delete a pod if it still is the one with this UID; return whether it was.

    Raises the errors of Session.delete.
    """
    options = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid}}
    try:
        session.delete(f"/api/v1/namespaces/{namespace}/pods/{name}", options)
    except (NotFoundError, ConflictError):
        return False
    return True


def _remove_or_say(
    session: Session, namespace: str, name: str, uid: str, interrupts: Interrupts
) -> None:
    """Remove a pod on the way out; what cannot be done is said, and is no new failure."""
    interrupts.ignore_for(_STUBBORN)
    slow = threading.Timer(_STUBBORN, say, [f"removing pod {name} still (Ctrl-C gives up) ..."])
    slow.daemon = True
    slow.start()
    try:
        with interrupts.allowed():
            remove(session, namespace, name, uid)
    except (AgtoolError, Stopped) as error:
        why = error.message if isinstance(error, AgtoolError) else "interrupted"
        told = (
            f"warning: pod {name} could not be removed: {why}",
            error.hint if isinstance(error, AgtoolError) else "",
            f"It ends by itself. Remove it: agtool debug {session.options} --cleanup",
            f"Or: kubectl {session.options} delete pod {name}",
        )
        say("\n".join(filter(None, told)))
    finally:
        slow.cancel()


def _remove_unanswered(session: Session, request: Request, interrupts: Interrupts) -> None:
    """Remove the pod if it was made, although nobody said so."""
    interrupts.ignore_for(_STUBBORN)
    path = f"/api/v1/namespaces/{request.namespace}/pods/{request.name}"
    try:
        with interrupts.allowed():
            found: Json = session.get(path)
    except NotFoundError:
        return
    except (AgtoolError, Stopped):
        say(
            f"warning: pod {request.name} may have been made nevertheless. "
            f"This removes it then: agtool debug {session.options} --cleanup"
        )
        return
    annotations = found["metadata"].get("annotations") or {}
    if annotations.get(PROCESS) == request.annotations.get(PROCESS):
        uid = found["metadata"]["uid"]
        _remove_or_say(session, request.namespace, request.name, uid, interrupts)
