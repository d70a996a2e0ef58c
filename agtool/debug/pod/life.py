"""A pod from its creation to its end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from agtool.core.errors import AgtoolError, DeniedError, UnreachableError
from agtool.core.kube.errors import (
    CredentialsError,
    NotFoundError,
    OverloadedError,
    RejectedError,
)
from agtool.core.kube.session import Json, Session
from agtool.core.live import said_if_slow
from agtool.core.output import say
from agtool.debug.interrupts import Interrupts, Stopped
from agtool.debug.model import PROCESS, Request, sends_pause
from agtool.debug.pod.custom import placed
from agtool.debug.pod.like import idle_controller
from agtool.debug.pod.manifest import debug_pod, pause_config_map
from agtool.debug.pod.owner import Owner, make_owner, remove_all
from agtool.debug.pod.refusal import (
    changed,
    deciding,
    explained,
    is_policy,
    lacks_image_volumes,
    policy_hint,
    policy_words,
)
from agtool.debug.pod.security import Security, ways
from agtool.pause import binary

STUBBORN = 3.0
"""Seconds for which a removal cannot be interrupted: who presses Ctrl-C presses it twice."""


@dataclass
class Made:
    """A pod of ours.

    Attributes:
        security: how it runs.
        refused: the namespace's words about what was asked for first; empty: it got that.
        changed: what admission made of labels and annotations; empty: what was asked for.
        owner: the Job that it goes with; None: there is none.
        ownerless: why.
        keep: leave it when the context ends.
    """

    name: str
    uid: str
    security: Security
    refused: str
    changed: str = ""
    owner: Owner | None = None
    ownerless: str = ""
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
    program = binary(request.architecture).read_bytes() if sends_pause(request) else None
    owner, ownerless = _owner(session, request, interrupts)
    pod: Made | None = None
    try:
        interrupts.check()
        owners = [owner.reference] if owner else []
        if owner and (program is not None or request.like):
            # Before the pod, so that the kubelet does not look for it in vain.
            config_map = _post_config_map(session, request, program, owner.reference, interrupts)
            interrupts.check()
            if request.like:
                # Its controller may be any object but the Job, which would count the pod.
                owners.append({**_reference(config_map), "controller": True})
        elif request.like:
            owners.append(idle_controller(session, request.namespace, request.like))
        if owner is None and program is not None:
            # It comes after the pod, which owns it. Whether it may come is asked before.
            _post_config_map(session, request, program, None, interrupts, dryRun="All")
            interrupts.check()
        pod = _made_pod(session, request, owners, interrupts)
        pod.owner, pod.ownerless = owner, ownerless
        interrupts.check()
        if program is not None and owner is None:
            # After the pod, which owns it: in this order nothing can stay without an owner.
            reference = {"apiVersion": "v1", "kind": "Pod", "name": pod.name, "uid": pod.uid}
            _post_config_map(session, request, program, reference, interrupts)
        interrupts.check()
        yield pod
    finally:
        if pod is None:
            if owner is not None:
                _remove_or_say(session, request.name, None, owner, interrupts)
        elif not pod.keep:
            _remove_or_say(session, pod.name, pod.uid, owner, interrupts)


def _owner(session: Session, request: Request, interrupts: Interrupts) -> tuple[Owner | None, str]:
    if request.like and request.pause_image:
        # A controller of the workload would take the pod, and only a ConfigMap keeps it off.
        return None, "without a ConfigMap none can own a pod of --like"
    with _looked_up_without_an_answer(session, request, interrupts, "/apis/batch/v1", "jobs"):
        return make_owner(
            request,
            lambda path, body: _post(session, path, body, interrupts),
            lambda owner: _remove_or_say(session, request.name, None, owner, interrupts),
        )


def _post_config_map(
    session: Session,
    request: Request,
    program: bytes | None,
    owner: Json | None,
    interrupts: Interrupts,
    **query: str,
) -> Json:
    path = f"/api/v1/namespaces/{request.namespace}/configmaps"
    body = pause_config_map(request, program, owner)
    try:
        return _post(session, path, body, interrupts, **query)
    except CredentialsError:
        raise
    except (DeniedError, RejectedError) as error:
        hint = (
            "The ConfigMap carries the pod's main process. Without one, take that from an image "
            "that nodes can pull: --pause-image IMAGE"
        )
        raise type(error)(
            f"the ConfigMap of the pod cannot be made: {error.message}",
            hint=f"{error.hint}\n{hint}".lstrip(),
        ) from error


def _reference(made: Json) -> Json:
    metadata = made["metadata"]
    kinds = {"apiVersion": made["apiVersion"], "kind": made["kind"]}
    return {**kinds, "name": metadata["name"], "uid": metadata["uid"]}


def _made_pod(
    session: Session, request: Request, owners: Sequence[Json], interrupts: Interrupts
) -> Made:
    with _looked_up_without_an_answer(session, request, interrupts, "/api/v1", "pods"):
        return _create(session, request, owners, interrupts)


@contextmanager
def _looked_up_without_an_answer(
    session: Session, request: Request, interrupts: Interrupts, group: str, resource: str
) -> Iterator[None]:
    """Remove the pod, or its owner, if no answer came and it was made nevertheless."""
    try:
        yield
    except OverloadedError:
        raise  # it was not made
    except UnreachableError:
        _remove_unanswered(session, request, interrupts, group, resource)
        raise


def _post(session: Session, path: str, body: Json, interrupts: Interrupts, **query: str) -> Json:
    """Create an object. A signal is heard between two attempts, when nothing has been done."""
    usual, session.pause = session.pause, interrupts.pause
    try:
        return session.post(path, body, **query)
    except OverloadedError:
        interrupts.check()
        raise
    finally:
        session.pause = usual


def _create(
    session: Session, request: Request, owners: Sequence[Json], interrupts: Interrupts
) -> Made:
    """Create the pod in the first way that the namespace takes.

    The creation itself is the probe: what is refused is not made, and a dry run before it would
    cost a round trip and fail at webhooks that know no dry run.
    """
    refused: list[str] = []
    path = f"/api/v1/namespaces/{request.namespace}/pods"
    # What we write ourselves an API server may not know yet; what a person writes, it must.
    query = {"fieldValidation": "Strict"} if request.custom else {}
    possible = ways(request)
    while possible:
        security = possible[0]
        body = debug_pod(request, security, owners)
        try:
            pod = _post(session, path, body, interrupts, **query)
        except (DeniedError, RejectedError) as error:
            lacking = lacks_image_volumes(error.message)
            if not (lacking or is_policy(error.message)):
                raise placed(explained(error, request), request.custom) from error
            if not lacking:
                refused.append(error.message)
                possible = possible[1:]
            if request.tools and not request.copies_tools and (lacking or not possible):
                request = replace(request, copies_tools=True)
                possible = ways(request)
            elif lacking:
                raise explained(error, request) from error
            continue
        uid = pod["metadata"]["uid"]
        why = policy_words(refused[0]) if refused else ""
        return Made(request.name, uid, security, why, changed(request, pod))
    raise DeniedError(
        f"a policy of namespace {request.namespace} forbids the pod: "
        f"{policy_words(deciding(refused))}",
        hint=policy_hint(deciding(refused)),
    )


def _remove_or_say(
    session: Session, name: str, uid: str | None, owner: Owner | None, interrupts: Interrupts
) -> None:
    """Remove a pod and its owner on the way out.

    What cannot be done is said, and is no new failure.
    """
    interrupts.ignore_for(STUBBORN)
    try:
        with (
            said_if_slow(f"still removing pod {name}; Ctrl-C gives up ...", STUBBORN),
            interrupts.allowed(),
        ):
            remove_all(session, session.namespace, name, uid, owner)
    except (AgtoolError, Stopped) as error:
        known = error if isinstance(error, AgtoolError) else AgtoolError("interrupted")
        forbidden = isinstance(error, DeniedError) and not isinstance(error, CredentialsError)
        who = ", somebody who may do so has to" if forbidden else ","
        lines = (
            known.hint,
            f"{_ends(owner)}{who} run:",
            f"  agtool debug {session.options} --cleanup",
            f"or:  kubectl {session.options} delete pod{',job' if owner else ''} {name}",
        )
        say(
            f"{'job' if uid is None else 'pod'} {name} could not be removed: {known.message}",
            known.code,
            level="warning",
            hint="\n".join(filter(None, lines)),
        )


def _ends(owner: Owner | None) -> str:
    """What becomes of a pod that could not be removed, and the beginning of what to do."""
    if owner:
        return "The pod ends by itself, and after --ttl the cluster removes all of it. To do so now"
    return "The pod ends by itself. To remove it"


def _remove_unanswered(
    session: Session, request: Request, interrupts: Interrupts, group: str, resource: str
) -> None:
    """Remove what was made, although nobody said so."""
    interrupts.ignore_for(STUBBORN)
    path = f"{group}/namespaces/{request.namespace}/{resource}/{request.name}"
    try:
        with interrupts.allowed():
            found: Json = session.get(path)
    except NotFoundError:
        return
    except (AgtoolError, Stopped):
        say(
            f"{resource[:-1]} {request.name} may have been made nevertheless, and ends by itself. "
            f"To remove it, run: kubectl {session.options} delete {resource[:-1]} {request.name}",
            level="warning",
        )
        return
    annotations = found["metadata"].get("annotations") or {}
    if annotations.get(PROCESS) == request.annotations.get(PROCESS):
        uid = found["metadata"]["uid"]
        owner = Owner(request.name, uid) if resource == "jobs" else None
        _remove_or_say(session, request.name, None if owner else uid, owner, interrupts)
