"""A pod from its creation to its end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from agtool.core.errors import AgtoolError, DeniedError, UnreachableError
from agtool.core.kube.errors import ConflictError, NotFoundError, OverloadedError, RejectedError
from agtool.core.kube.session import Json, Session
from agtool.core.live import said_if_slow
from agtool.core.output import say
from agtool.debug.interrupts import Interrupts, Stopped
from agtool.debug.model import PROCESS, Request, has_pause
from agtool.debug.pod.manifest import debug_pod, pause_config_map
from agtool.debug.pod.refusal import explained, is_policy, policy_hint, policy_words
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
    program = binary(request.architecture).read_bytes() if not has_pause(request.image) else None
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
            _remove_or_say(session, pod.name, pod.uid, interrupts)


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
        return Made(request.name, uid, security, why)
    raise DeniedError(
        f"a policy of namespace {request.namespace} forbids the pod: {policy_words(refused[0])}",
        hint=policy_hint(refused[0]),
    )


def remove(session: Session, name: str, uid: str) -> bool:
    """Delete a pod if it still is the one with this UID; return whether it was.

    Raises the errors of Session.delete.
    """
    options = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid}}
    try:
        session.delete(f"/api/v1/namespaces/{session.namespace}/pods/{name}", options)
    except (NotFoundError, ConflictError):
        return False
    return True


def _remove_or_say(session: Session, name: str, uid: str, interrupts: Interrupts) -> None:
    """Remove a pod on the way out; what cannot be done is said, and is no new failure."""
    interrupts.ignore_for(_STUBBORN)
    try:
        with (
            said_if_slow(f"still removing pod {name}; Ctrl-C gives up ...", _STUBBORN),
            interrupts.allowed(),
        ):
            remove(session, name, uid)
    except (AgtoolError, Stopped) as error:
        known = error if isinstance(error, AgtoolError) else AgtoolError("interrupted")
        lines = (
            known.hint,
            "The pod ends by itself. To remove it, run:",
            f"  agtool debug {session.options} --cleanup",
            f"or:  kubectl {session.options} delete pod {name}",
        )
        say(
            f"pod {name} could not be removed: {known.message}",
            known.code,
            level="warning",
            hint="\n".join(filter(None, lines)),
        )


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
            f"pod {request.name} may have been made nevertheless. "
            f"To remove it, run: agtool debug {session.options} --cleanup",
            level="warning",
        )
        return
    annotations = found["metadata"].get("annotations") or {}
    if annotations.get(PROCESS) == request.annotations.get(PROCESS):
        _remove_or_say(session, request.name, found["metadata"]["uid"], interrupts)
