"""All that can be known of a workload: each pod, and what those of them say that can be asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from agtool.core.errors import AgtoolError, ConfigurationError
from agtool.core.kube.errors import ForbiddenError
from agtool.core.live import Live
from agtool.migrate_once.cluster.ask import NoAgtoolError, NoAnswerError, ask
from agtool.migrate_once.cluster.container import Candidate, Options, candidates
from agtool.migrate_once.cluster.state import State, state
from agtool.migrate_once.cluster.workload import find
from agtool.migrate_once.documents import Answer, Run, Status, WorkloadPod, WorkloadStatus

if TYPE_CHECKING:
    from agtool.core.kube.session import Json, Session
    from agtool.migrate_once.workload import Wanted

_TRIES = 3
"""How many pods of one kind are asked until one of them answers."""

_SKEW = timedelta(seconds=60)
"""By how much the clocks of a database and of a cluster may differ."""


class Place(NamedTuple):
    """A container that runs agtool, or may run it, in a pod."""

    pod: Json
    candidate: Candidate
    state: State

    @property
    def name(self) -> str:
        return str(self.pod["metadata"]["name"])


def report(
    session: Session, wanted: Wanted, *, container: str | None, limit: int, options: Options
) -> tuple[WorkloadStatus, list[AgtoolError]]:
    """What is so, and why nobody could be asked (none: somebody could, or nobody runs).

    Args:
        container: that runs agtool; None: found out.
        limit: how many runs that have ended.

    Raises:
        NotFoundError, NoPodsError, ForbiddenError, UnreachableError and others: as `find`.
        ConfigurationError: nothing runs agtool there, or there is no such container.
    """
    found = find(session, wanted)
    places = [
        Place(pod, each, state(pod, each.container))
        for pod in found.pods
        for each in candidates(pod, options)
        if container in (None, each.container)
    ]
    if container and not places:
        raise ConfigurationError(
            f"no pod of {wanted} has a container {container} that may run agtool",
            hint="Leave out --container, or name one of the pods' containers.",
        )
    answers, failures = _ask_all(session, found.path, places, limit)
    asked = {(answer.pod, answer.container) for answer in answers}
    told = {name for _, name in asked}
    shown = [each for each in places if each.candidate.sure or each.candidate.container in told]
    if not shown and not any(not isinstance(one, NoAnswerError) for one in failures.values()):
        raise _no_agtool(wanted)
    rows = [_row(each, answers, failures) for each in shown]
    data = WorkloadStatus(
        found.workload, session.namespace, answers, sorted(rows, key=lambda row: row.pod)
    )
    return data, [] if answers else _distinct(failures.values())


def _no_agtool(wanted: Wanted) -> ConfigurationError:
    error = ConfigurationError(
        f"nothing tells that a pod of {wanted} runs agtool migrate-once: it does not stand in "
        "their specifications, and it does not run in their containers now",
        hint="Add it: agtool migrate-once inject --help. If a script or the image starts it, it "
        "can be asked while it runs.",
    )
    error.code = "no-agtool"
    return error


def _ask_all(
    session: Session, path: str, places: list[Place], limit: int
) -> tuple[list[Answer], dict[tuple[str, str], AgtoolError]]:
    """An answer for each lock, and by pod and container why one could not be asked."""
    answers: list[Answer] = []
    failures: dict[tuple[str, str], AgtoolError] = {}
    with Live() as live:
        for group in _groups(places):
            for place in group[:_TRIES]:
                where = (place.name, place.candidate.container)
                live.show(f"asking pod {place.name} ...")
                try:
                    if place.candidate.refusal:
                        raise NoAnswerError(place.candidate.refusal)
                    status = ask(session, path, place.name, place.candidate, limit)
                except AgtoolError as error:
                    error.subject = f"pod {place.name}"
                    failures[where] = error
                    if isinstance(error, ForbiddenError):
                        break
                    continue
                if not any(_same(status, answer.status) for answer in answers):
                    answers.append(Answer(place.name, place.candidate.container, status))
                break
    return answers, failures


def _same(one: Status, other: Status) -> bool:
    """Whether two answers are about the same lock. Its name may be that of another database's."""
    runs, others = ({run.run_id for _, run in _kinds(each)} for each in (one, other))
    return one.lock == other.lock and bool(runs & others or runs == others)


def _groups(places: list[Place]) -> Iterator[list[Place]]:
    """The places of which one speaks for all: their agtools were started in the same way."""
    groups: dict[Candidate, list[Place]] = {}
    for place in places:
        if place.state.kind == "running":
            groups.setdefault(place.candidate, []).append(place)
    yield from sorted(groups.values(), key=lambda group: not group[0].candidate.sure)


def _row(
    place: Place, answers: list[Answer], failures: Mapping[tuple[str, str], AgtoolError]
) -> WorkloadPod:
    now = place.state
    runs = [
        (kind, run)
        for answer in answers
        for kind, run in _kinds(answer.status)
        if run.place.partition(" (pid ")[0] in _names(place.pod)
    ]
    kind, run, reason = now.kind, None, now.reason
    if now.kind == "running":
        kind, run = next(
            ((kind, run) for kind, run in runs if kind in ("working", "waiting")), (kind, None)
        )
        failure = failures.get((place.name, place.candidate.container))
        reason = failure.message if failure else ""
    elif now.kind in ("done", "failed"):
        born = _born(place.pod)
        ended = (run for kind, run in runs if kind == "over")
        run = next((one for one in ended if _after(one, born)), None)
    result = now.result or {}
    return WorkloadPod(
        pod=place.name,
        container=place.candidate.container,
        state=kind,  # type: ignore[arg-type]  # one of them
        since=_since(run, now),
        seconds=run.seconds if run else result.get("ran_seconds"),
        key=run.key if run else result.get("key"),
        run_id=run.run_id if run else result.get("run_id"),
        exit_code=now.exit_code,
        restarts=now.restarts,
        outcome=result.get("outcome"),
        reason=reason or None,
    )


def _kinds(status: Status) -> Iterator[tuple[str, Run]]:
    """The runs, and what the pod of each does: working, waiting or, with this one, nothing more."""
    for run in status.running:
        yield "working" if status.held else "over", run
    for run in status.waiting or ():
        yield "waiting", run
    for run in status.history:
        yield "over", run


def _since(run: Run | None, now: State) -> datetime | None:
    if run is None or now.kind in ("done", "failed"):
        return now.since
    return run.started_at or run.waiting_since


def _names(pod: Json) -> set[str]:
    """What agtool may call the pod: POD_NAME, or the name of its host."""
    name, spec = pod["metadata"]["name"], pod.get("spec") or {}
    host = spec.get("hostname") or name[:63].rstrip("-.")
    return {name, spec.get("nodeName", name) if spec.get("hostNetwork") else host}


def _born(pod: Json) -> datetime:
    text = pod["metadata"].get("creationTimestamp") or "1970-01-01T00:00:00Z"
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _after(run: Run, born: datetime) -> bool:
    """Whether it was in this pod, and not in an earlier one of the same name."""
    ended = run.finished_at or run.started_at
    return ended is not None and ended >= born - _SKEW


def _distinct(errors: Iterable[AgtoolError]) -> list[AgtoolError]:
    """One of each kind; that a container runs no agtool is told only if there is nothing else."""
    known: dict[str, AgtoolError] = {}
    for error in errors:
        known.setdefault(error.code, error)
    said = [one for one in known.values() if not isinstance(one, NoAgtoolError)]
    return said or list(known.values())
