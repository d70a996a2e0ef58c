"""One invocation: wait for the lock, work under it, say what it amounts to."""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from queue import SimpleQueue

from agtool.core.errors import TIMED_OUT, WRAPPER_FAILED
from agtool.core.output import say
from agtool.core.process import Signals, reap
from agtool.migrate_once.acquire import Acquisition, Cancelled, News
from agtool.migrate_once.backend import AlreadyDone, Backend, Lock
from agtool.migrate_once.model import Attempt, Outcome, time_to_die
from agtool.migrate_once.story import Story


@dataclass(frozen=True)
class Times:
    """Seconds; wait None: for ever."""

    wait: float | None
    connect: float
    grace: float


def run(argv: Sequence[str], backend: Backend, attempt: Attempt, times: Times) -> Outcome:
    """Run `argv` once among all replicas with this lock.

    Raises:
        AgtoolError: the database could not be reached in time, or refuses us.
    """
    began = time.monotonic()
    with Signals() as signals:
        got = _wait(backend, attempt, times, signals)
        waited = time.monotonic() - began
        if isinstance(got, AlreadyDone):
            say(f"{attempt.name}: key {attempt.key} has been finished before; nothing to do")
            return Outcome("already-done", 0, waited)
        if isinstance(got, signal.Signals):
            say(f"{got.name} while waiting for {backend.lock_name}; the command was not run")
            return Outcome("interrupted", 128 + got, waited, signal=got.name)
        if got is None:
            say(
                f"error: waited {waited:.0f} s for {backend.lock_name}; the command was not run\n"
                "See who holds it with: agtool migrate-once --status"
            )
            return Outcome("waited-too-long", TIMED_OUT, waited)
        return _work(argv, got, backend, attempt, times, signals, waited)


def _wait(
    backend: Backend, attempt: Attempt, times: Times, signals: Signals
) -> Lock | AlreadyDone | signal.Signals | None:
    """The lock; or that there is nothing to do; or the signal that came; or None: timed out.

    The waiting is done by a thread, because a driver's calls cannot be interrupted by a signal
    (a name that does not resolve blocks for half a minute), and we must end within a second.
    """
    news: SimpleQueue[News] = SimpleQueue()
    wakeup, wake = os.pipe()
    results: list[Lock | AlreadyDone | BaseException] = []

    def tell(item: News) -> None:
        news.put(item)
        os.write(wake, b".")

    acquisition = Acquisition(
        backend=backend,
        attempt=attempt,
        patience=time_to_die(times.grace),
        connect_timeout=times.connect,
        tell=tell,
    )

    def acquire() -> None:
        try:
            results.append(acquisition.run())
        except BaseException as error:  # noqa: BLE001  # raised again below, in the main thread
            results.append(error)
        os.close(wake)

    thread = threading.Thread(target=acquire, daemon=True)
    deadline = None if times.wait is None else time.monotonic() + times.wait
    story = Story(backend.lock_name)
    received: list[signal.Signals] = []
    thread.start()
    try:
        while not results:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            select.select([signals, wakeup], [], [], left)
            received += signals.drain()
            reap()
            if received or (deadline is not None and time.monotonic() >= deadline):
                acquisition.cancelled.set()
                thread.join(0.7)
                break
            if select.select([wakeup], [], [], 0)[0]:
                os.read(wakeup, 4096)
            while not news.empty():
                story.show(news.get())
    finally:
        story.close()
    if not results:
        return received[0] if received else None
    thread.join()
    os.close(wakeup)
    result = results[0]
    if received or isinstance(result, Cancelled):
        if not isinstance(result, (AlreadyDone, BaseException)):
            result.release()
        return received[0] if received else None
    if isinstance(result, BaseException):
        raise result
    return result


def _work(
    argv: Sequence[str],
    lock: Lock,
    backend: Backend,
    attempt: Attempt,
    times: Times,
    signals: Signals,
    waited: float,
) -> Outcome:
    from agtool.migrate_once.supervise import supervise

    # Only the program's name: arguments may hold secrets.
    say(f"got the lock after {waited:.1f} s; running {os.path.basename(argv[0])}")
    started_at = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
    sys.stderr.flush()
    verdict = supervise(
        argv, lock=lock, backend=backend, attempt=attempt, grace=times.grace, signals=signals
    )
    if verdict.lost is not None:
        what = "lock-lost"
        say(
            f"error: the lock was lost: {verdict.lost}\n"
            "The command was ended and nothing is marked as done; run it again."
        )
    elif verdict.cannot_run is not None:
        what = "cannot-run"
        say(f"error: cannot run {argv[0]}: {verdict.cannot_run}")
    else:
        what = "ran"
        say(f"{os.path.basename(argv[0])} ended with {verdict.exit_code} in {verdict.ran:.1f} s")
    return Outcome(
        what=what,
        exit_code=verdict.exit_code if verdict.lost is None else WRAPPER_FAILED,
        waited=waited,
        ran=verdict.ran,
        started_at=started_at,
        signal=verdict.signal.name if verdict.signal else None,
        marked=verdict.marked,
    )
