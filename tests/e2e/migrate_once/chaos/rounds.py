"""Rounds: the replicas, the faults, and the end."""

from __future__ import annotations

import os
import random
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import psycopg2

from agtool.migrate_once.model import time_to_die
from tests.e2e.conftest import wait_until
from tests.e2e.migrate_once.chaos.choice import Choice
from tests.e2e.migrate_once.chaos.engines import Lane, PostgreSQLLane, lanes
from tests.e2e.migrate_once.chaos.faults import FAULTS
from tests.e2e.migrate_once.chaos.judge import (
    describe,
    hold_against_model,
    judge,
    marked,
    refused_sleep,
)
from tests.e2e.migrate_once.chaos.replica import (
    CLOCK,
    GRACE,
    NAMES,
    Plan,
    Scene,
    library,
    start_replica,
)
from tests.e2e.migrate_once.chaos.report import Report, Violation
from tests.e2e.migrate_once.chaos.verdict import read_work, runs
from tests.servers.pgbouncer import PgBouncer
from tests.servers.process import server_folder
from tests.servers.proxy import TcpProxy

ALL_END = 60.0
"""Seconds, besides 15 per fault, in which all replicas must end after the last fault."""

_BLOCK = 12
"""Rounds after which those are made up for that strike the server of all others."""

LAST_ENDS = time_to_die(GRACE) + 30
"""Seconds for a replica that starts when all is over: it may have to wait for a dead one."""


def perform(lane: Lane, choice: Choice) -> Report:
    """One round. Nothing of it is left afterwards, unless a promise was broken: then its folder."""
    report = Report(rounds=1)
    mark = f"CHAOS_ROUND={secrets.token_hex(8)}"
    with ExitStack() as stack:
        scene = set_up(stack, lane, choice)
        stack.callback(kill_all, mark)
        lane.reset()
        start = choice.chance("start")
        # Of a trace, the model knows one key.
        key = f"key-{choice.number}" if choice.traced or start.random() < 0.3 else None
        start_all(scene, start, choice, key, mark)
        report.struck.update(strike_all(scene, choice))
        problems = end_all(scene, len(choice.faults))
        marks = lane.marks()
        in_order = runs(read_work(scene.folder / "beats"))
        if not problems:
            problems = end_last(scene, choice, key if choice.traced else None, mark)
        problems += judge(scene, marks, in_order, mark)
        if choice.traced and not problems and not any(map(refused_sleep, scene.replicas)):
            report.traces = 1
            problems += hold_against_model(scene)

        report.replicas = len(scene.replicas)
        report.runs = len(in_order)
        if problems:
            report.violations.append(Violation(choice, tuple(problems), describe(scene)))
        for replica in scene.replicas:
            if not replica.alive():
                report.exit_codes[replica.exit_code()] += 1
            os.close(replica.pidfd)
    if not report.violations:
        shutil.rmtree(scene.folder)
    return report


def set_up(stack: ExitStack, lane: Lane, choice: Choice) -> Scene:
    """A folder, and what lies between the replicas and the server."""
    folder = Path(tempfile.mkdtemp(prefix="agtool-chaos-"))
    (folder / "beats").mkdir()
    bouncer = None
    proxy = None
    target = lane.address
    if choice.engine == "pgbouncer" and isinstance(lane, PostgreSQLLane):
        pool_folder = stack.enter_context(server_folder())
        size = choice.chance("pool").choice((5, 20))
        bouncer = PgBouncer(pool_folder, lane.server, default_pool_size=size)
        stack.enter_context(bouncer)
        target = (bouncer.host, bouncer.port)
    if target is not None:
        proxy = stack.enter_context(TcpProxy(*target))
    hosts = folder / "hosts" if library(NAMES) else None
    scene = Scene(lane, folder, proxy, bouncer, hosts)
    scene.set_names(known=True)
    return scene


def start_all(
    scene: Scene, chance: random.Random, choice: Choice, key: str | None, mark: str
) -> None:
    """Start the replicas, all at once or one after the other, some past the proxy."""
    common = ["--connect-timeout", "60s", *(["--key", key] if key else [])]
    if scene.lane.engine == "postgresql":
        common += ["--lock", chance.choice(("table", "table", "advisory"))]
    spread = chance.choice((0.0, 0.1, 0.5))
    if scene.proxy is not None:
        # With some, what lies between two statements lasts long enough to be struck.
        scene.proxy.latency = chance.choice((0.0, 0.0, 0.01, 0.05))
    can_escape = not any(FAULTS[name].kills_both for _, name in choice.faults)
    # Behind a pooler nobody can stop what a dead command had sent and the network kept: no session
    # has its tag before the pooler reads it. Nor on MariaDB behind a proxy. Documented limits.
    through = choice.engine == "postgresql" and chance.random() < 0.5
    for number in range(choice.replicas):
        own = plan(
            chance,
            scene,
            proxied=through and chance.random() < 0.5,
            tame=chance.random() < 0.5,
            can_escape=can_escape,
        )
        proxied, wrapped = chance.random() < 0.6, chance.random() < 0.3
        named = scene.proxy is not None and scene.hosts is not None and chance.random() < 0.3
        clocked = number == 1 and library(CLOCK) is not None and not named
        clock = scene.folder / "clock" if clocked else None
        if clock is not None:
            clock.write_text("+0\n")
        scene.replicas.append(
            start_replica(
                number,
                own,
                url=scene.url(proxied=proxied, named=named),
                options=common,
                wrapped=wrapped,
                folder=scene.folder,
                env=environment(scene, choice, mark),
                clock=clock,
                hosts=scene.hosts if named else None,
            )
        )
        scene.note(
            f"r{number} starts, pid {scene.replicas[-1].pid}{', proxied' if proxied else ''}"
            f"{', by name' if named else ''}{', wrapped' if wrapped else ''}: {own.as_json()}"
        )
        time.sleep(chance.uniform(0, spread))


def plan(
    chance: random.Random, scene: Scene, *, proxied: bool, tame: bool, can_escape: bool
) -> Plan:
    """What one replica's command does. tame: it does not fail and heeds SIGTERM."""
    escapes = can_escape and chance.random() < 0.5
    return Plan(
        folder=str(scene.folder / "beats"),
        engine=scene.lane.engine,
        url=scene.url(proxied=proxied),
        site_packages=str(Path(psycopg2.__file__).parents[1]),
        # Mostly brief, so that there can be many rounds.
        seconds=0.05 + 1.2 * chance.random() ** 3,
        sql_seconds=0.01 + 1.5 * chance.random() ** 3,
        transaction=chance.random() < 0.5,
        ignores_term=not tame and chance.random() < 0.4,
        fails=not tame and chance.random() < 0.15,
        grandchild_seconds=0.05 + 1.4 * chance.random() ** 3 if escapes else 0,
        waits=tame or chance.random() < 0.5,
    )


def environment(scene: Scene, choice: Choice, mark: str) -> dict[str, str]:
    """What agtool shall see of ours, and the mark by which what is left of a round is found."""
    name, _, value = mark.partition("=")
    env = {"PATH": os.environ.get("PATH", os.defpath), name: value}
    return {**env, "AGTOOL_TRACE": str(scene.folder / "trace")} if choice.traced else env


def strike_all(scene: Scene, choice: Choice) -> list[str]:
    """Let the faults happen, each at a moment of its own; return those that struck something."""
    struck = []
    beats = scene.folder / "beats"
    for number, name in choice.faults:
        chance = choice.chance("fault", number)
        moment = chance.choice(("lock", "lock", "work", "time"))
        give_up = time.monotonic() + 5
        began = len(list(beats.iterdir()))
        while time.monotonic() < give_up and any(r.alive() for r in scene.replicas):
            if moment == "time":
                break
            if moment == "lock" and scene.holders():
                break
            if moment == "work" and len(list(beats.iterdir())) > began:
                break
            time.sleep(0.003)
        time.sleep(chance.choice((0.0, chance.uniform(0, 0.06), chance.uniform(0, 1))))
        if FAULTS[name].strike(scene, chance):
            struck.append(name)
    return struck


def end_all(scene: Scene, faults: int) -> list[str]:
    """Wait until every replica has ended."""
    deadline = time.monotonic() + ALL_END + 15 * faults
    while alive := [replica for replica in scene.replicas if replica.alive()]:
        if time.monotonic() > deadline:
            return [f"not ended in time: {', '.join(f'r{r.number}' for r in alive)}"]
        time.sleep(0.01)
    return []


def end_last(scene: Scene, choice: Choice, key: str | None, mark: str) -> list[str]:
    """One more replica, with no fault, must get the lock and work; or find its key done."""
    if scene.bouncer is not None:
        # After a wrong password it sends clients away until the server has let it in.
        wait_until(lambda: lets_in(scene.url(proxied=False)), "PgBouncer lets clients in")
    last = start_replica(
        len(scene.replicas),
        plan(choice.chance("last"), scene, proxied=False, tame=True, can_escape=False),
        url=scene.lane.url(),
        options=["--key", key] if key else [],
        wrapped=False,
        folder=scene.folder,
        env=environment(scene, choice, mark),
    )
    scene.note(f"r{last.number} starts, the last one")
    try:
        code = last.process.wait(LAST_ENDS)
    except subprocess.TimeoutExpired:
        return [f"the last replica has not ended after {LAST_ENDS:.0f} s"]
    finally:
        os.close(last.pidfd)
    return [] if code == 0 else [f"the last replica, r{last.number}, ended with {code}"]


def lets_in(url: str) -> bool:
    """Whether a query can be asked."""
    with suppress(psycopg2.OperationalError), closing(psycopg2.connect(url)) as connection:
        connection.cursor().execute("SELECT 1")
        return True
    return False


def kill_all(mark: str) -> None:
    """Kill what is left of a round."""
    while left := marked(mark):
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)


def run(
    choices: Sequence[Choice],
    *,
    at_once: int = 4,
    seconds: float | None = None,
    tell: Callable[[str], None] = print,
) -> Report:
    """Perform rounds of one engine, several at a time; those that strike the server by themselves.

    seconds: begin no round after so many. tell: progress. Raises ServerUnavailable.
    """
    total = Report()
    give_up = time.monotonic() + (seconds or float("inf"))
    with lanes(choices[0].engine, at_once) as free:

        def one(choice: Choice) -> None:
            if time.monotonic() > give_up:
                return
            lane = free.pop()
            try:
                report = perform(lane, choice)
            finally:
                free.append(lane)
            for violation in report.violations:
                tell(str(violation))
            total.add(report)
            if total.rounds % 50 == 0:
                tell(f"{choice.engine}: {total.rounds} rounds, {len(total.violations)} violations")

        try:
            perform_all(choices, at_once, one)
        except BaseException:
            tell(f"{choices[0].engine}, ended early: {total}")
            raise
    return total


def perform_all(choices: Sequence[Choice], at_once: int, one: Callable[[Choice], None]) -> None:
    """Those that strike the server come by themselves, after a few of the others."""
    for begin in range(0, len(choices), _BLOCK):
        block = choices[begin : begin + _BLOCK]
        with ThreadPoolExecutor(at_once) as pool:
            try:
                list(pool.map(one, [c for c in block if not c.alone]))
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        for choice in block:
            if choice.alone:
                one(choice)
