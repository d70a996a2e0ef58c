"""What a runner's manager needs so that jobs outlive its end, and their loss is known. Pure.

Facts: gitlab-runner 19.4. SIGQUIT, with which its image is stopped, lets the jobs that run finish;
without the right to list and watch pods the loss of one is known after 31 s. The chart has it all
by default, so that only what a team has set otherwise is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from agtool.core.finding import Finding

GRACE = 3600
"""Seconds that the chart gives a manager for the jobs that run; the time-out of a job in GitLab."""

_BY_DEFAULT = 30
"""Seconds that Kubernetes gives a pod that says nothing."""

_RULE = '{apiGroups: [""], resources: [pods], verbs: [list, watch]}'


def of_pod(pod: Mapping[str, Any], subject: str) -> Iterator[Finding]:
    """What a manager's pod lacks."""
    grace = pod.get("terminationGracePeriodSeconds", _BY_DEFAULT)
    yield from of_grace(grace, subject, "In the manager's pod:")
    for container in pod.get("containers") or ():
        signal = (container.get("lifecycle") or {}).get("stopSignal", "SIGQUIT")
        if signal != "SIGQUIT":
            yield Finding(
                "manager-signal",
                f"the manager is stopped by {signal}, which ends its jobs at once (gitlab-runner: "
                "SIGQUIT waits for them)",
                "In the manager's container:\nlifecycle: {stopSignal: SIGQUIT}",
                subject,
            )


def of_grace(seconds: object, subject: str, where: str) -> Iterator[Finding]:
    """What to say of the time that a manager has to end."""
    if isinstance(seconds, int) and seconds < GRACE:
        yield Finding(
            "manager-grace",
            "jobs that run longer than the manager's grace period fail when it is restarted or "
            "moved (gitlab-runner: SIGQUIT waits for jobs)",
            f"{where}\nterminationGracePeriodSeconds: {GRACE}",
            subject,
        )


def of_rights(rules: Iterable[Any], subject: str, where: str) -> Iterator[Finding]:
    """What to say of the rules of its service account; no rules: they are not known."""
    verbs: set[str] = set()
    known = False
    for rule in rules:
        known = True
        own = rule if isinstance(rule, dict) else {}
        groups, resources = own.get("apiGroups") or [""], own.get("resources") or []
        if {"", "*"} & {*groups} and {"pods", "*"} & {*resources} and not own.get("resourceNames"):
            verbs |= {*(own.get("verbs") or ())}
    if known and not ("*" in verbs or verbs >= {"list", "watch"}):
        yield loss_unseen(subject, where)


def loss_unseen(subject: str, where: str) -> Finding:
    """That its service account may not list and watch pods."""
    return Finding(
        "loss-unseen",
        "the runner may not list and watch pods: it learns of the loss of one after 31 s, and not "
        "at once (gitlab-runner 17.9)",
        f"{where}\n- {_RULE}",
        subject,
    )


def left_pods(off: bool, subject: str) -> Iterator[Finding]:
    """What to say if the pods of jobs have no deadline of their own."""
    if off:
        yield Finding(
            "left-pods",
            f"{DEADLINE} is off: the pod of a job whose manager is killed runs on for ever "
            "(gitlab-runner 17.0 has it on)",
            f"Remove {DEADLINE} from the runner's configuration.",
            subject,
        )


DEADLINE = "FF_USE_POD_ACTIVE_DEADLINE_SECONDS"

CODES = ("manager-grace", "manager-signal", "loss-unseen", "left-pods")
"""The codes of this advice."""
