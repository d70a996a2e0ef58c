"""Many sessions, several at a time, and what became of each."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from tests.cluster.cluster import Cluster
from tests.e2e.debug.chaos.choice import Choice
from tests.e2e.debug.chaos.report import Line, line_of
from tests.e2e.debug.chaos.session import Session
from tests.e2e.debug.chaos.verdict import problems
from tests.e2e.debug.chaos.world import world


def run(
    cluster: Cluster,
    choices: Sequence[Choice],
    folder: Path,
    *,
    at_once: int = 6,
    seconds: float | None = None,
    tell: Callable[[str], None] = print,
    done: Callable[[Line], object] = str,
) -> list[Line]:
    """Perform sessions; each is looked after until nothing of it is left.

    seconds: begin none after so many. tell: progress. done: is given each session's line.
    """
    give_up = time.monotonic() + (seconds or float("inf"))
    lines: list[Line] = []
    guard = threading.Lock()

    def settle(session: Session, failure: str) -> None:
        line = _judged(session, failure, tell)
        with guard:
            lines.append(line)
            done(line)
            if len(lines) % 20 == 0:
                bad = sum(bool(each.problems) for each in lines)
                tell(f"{len(lines)} sessions, {bad} violations")

    with (
        world(cluster, folder) as shared,
        # What is left is waited for elsewhere, so that the lanes go on.
        ThreadPoolExecutor(len(choices) or 1) as settling,
        ThreadPoolExecutor(at_once) as lanes,
    ):

        def one(choice: Choice) -> Future[None] | None:
            if time.monotonic() > give_up:
                return None
            session = Session(shared, choice)
            return settling.submit(settle, session, _performed(session))

        for settled in [lane.result() for lane in [lanes.submit(one, c) for c in choices]]:
            if settled is not None:
                settled.result()
    return lines


def _performed(session: Session) -> str:
    """Let it take place; what failed in the tests themselves, or nothing."""
    try:
        session.perform()
    except Exception:  # noqa: BLE001  # one session's failure is not that of the others
        return traceback.format_exc()
    return ""


def _judged(session: Session, failure: str, tell: Callable[[str], None]) -> Line:
    try:
        outcome = session.settle()
    except Exception:  # noqa: BLE001  # likewise
        failure += traceback.format_exc()
        tell(f"VIOLATION of the tests themselves: {session.choice}\n{failure}")
        return Line(session.choice.number, session.choice.fault, "", "", 0, 0, [], [failure])
    wrong = [*problems(outcome), *([failure] if failure else [])]
    for problem in wrong:
        tell(f"VIOLATION: {problem}")
    if wrong:
        detail = ""
        with suppress(AttributeError):  # agtool was not started
            detail = session.describe()
        tell(f"  {session.choice}\n{detail}")
    return line_of(session.choice, outcome, wrong, session.choice.fault in outcome.facts)
