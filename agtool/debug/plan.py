"""What one invocation would make, with what only the cluster and this process know."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from agtool.core.errors import AgtoolError
from agtool.core.kube.contexts import namespace_of_context
from agtool.core.kube.errors import ForbiddenError
from agtool.core.output import say
from agtool.debug.model import CONTAINER, MAKER, PROCESS, Job, Request, sends_pause
from agtool.debug.pod.architecture import ARCH, architecture
from agtool.debug.pod.choice import find_pod
from agtool.debug.pod.copy import copied_of
from agtool.debug.pod.like import read_like
from agtool.debug.pod.manifest import debug_pod, pause_config_map
from agtool.debug.pod.owner import owner_job
from agtool.debug.pod.process import identity, maker
from agtool.debug.pod.rights import roles
from agtool.debug.pod.security import ways
from agtool.debug.pod.unlike import without_its_root
from agtool.pause import binary

if TYPE_CHECKING:
    from agtool.core.kube.session import Json, Session
    from agtool.core.options import ClusterOptions

_ANSWER = 10.0
"""Seconds for the API server to answer a request. Ctrl-C during the creation waits for that."""

_CONNECTIONS = 4
"""Two watches, a request, and one to spare."""


def planned(job: Job) -> list[Json]:
    """What would be created, without references to owners, whose UIDs are not known yet.

    A workload to be like, or a pod to copy, is read; else nothing is sent.
    """
    request = job.request
    arch = request.node_selector.get(ARCH, request.architecture)
    request = replace(request, architecture=arch, annotations=_annotations(request))
    if job.like is not None or job.in_copy:
        with open_session(job) as session:
            request = replace(request, namespace=session.namespace)
            request = _with_workload(request, job, session)
    else:
        namespace = namespace_of(job.cluster, request.namespace or None)
        request = replace(request, namespace=namespace)
    objects = [debug_pod(request, ways(request)[0])]
    owned = not (request.like and request.pause_image)
    if sends_pause(request) or (owned and request.like):
        program = binary(request.architecture).read_bytes() if sends_pause(request) else None
        objects.insert(0, pause_config_map(request, program, None))
    return [*([owner_job(request)] if owned else []), *objects]


def needed(job: Job) -> list[Json]:
    """The roles that allow a job; nothing is sent."""
    return roles(job, namespace_of(job.cluster, job.request.namespace or None))


def namespace_of(cluster: ClusterOptions, named: str | None) -> str:
    """The namespace that is meant; `default` where there is no kubeconfig to name one.

    Raises ConfigurationError: a kubeconfig was named, or is there, and does not tell.
    """
    return named or namespace_of_context(cluster.kubeconfig, cluster.context)


@contextmanager
def open_session(job: Job) -> Iterator[Session]:
    """A session with the job's cluster; nothing is sent yet. Hints of errors lead there too."""
    with job.cluster.session(
        namespace=job.request.namespace or None, connections=_CONNECTIONS, timeout=_ANSWER
    ) as session:
        try:
            yield session
        except AgtoolError as error:
            error.hint = leading_to(session.options, error.hint)
            if isinstance(error, ForbiddenError) and error.hint.startswith("Ask for "):
                error.hint += "\nTo see all the rights that this needs, add --print-rbac to it."
            raise


def leading_to(options: str, hint: str) -> str:
    """A hint whose commands have the options for the cluster, the user and the namespace.

    Followed to the letter they would else look at what is current, and not find it.
    """
    named = r"agtool debug(?= -)|kubectl(?= (?:get|describe|explain|delete) )"
    return re.sub(
        rf"(?:{named})(?! {re.escape(options)})", lambda found: f"{found[0]} {options}", hint
    )


def completed(job: Job, session: Session) -> Request:
    """The request with what only the cluster and this process know."""
    request = replace(
        job.request, namespace=session.namespace, annotations=_annotations(job.request)
    )
    request = _with_workload(request, job, session)
    if not sends_pause(request):
        return request
    theirs = request.like.pod if request.like else {}
    theirs = request.copied.spec if request.copied else theirs
    selector = dict(theirs.get("nodeSelector") or {})
    wanted = {**selector, **request.node_selector}
    return replace(request, architecture=architecture(session, wanted, request.node))


def _with_workload(request: Request, job: Job, session: Session) -> Request:
    """The request with what is taken over from a workload, or from the pod to copy."""
    if job.in_copy and job.target:
        pod = find_pod(session, job.target, job.pod_index, running=False)
        copied = copied_of(pod, job.container)
        say(
            f"a copy of pod {pod['metadata']['name']}, without its labels and probes; container "
            f"{CONTAINER} is its container {copied.container}\n"
            f"Its own program, which is not started: {copied.program}"
        )
        return replace(
            request, copied=copied, image=request.image or copied.spec["containers"][0]["image"]
        )
    if job.like is None:
        return request
    like = read_like(session, request.namespace, job.like, job.container)
    if like.dropped:
        say(
            f"not mounted, since each pod of {job.like} has a volume of its own there: "
            f"{', '.join(like.dropped)}"
        )
    differences = [*like.differences, *without_its_root(like.user, job.given)]
    if differences:
        say(f"not as in {job.like}: {'; '.join(differences)}")
    return replace(request, like=like)


def _annotations(request: Request) -> dict[str, str]:
    process = identity()
    return {**request.annotations, MAKER: maker(), **({PROCESS: process} if process else {})}
