"""Carry out a plan on a runner: write its template, restart it, wait, and put back on failure."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any

from agtool.ci_nodepool.runner.fields import MANAGER, disown
from agtool.ci_nodepool.runner.model import Runner
from agtool.ci_nodepool.runner.plan import RESTARTED_AT, RunnerPlan, stale_pods, time_to_end
from agtool.ci_nodepool.runner.rollout import is_ready, look, new_pods
from agtool.core.errors import INTERRUPTED, AgtoolError, DeniedError, UnreachableError
from agtool.core.kube.errors import ConflictError
from agtool.core.kube.session import Json, Session
from agtool.core.live import Live
from agtool.core.output import say
from agtool.core.signals import handled

_TRIES = 30
"""Conflicts in a row before we give up on a ConfigMap."""

_INTERVAL = 1.0
"""Seconds between two looks at a rollout."""


class RolloutFailed(UnreachableError):
    """The runner did not come up with its new configuration."""

    exit_code = 1
    code = "rollout-failed"


class Interrupted(AgtoolError):
    """Ctrl-C came when something was done already."""

    exit_code = INTERRUPTED
    code = "interrupted"


@contextmanager
def interrupted() -> Iterator[None]:
    """Raise Ctrl-C inside as Interrupted, so that it is told what was done before."""
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(
            "interrupted", hint="Run the same command again to do what is left to do."
        ) from None


@contextmanager
def _completed() -> Iterator[list[int]]:
    """Complete the requests inside after Ctrl-C; the list is not empty then. A second one counts.

    Else nobody could tell whether they were carried out.
    """
    came: list[int] = []

    def note(number: int, _: object) -> None:
        if came:
            raise KeyboardInterrupt
        came.append(number)

    with handled({signal.SIGINT: note}):
        yield came


@dataclass(frozen=True)
class Outcome:
    """What was done.

    Attributes:
        plan: what was written, if anything.
        restarted: whether the Deployment was restarted, and is up.
        finishing: pods of before, which live on until their jobs have ended.
        stopped: that Ctrl-C came before it was up: its restart goes on by itself.
    """

    plan: RunnerPlan
    restarted: bool
    finishing: tuple[str, ...] = ()
    stopped: Interrupted | None = None


def manager_pods(session: Session, runner: Runner) -> list[Json]:
    """The manager's pods. Raises what Session raises."""
    selector = runner.deployment["spec"]["selector"].get("matchLabels") or {}
    path = f"/api/v1/namespaces/{runner.namespace}/pods"
    wanted = ",".join(f"{key}={value}" for key, value in selector.items())
    return list(session.pages(path, labelSelector=wanted))


def hosts(pods: Sequence[Json]) -> set[str]:
    """The names of the nodes on which these pods are."""
    return {pod["spec"]["nodeName"] for pod in pods if pod["spec"].get("nodeName")}


def needs_restart(session: Session, plan: RunnerPlan) -> bool:
    """Whether the manager has to be restarted: because of the plan, or of an earlier change.

    An earlier one is left where somebody stopped us between the two.
    """
    if plan.before != plan.after:
        return True
    return bool(plan.runner.record and stale_pods(plan.runner, manager_pods(session, plan.runner)))


def roll_out(
    session: Session,
    plan: RunnerPlan,
    replan: Callable[[Runner], RunnerPlan],
    *,
    timeout: float,
    live: Live,
) -> Outcome:
    """Write the template, restart the manager if that is needed, and wait until it is up.

    After Ctrl-C nobody waits, and the outcome says so.

    Args:
        replan: makes the plan again for a runner whose ConfigMap has changed since it was read.
        timeout: seconds for the new manager to come up, after the old one if that goes first.
        live: shows how far the rollout is.

    Raises:
        RolloutFailed: the manager did not come up; the old template is back.
        ConflictError: somebody else changes the ConfigMap all the time.
        CannotPatch: what `replan` raises.
    """
    stamp = datetime.now(timezone.utc).isoformat(timespec="microseconds")
    with _completed() as came:
        plan, written = _write(session, plan, replan)
        restarts = needs_restart(session, plan)
        if restarts:
            with _put_back_on_failure(session, plan, written):
                _stamp(session, plan.runner, stamp)
    if not restarts:
        if came:
            raise KeyboardInterrupt  # nothing was done here
        return Outcome(plan, restarted=False)
    if came:
        return Outcome(plan, restarted=False, stopped=_stopped(plan.runner))
    try:
        with _put_back_on_failure(session, plan, written):
            _wait(session, plan.runner, stamp, timeout + time_to_end(plan.runner), live)
        finishing = [
            pod["metadata"]["name"]
            for pod in manager_pods(session, plan.runner)
            if "deletionTimestamp" in pod["metadata"]
        ]
    except KeyboardInterrupt:
        return Outcome(plan, restarted=False, stopped=_stopped(plan.runner))
    return Outcome(plan, restarted=True, finishing=tuple(finishing))


@contextmanager
def _put_back_on_failure(
    session: Session, plan: RunnerPlan, written: Json | None
) -> Iterator[None]:
    """Put back the template that was written, if any, when what is inside fails."""
    try:
        yield
    except AgtoolError as error:
        if written:
            with _completed():
                became = _put_back(session, plan, written, _restarted_at(plan.runner.deployment))
            error.hint = f"{became}\n{error.hint}".rstrip()
        raise


def _stopped(runner: Runner) -> Interrupted:
    return Interrupted(
        f"stopped waiting: {runner} is restarting",
        hint=f"See how far it is: kubectl -n {runner.namespace} rollout status "
        f"{runner.kind}/{runner.name}\nThen run the same command again to do what is left to do.",
        subject=runner.subject,
    )


def _write(
    session: Session, plan: RunnerPlan, replan: Callable[[Runner], RunnerPlan]
) -> tuple[RunnerPlan, Json | None]:
    """The plan that was carried out in the end, and the ConfigMap as it is then."""
    for _ in range(_TRIES):
        if not plan:
            return plan, None
        path = plan.runner.config_map_path
        try:
            written = session.patch(path, plan.patch(), fieldManager=MANAGER)
            return plan, disown(session, path, written)
        except ConflictError:
            plan = replan(replace(plan.runner, config_map=session.get(path)))
    raise ConflictError(
        f"somebody else changes the ConfigMap of {plan.runner} all the time",
        hint="Look for the program that does, such as Argo CD or Flux, and change it there, with: "
        "agtool ci-nodepool emit helm",
        subject=plan.runner.subject,
    )


def _put_back(session: Session, plan: RunnerPlan, written: Json, restarted_at: str | None) -> str:
    """Put back the template and the pods of before; what became of that, for people."""
    try:
        path = plan.runner.config_map_path
        disown(session, path, session.patch(path, plan.back(written), fieldManager=MANAGER))
        # The same pod template as before is the same ReplicaSet, whose pods may still run.
        _stamp(session, plan.runner, restarted_at)
    except ConflictError:
        return "Somebody else changed the ConfigMap meanwhile, so it is left as it is."
    except AgtoolError as error:
        return (
            f"The old configuration could not be put back ({error.message}). Put it back when the "
            "cause is gone: agtool ci-nodepool undo"
        )
    return "The old configuration is back, and so are the old pods."


def _restarted_at(deployment: Json) -> str | None:
    annotations = deployment["spec"]["template"]["metadata"].get("annotations") or {}
    value: str | None = annotations.get(RESTARTED_AT)
    return value


def _stamp(session: Session, runner: Runner, stamp: str | None) -> None:
    template: dict[str, Any] = {"metadata": {"annotations": {RESTARTED_AT: stamp}}}
    session.patch(runner.path, {"spec": {"template": template}}, fieldManager=MANAGER)


def _wait(session: Session, runner: Runner, stamp: str, timeout: float, live: Live) -> None:
    give_up = time.monotonic() + timeout
    ours = True
    while True:
        deployment = session.get(runner.path)
        if _restarted_at(deployment) != stamp and ours:
            # Helm or GitOps may have gone over it; the rollout that it started is the one to watch.
            say(f"somebody else changed {runner} meanwhile", level="warning")
            ours = False
        pods = manager_pods(session, runner)
        rollout = look(deployment, pods, stamp, _events(session, new_pods(pods, stamp)))
        if rollout.done:
            return
        late = time.monotonic() > give_up
        if rollout.failed or late:
            trouble = f"is not up after {timeout:.0f} s" if late else "does not start"
            kubectl = f"kubectl -n {runner.namespace}"
            # The pod itself is gone when the old template is back; its events stay for an hour.
            look_at = (
                f"get events --field-selector involvedObject.name={rollout.pod}"
                if rollout.pod
                else f"describe {runner.kind} {runner.name}"
            )
            raise RolloutFailed(
                f"{runner} {trouble}: {rollout.text}",
                hint=f"See what happened: {kubectl} {look_at}",
                subject=runner.subject,
            )
        live.show(f"restarting {runner}: {rollout.text}")
        time.sleep(_INTERVAL)


def _events(session: Session, pods: Sequence[Json]) -> list[Json]:
    """The events of pods that are not ready; none: there are none, or they may not be read."""
    found: list[Json] = []
    for pod in pods:
        if is_ready(pod):
            continue
        selector = f"involvedObject.uid={pod['metadata']['uid']}"
        path = f"/api/v1/namespaces/{pod['metadata']['namespace']}/events"
        with suppress(DeniedError):
            found += session.pages(path, fieldSelector=selector)
    return found
