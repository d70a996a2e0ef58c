"""Chaos: many replicas, faults at random moments, and whether two commands ever overlapped.

By hand: `python -m tests.e2e.migrate_once.chaos --rounds 1000 --seed 7`. Read this file, then
chaos_replica (the parts of a round), chaos_faults, chaos_worker (the command), chaos_verdict.

Two faults are left out, as limits that are documented: SIGKILL of agtool and keeper at once while
a grandchild has left the session and closed its descriptors (nobody is left to kill it), and a
network that keeps what a command has sent to a pooler until after the command's end.
"""

from __future__ import annotations

import argparse
import os
import random
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg2

from agtool.migrate_once.model import time_to_die
from tests.e2e.migrate_once.chaos_faults import FAULTS
from tests.e2e.migrate_once.chaos_replica import GRACE, Plan, Scene, start_replica
from tests.e2e.migrate_once.chaos_verdict import (
    Commit,
    Run,
    false_marks,
    late_commits,
    overlaps,
    read_work,
    runs,
)
from tests.e2e.migrate_once.chaos_worker import FAILED
from tests.servers.pgbouncer import PgBouncer
from tests.servers.postgresql import PostgreSQL
from tests.servers.process import server_folder
from tests.servers.proxy import TcpProxy

SETTINGS = {
    "track_commit_timestamp": "on",
    # A crash may lose what has been committed, but for those who ask for more.
    "synchronous_commit": "off",
}

ALL_END = 60.0
"""Seconds, besides 15 per fault, in which all replicas must end after the last fault."""

LAST_ENDS = time_to_die(GRACE) + 30
"""Seconds for a replica that starts when all is over: it may have to wait for a dead one."""

_SCHEMA = """
SET synchronous_commit = on;
DROP SCHEMA IF EXISTS agtool CASCADE;
DROP TABLE IF EXISTS work;
CREATE TABLE work (run text, note text);
ALTER TABLE work OWNER TO app
"""


@dataclass
class Report:
    """What many rounds came to."""

    rounds: int = 0
    replicas: int = 0
    runs: int = 0
    struck: Counter[str] = field(default_factory=Counter)
    exit_codes: Counter[int | None] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        """For people."""
        struck = ", ".join(f"{name} {count}" for name, count in self.struck.most_common())
        codes = ", ".join(f"{code}: {count}" for code, count in self.exit_codes.most_common())
        return (
            f"{self.rounds} rounds, {self.replicas} replicas, {self.runs} runs of the command, "
            f"{len(self.violations)} violations\nfaults: {struck}\nexit codes: {codes}"
        )


@dataclass(frozen=True)
class Choice:
    """What chance decided about a round before it began."""

    number: int
    seed: str
    faults: tuple[str, ...]
    pooled: bool

    @property
    def alone(self) -> bool:
        """Whether no other round can go on beside it."""
        return any(FAULTS[name].alone for name in self.faults)


def choose(seed: int, number: int, only: Sequence[str] = ()) -> Choice:
    """The round of that number, always the same one."""
    chance = random.Random(f"{seed}:{number}")  # noqa: S311
    pooled = chance.random() < 0.25
    names = [n for n, f in FAULTS.items() if (pooled or not f.pooled) and (not only or n in only)]
    weights = [FAULTS[name].weight for name in names]
    count = chance.choice((1, 1, 2, 2, 3, 4))
    faults = tuple(chance.choices(names, weights, k=count)) if names else ()
    return Choice(number, f"{seed}:{number}", faults, pooled)


def plan(chance: random.Random, scene: Scene, url: str, *, tame: bool, can_escape: bool) -> Plan:
    """What one replica's command does. tame: it does not fail and heeds SIGTERM."""
    escapes = can_escape and chance.random() < 0.5
    return Plan(
        folder=str(scene.folder / "beats"),
        url=url,
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


def perform(server: PostgreSQL, database: str, choice: Choice, report: Report) -> None:
    """One round, added to the report. Nothing of it is left afterwards."""
    chance = random.Random(choice.seed)  # noqa: S311
    mark = f"CHAOS_ROUND={secrets.token_hex(8)}"
    keep_folder = False
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="agtool-chaos-"))
        (folder / "beats").mkdir()
        bouncer = None
        target = (server.host, server.port)
        if choice.pooled:
            pool_folder = stack.enter_context(server_folder())
            bouncer = PgBouncer(pool_folder, server, default_pool_size=chance.choice((5, 20)))
            stack.enter_context(bouncer)
            target = (bouncer.host, bouncer.port)
        proxy = stack.enter_context(TcpProxy(*target))
        scene = Scene(server, database, folder, proxy, bouncer)
        stack.callback(scene.close)
        stack.callback(kill_all, mark)
        server.execute(_SCHEMA, database)
        key = f"key-{secrets.token_hex(4)}" if chance.random() < 0.3 else None

        start_all(scene, chance, choice, key, mark)
        struck = strike_all(scene, chance, choice)
        problems = end_all(scene, len(choice.faults))
        marks = read_marks(scene)
        in_order = runs(read_work(folder / "beats"))
        if not problems:
            problems = end_last(scene, chance, mark)
        problems += judge(scene, marks, in_order, mark)

        report.rounds += 1
        report.replicas += len(scene.replicas)
        report.runs += len(in_order)
        report.struck.update(struck)
        if problems:
            keep_folder = True
            report.violations.append(describe(choice, scene, problems))
        for replica in scene.replicas:
            if not replica.alive():
                report.exit_codes[replica.exit_code()] += 1
            os.close(replica.pidfd)
    if not keep_folder:
        shutil.rmtree(folder)


def start_all(
    scene: Scene, chance: random.Random, choice: Choice, key: str | None, mark: str
) -> None:
    """Start the replicas, all at once or one after the other, some past the proxy."""
    entrance = scene.bouncer or scene.server
    direct = entrance.url(scene.database)
    proxied = entrance.url(scene.database, host=scene.proxy.host, port=scene.proxy.port)
    common = ["--connect-timeout", "60s", *(["--key", key] if key else [])]
    lock = chance.choice(("table", "table", "advisory"))
    spread = chance.choice((0.0, 0.1, 0.5))
    # With some, what lies between two statements lasts long enough to be struck.
    scene.proxy.latency = chance.choice((0.0, 0.0, 0.01, 0.05))
    can_escape = "kill_both" not in choice.faults
    for number in range(chance.choice((4, 4, 4, 5, 5, 6, 8))):
        options = [*common, "--lock", lock]
        through = chance.random() < 0.6
        own = plan(
            chance,
            scene,
            # Behind a pooler nobody can stop what a dead command had sent and the network kept:
            # no session has its tag before the pooler reads it. A limit that is documented.
            proxied if chance.random() < 0.5 and not choice.pooled else direct,
            tame=chance.random() < 0.5,
            can_escape=can_escape,
        )
        wrapped = chance.random() < 0.3
        scene.replicas.append(
            start_replica(
                number,
                own,
                url=proxied if through else direct,
                options=options,
                wrapped=wrapped,
                folder=scene.folder,
                env=environment(mark),
            )
        )
        scene.note(
            f"r{number} starts, pid {scene.replicas[-1].pid}"
            f"{', proxied' if through else ''}{', wrapped' if wrapped else ''}: {own.as_json()}"
        )
        time.sleep(chance.uniform(0, spread))


def environment(mark: str) -> dict[str, str]:
    """What agtool shall see of ours, and the mark by which what is left of a round is found."""
    name, _, value = mark.partition("=")
    return {"PATH": os.environ.get("PATH", os.defpath), name: value}


def strike_all(scene: Scene, chance: random.Random, choice: Choice) -> list[str]:
    """Let the faults happen, each at a moment of its own; return those that struck something."""
    struck = []
    for name in choice.faults:
        moment = chance.choice(("lock", "lock", "work", "time"))
        give_up = time.monotonic() + 5
        began = len(list((scene.folder / "beats").iterdir()))
        while time.monotonic() < give_up and any(r.alive() for r in scene.replicas):
            if moment == "time":
                break
            if moment == "lock" and scene.holders():
                break
            if moment == "work" and len(list((scene.folder / "beats").iterdir())) > began:
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


def end_last(scene: Scene, chance: random.Random, mark: str) -> list[str]:
    """One more replica, with no fault, must get the lock and work."""
    url = scene.server.url(scene.database)
    last = start_replica(
        len(scene.replicas),
        plan(chance, scene, url, tame=True, can_escape=False),
        url=url,
        options=[],
        wrapped=False,
        folder=scene.folder,
        env=environment(mark),
    )
    scene.note(f"r{last.number} starts, the last one")
    try:
        code = last.process.wait(LAST_ENDS)
    except subprocess.TimeoutExpired:
        return [f"the last replica has not ended after {LAST_ENDS:.0f} s"]
    finally:
        os.close(last.pidfd)
    return [] if code == 0 else [f"the last replica, r{last.number}, ended with {code}"]


def read_marks(scene: Scene) -> list[Commit]:
    """The done markers that are there."""
    return [
        Commit(str(run_id), "mark", int(str(at)))
        for run_id, at in scene.query(
            "SELECT run_id, (extract(epoch FROM pg_xact_commit_timestamp(xmin)) * 1e9)::bigint "
            "FROM agtool.install_locks_runs WHERE state = 'done' AND done_key IS NOT NULL"
        )
    ]


def judge(scene: Scene, marks: Sequence[Commit], in_order: Sequence[Run], mark: str) -> list[str]:
    """What was wrong with a round, in words. in_order: the runs without the last replica's."""
    problems = []
    deadline = time.monotonic() + 20
    while left := marked(mark):
        if time.monotonic() > deadline:
            problems.append(f"processes are left: {left}")
            break
        time.sleep(0.02)
    everything = runs(read_work(scene.folder / "beats"))
    problems += overlaps(everything)
    problems += false_marks(in_order, marks, scene.signals)
    commits = [
        Commit(str(run_id), str(note), int(str(at)))
        for run_id, note, at in scene.query(
            "SELECT run, note, (extract(epoch FROM pg_xact_commit_timestamp(xmin)) * 1e9)::bigint "
            "FROM work"
        )
    ]
    if any(run.complete for run in everything[-1:]) and not commits:
        problems.append("the last run was complete, but its rows are not there")
    problems += late_commits(everything, commits)
    for replica in scene.replicas:
        if replica.alive():
            continue
        code = replica.exit_code()
        allowed = {0, *scene.codes, *replica.codes, *([FAILED] if replica.plan.fails else [])}
        log = (scene.folder / f"r{replica.number}.stderr").read_text(errors="replace")
        if code == 1 and "agtool:" not in log and log.rstrip().endswith("KeyboardInterrupt"):
            continue  # SIGINT met Python itself, before agtool was there
        if code is not None and code not in allowed:
            problems.append(f"r{replica.number} ended with {code}, and not one of {allowed}")
    return problems


def describe(choice: Choice, scene: Scene, problems: Sequence[str]) -> str:
    """A violation with all that is known about it."""
    events = list(scene.timeline)
    for work in read_work(scene.folder / "beats"):
        who = f"{work.role} {work.pid} of run {work.run_id} of r{work.replica}"
        complete = ", complete" if work.complete else ""
        events += [(work.begin, f"{who} begins"), (work.end, f"{who} ends{complete}")]
    events.sort()
    lines = [
        f"round {choice.seed} {choice.faults}{' pooled' if choice.pooled else ''}: {problem}"
        for problem in problems
    ]
    lines += [f"  {(at - events[0][0]) / 1e9:8.3f}  {text}" for at, text in events]
    for log in sorted(scene.folder.glob("*.stderr")):
        lines += [f"  {log.stem}: {line}" for line in log.read_text().splitlines()]
    lines += [f"  {row}" for row in scene.query("SELECT * FROM agtool.install_locks_runs")]
    lines.append(f"  kept: {scene.folder}")
    return "\n".join(lines)


def marked(mark: str) -> list[int]:
    """The live processes with the round's mark in their environment."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):  # it ended meanwhile
            if mark.encode() in path.read_bytes():
                found.append(int(path.parent.name))
    return found


def kill_all(mark: str) -> None:
    """Kill what is left of a round."""
    while left := marked(mark):
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)


def run(
    rounds: Sequence[int],
    *,
    seed: int,
    lanes: int = 4,
    only: Sequence[str] = (),
    seconds: float | None = None,
    tell: Callable[[str], None] = print,
) -> Report:
    """Perform the rounds of these numbers, several at a time; those that strike the server last.

    only: choose from these faults. seconds: begin no round after so many. tell: progress.
    """
    reports = [Report() for _ in range(lanes)]
    give_up = time.monotonic() + (seconds or float("inf"))
    choices = [choose(seed, number, only) for number in rounds]
    with (
        server_folder() as folder,
        PostgreSQL(folder, max_connections=300, settings=SETTINGS) as server,
    ):
        free = list(range(lanes))
        for lane in free:
            server.create_database(f"lane_{lane}", owner="app")

        def one(choice: Choice) -> None:
            if time.monotonic() > give_up:
                return
            lane = free.pop()
            try:
                perform(server, f"lane_{lane}", choice, reports[lane])
                for violation in reports[lane].violations[-1:]:
                    if violation.startswith(f"round {choice.seed} "):
                        tell(violation)
            finally:
                free.append(lane)
            total = sum(report.rounds for report in reports)
            if total % 50 == 0:
                tell(f"{total} rounds, {sum(len(r.violations) for r in reports)} violations")

        with ThreadPoolExecutor(lanes) as pool:
            try:
                list(pool.map(one, [c for c in choices if not c.alone]))
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        for choice in choices:
            if choice.alone:
                one(choice)
    return total_of(reports)


def total_of(reports: Sequence[Report]) -> Report:
    """The sum of what the lanes report."""
    total = Report()
    for report in reports:
        total.rounds += report.rounds
        total.replicas += report.replicas
        total.runs += report.runs
        total.struck += report.struck
        total.exit_codes += report.exit_codes
        total.violations += report.violations
    return total


def main() -> int:
    """Perform rounds from the command line; the exit code is 1 if there was a violation."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--first", type=int, default=0, help="the first round's number")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000))
    parser.add_argument("--lanes", type=int, default=4, help="rounds at a time")
    parser.add_argument("--seconds", type=float, help="begin no round after so many")
    parser.add_argument("--only", nargs="*", choices=FAULTS, default=[], help="faults to use")
    options = parser.parse_args()

    def tell(text: str) -> None:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()

    # An end in order: the servers and replicas of the rounds must not be left.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    # A shell ignores it for what it starts with &, and agtool would leave it ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    tell(f"seed {options.seed}")
    report = run(
        range(options.first, options.first + options.rounds),
        seed=options.seed,
        lanes=options.lanes,
        only=options.only,
        seconds=options.seconds,
        tell=tell,
    )
    tell(str(report))
    return 1 if report.violations else 0


if __name__ == "__main__":
    sys.exit(main())
