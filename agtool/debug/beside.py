"""A container of ours in a pod that runs, from its addition to its end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agtool.core.errors import AgtoolError, UnreachableError
from agtool.core.kube.errors import ForbiddenError, OverloadedError
from agtool.core.live import said_if_slow
from agtool.core.output import say
from agtool.debug.interrupts import Interrupts, Stopped
from agtool.debug.model import Job, Request
from agtool.debug.pod.custom import says_security
from agtool.debug.pod.gone import has_ended
from agtool.debug.pod.life import STUBBORN
from agtool.debug.pod.target import ContainerPlan, Way, add_container, plan_container

if TYPE_CHECKING:
    from agtool.core.kube.session import Json, Session


@dataclass
class Added:
    """A container in a pod that runs.

    Attributes:
        has_ended: whether the end of the session has ended it.
    """

    plan: ContainerPlan
    way: Way
    has_ended: bool = False


@contextmanager
def added(job: Job, session: Session, interrupts: Interrupts, pod: Json) -> Iterator[Added]:
    """A container in the first way that the namespace takes, which is ended at the end.

    A signal while it is added is heard when the server has answered, so that we know what is
    there. What becomes of the container is said.

    Raises:
        UsageError: the pod has no such container to be beside.
        ConfigurationError: that one does not run.
        DeniedError: no permission, or a policy.
        RejectedError: it is invalid.
        UnreachableError: no answer.
        Stopped: a signal.
    """
    request, name = job.request, pod["metadata"]["name"]
    plan = plan_container(pod, request, job.container)
    by_itself = f"ends by itself within {request.lifetime} s (--ttl), if it starts"
    usual, session.pause = session.pause, interrupts.pause
    try:
        interrupts.check()
        way = add_container(session, pod, plan, request.custom, job.given)
    except OverloadedError:  # nothing has been done
        interrupts.check()
        raise
    except UnreachableError:
        say(
            f"container {request.name} may have been added to pod {name} nevertheless: then it "
            f"{by_itself}",
            level="warning",
        )
        interrupts.check()
        raise
    finally:
        session.pause = usual
    container = Added(plan, way)
    try:
        interrupts.check()
        _tell(session, name, request, container)
        yield container
    finally:
        over = container.has_ended or _end(session, pod, request.name, interrupts)
        end = "has ended" if over else by_itself
        say(f"container {request.name} {end}; it stays in the list of containers of the pod")


def _tell(session: Session, pod: str, request: Request, container: Added) -> None:
    plan = container.plan
    say(
        f"container {request.name} in pod {pod}, {place_of(session)}, beside container "
        f"{plan.target}, whose processes it shares: {container.way.user}"
    )
    if says_security(request.custom):
        say("--custom changes what the container may do")
    if plan.left_out:
        say(
            f"not mounted, since Kubernetes allows no part of a volume here: "
            f"{', '.join(plan.left_out)}"
        )


def _end(session: Session, pod: Json, container: str, interrupts: Interrupts) -> bool:
    """End a container that the session's lifeline may not have ended; whether it has."""
    from agtool.debug.session.place import Place

    metadata = pod["metadata"]
    path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"
    interrupts.ignore_for(STUBBORN)
    try:
        with (
            said_if_slow(f"still ending container {container}; Ctrl-C gives up ...", STUBBORN),
            interrupts.allowed(),
        ):
            try:
                if Place(session, path, container).end():
                    return True
            except ForbiddenError:
                return False
            except AgtoolError:
                pass  # the lifeline may have been faster
            return has_ended(session, path, container)
    except (AgtoolError, Stopped):
        return False


def place_of(session: Session) -> str:
    """Where a session works, for people."""
    return f"namespace {session.namespace} of context {session.context}"
