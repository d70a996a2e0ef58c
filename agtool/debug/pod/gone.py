"""Why a container that ran does not any more, in the cluster's words."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from agtool.core.errors import AgtoolError
from agtool.core.kube.errors import NotFoundError
from agtool.core.live import said_if_slow
from agtool.debug.pod.explain import start_state
from agtool.debug.pod.leftovers import ends_at

if TYPE_CHECKING:
    from agtool.core.kube.session import Session
    from agtool.debug.interrupts import Interrupts

WHY = 2.0
"""Seconds for the cluster to say why a container is gone."""

_DUE = 15.0
"""The same where it will say so: the pod is being deleted, or its lifetime is over. Or the kubelet
could not tell, since the API server was away; it tries again every ten seconds."""


def why_it_is_gone(session: Session, pod: str, container: str, interrupts: Interrupts) -> str:
    """What the cluster says about a container that ran; empty: that it still does.

    Args:
        pod: its path in the API.

    Raises Stopped: a signal.
    """
    try:
        return problem_of(session, pod, container, interrupts)
    except AgtoolError as error:
        return f"what became of the pod is not known: {error.message}"


def problem_of(session: Session, pod: str, container: str, interrupts: Interrupts) -> str:
    """The same, where nothing can be said if the cluster cannot be asked.

    Raises the errors of Session.get, and Stopped.
    """
    until: float | None = None
    slow = said_if_slow("asking the cluster why it has ended ...")
    try:
        with interrupts.allowed(), slow:
            while True:
                found = session.get(pod)
                problem = start_state(found, [], container).problem
                if until is None:
                    ends = ends_at(found)
                    due = ends is not None and ends <= datetime.now(timezone.utc)
                    due |= "deletionTimestamp" in found["metadata"]
                    due |= session.outage.was_recent()
                    # From here on: the kubelet tells a second later than it knows, or more where
                    # much goes on, and nothing before the API server is back.
                    until = time.monotonic() + (_DUE if due else WHY)
                if problem or time.monotonic() > until:
                    return problem
                time.sleep(0.2)
    except NotFoundError:
        return "the pod was deleted"


def has_ended(session: Session, pod: str, container: str) -> bool:
    """Whether a container that was added to a pod has ended, or does now.

    Raises the errors of Session.get.
    """
    until = time.monotonic() + WHY
    while True:
        try:
            status = session.get(pod).get("status") or {}
        except NotFoundError:
            return True
        statuses = status.get("ephemeralContainerStatuses") or ()
        states = [one.get("state") or {} for one in statuses if one["name"] == container]
        if "running" not in [*states, {}][0]:
            return any("terminated" in state for state in states)
        if time.monotonic() > until:
            return False
        time.sleep(0.2)
