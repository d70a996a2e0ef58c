"""Hosts checked, one or many at once: each in a thread, the results in the order of the input."""

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, NamedTuple

from agtool.core.errors import UsageError
from agtool.core.finding import Finding
from agtool.core.ready import most_descriptors
from agtool.core.text import count
from agtool.le_staging.verify.connect import Address, NoTls, addresses
from agtool.le_staging.verify.evidence import Evidence
from agtool.le_staging.verify.judge import Judgement, Verdict
from agtool.le_staging.verify.look import How, Looker, Sight
from agtool.le_staging.verify.proxy import Tunnel
from agtool.le_staging.verify.target import Target, join, plan_destination
from agtool.le_staging.verify.way import KEYS, Way

if TYPE_CHECKING:
    from agtool.le_staging.verify.kept import Checked

_ADDRESSES_AT_ONCE = 16

_MOST = 128
"""Hosts that are checked at the same time, if there may be so many open files."""

_GRACE = 1.0
"""Seconds after its timeout in which a check must be over, unless the resolver holds it."""


class Report(NamedTuple):
    """What is said of one host.

    Attributes:
        verdict: failed also when no certificate was seen.
        as_expected: it is what was expected.
        problems: why it is not.
        evidence, judgement: None when no certificate was seen.
        now: when it was judged.
        seconds: how long it took.
        notes: what is worth knowing, and no fault.
        sights: all handshakes, if each address was to be looked at.
        source: the Kubernetes object that serves the host; empty: it was given.
        stored: what its Secret has; None: nobody knows.
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
    notes: tuple[Finding, ...] = ()
    sights: tuple[Sight, ...] = ()
    source: str = ""
    stored: "Checked | None" = None


class Checker:
    """Checks hosts; what they share is read once."""

    def __init__(self, how: How) -> None:
        self._how = how
        self.looker = Looker(how)

    def check(self, target: Target) -> Report:
        """Check one host; takes no longer than the timeout, unless the resolver does."""
        how, began = self._how, time.monotonic()
        way = Way(how.protocol, how.offers, began + how.timeout)
        try:
            hosts, port = plan_destination(target, how.overrides)
            if proxy := how.proxies.for_host(hosts[0].removesuffix(".")):
                way = way._replace(tunnel=Tunnel(proxy, hosts[0], port))
                hosts, port = (proxy.host,), proxy.port
            found = addresses(hosts, port, how.family)
        except NoTls as error:
            return failure(target, error, time.monotonic() - began)
        if how.all_addresses and not way.tunnel:
            from concurrent.futures import ThreadPoolExecutor

            with ThreadPoolExecutor(min(_ADDRESSES_AT_ONCE, len(found))) as pool:
                looks = pool.map(lambda address: self._both_keys(target, address, way), found)
                sights = [sight for seen in looks for sight in seen]
        else:
            sights = [self.looker.look(target, found, way)]
        report = self._report(target, sights, time.monotonic() - began)
        notes = _notes(target, found, sights[0], way, everywhere=how.all_addresses)
        return report._replace(notes=tuple(notes))

    def _both_keys(self, target: Target, address: Address, way: Way) -> list[Sight]:
        """What one address shows, also with the other kind of key if it has both."""
        seen = [self.looker.look(target, [address], way)]
        for key in sorted(KEYS.keys() - {seen[0].key}) if seen[0].evidence else ():
            other = self.looker.look(target, [address], way, key)
            if other.evidence:  # else it has no such certificate, or no TLS 1.2
                seen.append(other)
        return seen

    def _report(self, target: Target, sights: Sequence[Sight], seconds: float) -> Report:
        expected = self._how.expected
        # What is shown in full is the first that is not as it should be.
        shown = next((sight for sight in sights if sight.verdict is not expected), sights[0])
        return Report(
            target=target,
            verdict=shown.verdict,
            as_expected=shown.verdict is expected,
            problems=_located(sights, [sight.problems for sight in sights]),
            warnings=_located(sights, [sight.warnings for sight in sights]),
            evidence=shown.evidence,
            judgement=shown.judgement,
            now=datetime.now(timezone.utc),
            seconds=seconds,
            sights=tuple(sights) if self._how.all_addresses else (),
        )


def merged(findings: Iterable[tuple[Finding, ...]]) -> tuple[Finding, ...]:
    """Each finding once."""
    return tuple(dict.fromkeys(one for several in findings for one in several))


def _located(
    sights: Sequence[Sight], findings: Sequence[tuple[Finding, ...]]
) -> tuple[Finding, ...]:
    """Each finding once, with the addresses where it holds unless it holds everywhere."""
    found = {one: one for one in merged(findings)}
    for finding in list(found):
        where = [s for s, several in zip(sights, findings, strict=True) if finding in several]
        if len(where) < len(sights):
            places = dict.fromkeys(f"{s.address} {f'({s.key})' if s.key else ''}" for s in where)
            shown = ", ".join(place.rstrip() for place in places)
            found[finding] = replace(finding, message=f"at {shown}: {finding.message}")
    return tuple(found.values())


def _notes(
    target: Target, found: Sequence[Address], sight: Sight, way: Way, *, everywhere: bool
) -> Iterator[Finding]:
    if target.is_wildcard:
        yield Finding("wildcard", f"{target.shown} was checked as {target.host}")
    if way.tunnel:
        proxy = join(way.tunnel.proxy.host, way.tunnel.proxy.port)
        yield Finding(
            "proxy", f"checked through the proxy {proxy}, at whichever address it has chosen"
        )
        return
    others = len({str(address[0]) for _, address in found}) - 1
    if others and not everywhere:
        yield Finding(
            "several-addresses",
            f"{target.host} has {count(others, 'other address', 'other addresses')} than "
            f"{sight.address}, of which nothing is said here",
            "Use --all-addresses to check each.",
        )


def failure(target: Target, error: NoTls, seconds: float) -> Report:
    """The report of a host that showed no certificate."""
    now = datetime.now(timezone.utc)
    return Report(target, Verdict.failed, False, (error.problem,), (), None, None, now, seconds)


def failed_line(text: str, error: UsageError) -> Report:
    """The report of what was given as a host and is none."""
    wrong = NoTls("no-host", error.message, error.hint)
    return failure(Target(text, 0, text or "''"), wrong, 0)


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
    at_once = min(_MOST, max(1, most_descriptors() // 4))
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
