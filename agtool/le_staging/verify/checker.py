"""Many hosts at once: each in a thread of its own, the results in the order of the input."""

from __future__ import annotations

import queue
import resource
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timezone
from typing import NamedTuple

from agtool.core.finding import Finding
from agtool.le_staging.roots.store import Root
from agtool.le_staging.verify import judge
from agtool.le_staging.verify.connect import NoTls, addresses
from agtool.le_staging.verify.evidence import Evidence
from agtool.le_staging.verify.handshake import context, shake_hands
from agtool.le_staging.verify.judge import Judgement, Verdict
from agtool.le_staging.verify.public import PublicRoots
from agtool.le_staging.verify.target import Override, Target, plan_destination

_MOST = 128
"""Hosts that are checked at the same time, if there may be so many open files."""

_GRACE = 1.0
"""Seconds after its timeout in which a check must be over, unless the resolver holds it."""


class How(NamedTuple):
    """How to check.

    Attributes:
        roots: what counts as staging.
        expected: the verdict that is a success.
        protocol: what to speak before TLS; "" for nothing.
        timeout: seconds for one host, all in all.
        family: AF_INET, AF_INET6, or AF_UNSPEC for both.
        overrides: where to connect instead.
        warn_days: warn of certificates that expire within so many days.
    """

    roots: Sequence[Root]
    expected: Verdict = Verdict.staging
    protocol: str = ""
    timeout: float = 10
    family: socket.AddressFamily = socket.AF_UNSPEC
    overrides: tuple[Override, ...] = ()
    warn_days: int = 0


class Report(NamedTuple):
    """What is said of one host.

    Attributes:
        verdict: failed also when no certificate was seen.
        as_expected: it is what was expected.
        problems: why it is not.
        evidence, judgement: None when no certificate was seen.
        now: when it was judged.
        seconds: how long it took.
    """

    target: Target
    verdict: Verdict
    as_expected: bool
    problems: tuple[Finding, ...]
    warnings: tuple[Finding, ...]
    evidence: Evidence | None
    judgement: Judgement | None
    now: datetime
    seconds: float


class Checker:
    """Checks hosts; what they share is read once."""

    def __init__(self, how: How) -> None:
        self._how = how
        self._context = context(root.der for root in how.roots)
        self._anchors = {root.sha256 for root in how.roots}
        self._public = PublicRoots()
        self._lock = threading.Lock()

    def check(self, target: Target) -> Report:
        """Check one host; takes no longer than the timeout, unless the resolver does."""
        how, began = self._how, time.monotonic()
        deadline = began + how.timeout
        try:
            found = addresses(*plan_destination(target, how.overrides), how.family)
            evidence = shake_hands(
                target, found, self._context, protocol=how.protocol, deadline=deadline
            )
        except NoTls as error:
            return failure(target, error, time.monotonic() - began)
        now = datetime.now(timezone.utc)
        if self._anchors.isdisjoint(certificate.sha256 for certificate in evidence.chain):
            with self._lock:
                voucher = self._public.voucher(evidence.presented)
            evidence = evidence._replace(voucher=voucher)
        judgement = judge.judge(target, evidence, self._anchors, now)
        surprise = judge.surprise(judgement, how.expected)
        return Report(
            target=target,
            verdict=judgement.verdict,
            as_expected=judgement.verdict is how.expected,
            problems=(*judgement.problems, *([surprise] if surprise else [])),
            warnings=judge.warnings(judgement, evidence.presented[0], now, how.warn_days),
            evidence=evidence,
            judgement=judgement,
            now=now,
            seconds=time.monotonic() - began,
        )


def failure(target: Target, error: NoTls, seconds: float) -> Report:
    """The report of a host that showed no certificate."""
    now = datetime.now(timezone.utc)
    return Report(target, Verdict.failed, False, (error.problem,), (), None, None, now, seconds)


def in_order(
    targets: Sequence[Target],
    check: Callable[[Target], Report],
    *,
    timeout: float,
    progress: Callable[[], None],
) -> Iterator[Report]:
    """Check all targets at once; yield their reports in the same order.

    The threads are daemons, and one whose name lookup takes longer than the timeout (seconds) is
    left to itself: nothing interrupts the system's resolver. So neither that host nor Ctrl-C waits
    for it. progress: called for each report that is there.
    """
    ended: queue.SimpleQueue[tuple[int, Report | Exception]] = queue.SimpleQueue()
    waiting = iter(enumerate(targets))
    running: dict[int, float] = {}
    reports: dict[int, Report] = {}

    def work(number: int, target: Target) -> None:
        try:
            ended.put((number, check(target)))
        except Exception as error:  # noqa: BLE001  # a bug, raised again in the main thread
            ended.put((number, error))

    # A host may take several sockets, and lacking one is no fault of the host.
    at_once = min(_MOST, max(1, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 4))
    given = 0
    while given < len(targets):
        while len(running) < at_once and (job := next(waiting, None)):
            running[job[0]] = time.monotonic()
            threading.Thread(target=work, args=job, daemon=True).start()
        give_up = min(running.values()) + timeout + _GRACE
        try:
            number, result = ended.get(timeout=max(0, give_up - time.monotonic()))
        except queue.Empty:
            number = min(running, key=running.__getitem__)
            late = NoTls(
                "timed-out",
                f"looking up {targets[number].host} takes too long",
                "Check the DNS servers of this machine, or use --resolve HOST:PORT:ADDRESS.",
            )
            result = failure(targets[number], late, time.monotonic() - running[number])
        if running.pop(number, None) is None:
            continue  # it was given up before
        if isinstance(result, Exception):
            raise result
        reports[number] = result
        progress()
        while given in reports:
            yield reports[given]
            given += 1
