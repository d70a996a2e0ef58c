"""Change many nodes at once: safely beside other writers, and to a known end."""

from __future__ import annotations

import bisect
import queue
import random
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from agtool.ci_nodepool.model import Node
from agtool.ci_nodepool.pool.plan import Change
from agtool.core.errors import AgtoolError, ConfigurationError, unexpected
from agtool.core.kube.errors import (
    ConflictError,
    ForbiddenError,
    NotFoundError,
    RejectedError,
)
from agtool.core.kube.session import METADATA_ONLY, Session
from agtool.core.live import Progress
from agtool.core.signals import handled

NODES = "/api/v1/nodes"

CONNECTIONS = 32
"""Requests in flight: below the 49 seats or so that the API server has for people."""

_TRIES = 30
"""Conflicts in a row before we give up on a node; a kubelet writes every ten seconds or so."""


@dataclass
class Report:
    """What became of every node, by name.

    Attributes:
        unchanged: somebody else did the same meanwhile.
        gone: deleted, or replaced by another node of that name, since it was read.
        failed: with the error.
        not_started: left alone after Ctrl-C, or after an error that all would have met.
    """

    changed: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    failed: dict[str, AgtoolError] = field(default_factory=dict)
    not_started: list[str] = field(default_factory=list)
    interrupted: bool = False

    def add(self, name: str, outcome: str | AgtoolError) -> None:
        """Count a node: as failed, or in the list that is called `outcome`."""
        if isinstance(outcome, AgtoolError):
            self.failed[name] = outcome
        else:
            bisect.insort(getattr(self, outcome), name)


def write_all(
    session: Session, changes: Sequence[Change], replan: Callable[[Node], Change]
) -> Report:
    """Do `changes`, CONNECTIONS at once; the report says what became of each.

    A node that changed since it was read is read and planned for again, with `replan`. Ctrl-C
    ends it after the requests in flight, so that the report is exact; a second one at once. An
    error that is not about one node (403, an unreachable server) ends it too.
    """
    report = Report()
    waiting = iter(changes)
    lock = threading.Lock()
    stop = threading.Event()
    results: queue.SimpleQueue[tuple[str, str | AgtoolError] | None] = queue.SimpleQueue()

    def work() -> None:
        while not stop.is_set():
            with lock:
                change = next(waiting, None)
            if change is None:
                break
            outcome = _outcome(session, change, replan)
            if isinstance(outcome, AgtoolError) and not isinstance(outcome, _OF_ONE_NODE):
                stop.set()
            results.put((change.node.name, outcome))
        results.put(None)

    def interrupt(*_: object) -> None:
        if report.interrupted:
            raise KeyboardInterrupt
        report.interrupted = True
        stop.set()

    threads = min(CONNECTIONS, len(changes))
    with handled({signal.SIGINT: interrupt}), Progress("nodes", len(changes)) as progress:
        for _ in range(threads):
            threading.Thread(target=work, daemon=True).start()
        while threads:
            if (result := results.get()) is None:
                threads -= 1
            else:
                report.add(*result)
                progress.advance()
    report.not_started = [change.node.name for change in waiting]
    return report


_OF_ONE_NODE = (ConflictError, NotFoundError, RejectedError)
"""Errors that the other nodes need not meet."""


def _outcome(
    session: Session, change: Change, replan: Callable[[Node], Change]
) -> str | AgtoolError:
    try:
        return _write(session, change, replan)
    except AgtoolError as error:
        return error
    except Exception as error:  # noqa: BLE001  # a thread's boundary: the main one reports it
        return unexpected(error)


def _write(session: Session, change: Change, replan: Callable[[Node], Change]) -> str:
    """Change one node; the name of the list in Report that it belongs to."""
    path = f"{NODES}/{change.node.name}"
    for attempt in range(_TRIES):
        try:
            session.patch(path, change.patch(), accept=METADATA_ONLY)
            return "changed"
        except NotFoundError:
            return "gone"
        except ConflictError:
            if attempt:
                time.sleep(random.uniform(0, 0.01 * attempt))  # noqa: S311  # no secret
        try:
            node = Node.from_api(session.get(path))
        except NotFoundError:
            return "gone"
        if node.uid != change.node.uid:
            return "gone"
        # A patch whose answer was lost and which was sent again has met itself.
        ours = node.record == change.record != change.node.record
        change = replan(node)
        if change.clashes:
            raise ConflictError(f"somebody else gave it {change.clashes[0]} meanwhile")
        if not change:
            return "changed" if ours else "unchanged"
    raise ConflictError(
        "somebody else changes it all the time",
        hint="Look for the program that does: kubectl get node "
        f"{change.node.name} -o yaml --show-managed-fields",
    )


def count_as_failed(report: Report, names: Sequence[str]) -> None:
    """Count these nodes as failed: what was removed a moment ago is there again."""
    for name in names:
        if name in report.changed:
            report.changed.remove(name)
            report.failed[name] = ConflictError(
                "what was removed is there again: `agtool ci-nodepool watch` is running, and puts "
                "it back",
                hint="Stop the watch first: in its terminal, or with kubectl delete -n kube-system "
                "deployment agtool-ci-nodepool",
            )


def failure(report: Report, command: str) -> AgtoolError | None:
    """The error that the command ends with, if a node was not changed."""
    if not report.failed:
        return None
    name, error = next(iter(report.failed.items()))
    others = f" (and {len(report.failed) - 1:,} more)" if len(report.failed) > 1 else ""
    kind = type(error) if not isinstance(error, ConfigurationError) else ConflictError
    again = f"Run agtool {command} again to finish the rest: what is done stays done."
    if isinstance(error, (ForbiddenError, RejectedError)):
        # A missing right, or an admission webhook or policy: it answers so each time.
        again = (
            "It will answer so each time. When that is settled, run agtool "
            f"{command} again: what is done stays done."
        )
    return kind(
        f"node {name}{others}: {error.message}",
        hint=f"{error.hint}\n{again}".lstrip("\n"),
        subject=f"node {name}",
    )
