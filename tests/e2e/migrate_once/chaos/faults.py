"""The faults that a round of chaos chooses from; each says what it makes possible."""

from __future__ import annotations

import os
import resource
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.e2e.migrate_once.chaos.replica import Replica, Scene
from tests.e2e.migrate_once.chaos.verdict import SECOND

LOST = 125
BROKEN_SQL = 7
KILLED = 128 + signal.SIGKILL


@dataclass(frozen=True)
class Fault:
    """strike: do it, at once or for a while; returns whether there was something to strike.

    weight: how often it is chosen. alone: it strikes the server that other rounds use too.
    pooled: it needs a pooler. served: it needs a server. kills_both: agtool and its keeper may both
    die of it, and then nobody is left to kill a grandchild that closes all its descriptors.
    modelled: the model of the lock has it, as one fault; or it is none to the lock.
    """

    strike: Callable[[Scene, Random], bool]
    weight: float
    alone: bool = False
    pooled: bool = False
    served: bool = False
    kills_both: bool = False
    modelled: bool = False


def victim(scene: Scene, random: Random) -> Replica | None:
    """The holder, mostly; else any replica that is alive."""
    if random.random() < 0.8:
        holders = scene.holders()
        if holders:
            return holders[0][1]
    alive = [replica for replica in scene.replicas if replica.alive()]
    return random.choice(alive) if alive else None


def kill(pid: int | None) -> bool:
    """SIGKILL; whether there was such a process."""
    if pid is None:
        return False
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def kill_agtool(scene: Scene, random: Random) -> bool:
    """SIGKILL of agtool: its keeper ends the command."""
    replica = victim(scene, random)
    if replica is None or replica.struck:
        return False
    replica.struck = True
    replica.codes.add(KILLED)
    scene.note(f"kill_agtool r{replica.number}")
    return replica.send(signal.SIGKILL)


def kill_keeper(scene: Scene, random: Random) -> bool:
    """SIGKILL of the keeper: the kernel and agtool end the command."""
    replica = victim(scene, random)
    if replica is None or replica.struck:
        return False
    keeper = replica.keeper()
    if keeper is None:
        return False
    replica.struck = True
    replica.codes.add(LOST)
    scene.note(f"kill_keeper r{replica.number}")
    return kill(keeper)


def kill_both(scene: Scene, random: Random) -> bool:
    """SIGKILL of agtool and its keeper: the kernel kills the command, the successor waits."""
    replica = victim(scene, random)
    if replica is None or replica.struck:
        return False
    keeper = replica.keeper()
    replica.struck = True
    replica.codes.add(KILLED)
    scene.note(f"kill_both r{replica.number}")
    first, second = (replica.pid, keeper) if random.random() < 0.5 else (keeper, replica.pid)
    kill(first)
    return kill(second)


def kill_parent(scene: Scene, random: Random) -> bool:
    """SIGKILL of agtool's parent: agtool goes on."""
    replica = victim(scene, random)
    if replica is None or replica.parent is None or replica.code_unknown:
        return False
    replica.code_unknown = True
    scene.note(f"kill_parent r{replica.number}")
    return kill(replica.parent)


def kill_command(scene: Scene, random: Random) -> bool:
    """SIGKILL of the command."""
    replica = victim(scene, random)
    if replica is None:
        return False
    replica.codes.add(KILLED)
    scene.note(f"kill_command r{replica.number}")
    return kill(replica.command())


def signal_agtool(scene: Scene, random: Random) -> bool:
    """SIGTERM or SIGINT to agtool: a waiter ends, a holder forwards it."""
    replica = victim(scene, random)
    if replica is None:
        return False
    number = random.choice((signal.SIGTERM, signal.SIGINT))
    replica.codes.add(128 + number)
    scene.note(f"{number.name} r{replica.number}")
    at = time.monotonic_ns()
    sent = replica.send(number)
    if sent:
        scene.signals.append((f"r{replica.number}", at))
    return sent


def _stop(scene: Scene, replica: Replica, seconds: float, meanwhile: Callable[[], object]) -> bool:
    if replica.struck:
        return False
    # Its keeper must not be killed meanwhile: that is as if both were.
    replica.struck = True
    replica.codes.update((LOST, BROKEN_SQL, 128 + signal.SIGTERM, KILLED))
    scene.note(f"SIGSTOP r{replica.number} for {seconds:.1f} s")
    if not replica.send(signal.SIGSTOP):
        return False
    try:
        meanwhile()
        time.sleep(seconds)
    finally:
        replica.send(signal.SIGCONT)
        scene.note(f"SIGCONT r{replica.number}")
    return True


def stop_agtool(scene: Scene, random: Random) -> bool:
    """SIGSTOP of agtool for a while: its keeper ends the command if it lasts."""
    replica = victim(scene, random)
    return replica is not None and _stop(scene, replica, random.uniform(0.2, 4), lambda: None)


def stop_long(scene: Scene, random: Random) -> bool:
    """SIGSTOP of agtool for longer than the keeper's patience."""
    replica = victim(scene, random)
    return replica is not None and _stop(scene, replica, random.uniform(6, 14), lambda: None)


def stop_and_lose(scene: Scene, random: Random) -> bool:
    """The lock is lost while its holder is stopped, whatever it was doing."""
    holders = scene.holders()
    if not holders:
        return False
    session, replica = holders[0]

    def lose() -> None:
        scene.codes.update((LOST, BROKEN_SQL))
        scene.lane.end_session(session)

    return _stop(scene, replica, random.uniform(0.2, 4), lose)


def end_lock(scene: Scene, _random: Random) -> bool:
    """The lock's session is ended on the server (pg_terminate_backend, KILL)."""
    holders = scene.holders()
    for session, replica in holders:
        scene.note(f"end_lock r{replica.number}")
        replica.codes.update((LOST, BROKEN_SQL))
        scene.lane.end_session(session)
    return bool(holders)


def end_command(scene: Scene, _random: Random) -> bool:
    """The command's session is ended on the server."""
    scene.note("end_command")
    scene.codes.add(BROKEN_SQL)
    return scene.lane.end_commands()


# -- the network --------------------------------------------------------------------------


def _connections_lost(scene: Scene, what: str) -> None:
    scene.note(what)
    scene.codes.update((LOST, BROKEN_SQL))


def cut(scene: Scene, _random: Random) -> bool:
    """Every connection through the proxy is reset."""
    if scene.proxy is None:
        return False
    _connections_lost(scene, "cut")
    hit = scene.proxy.connections() > 0
    scene.proxy.cut()
    return hit


def _freeze(scene: Scene, seconds: float, *directions: int) -> bool:
    if scene.proxy is None:
        return False
    _connections_lost(scene, f"freeze {directions or 'both'} for {seconds:.1f} s")
    hit = scene.proxy.connections() > 0
    scene.proxy.freeze(*directions)
    time.sleep(seconds)
    scene.proxy.thaw()
    scene.note("thaw")
    return hit


def freeze(scene: Scene, random: Random) -> bool:
    """Nothing passes the proxy for a while, and nobody gets an error."""
    return _freeze(scene, random.uniform(0.3, 3))


def freeze_long(scene: Scene, random: Random) -> bool:
    """The same, for longer than a holder waits."""
    return _freeze(scene, random.uniform(6, 16))


def freeze_one_way(scene: Scene, random: Random) -> bool:
    """What is sent arrives, and no answer; or nothing arrives, and what was answered does."""
    seconds = random.choice((random.uniform(0.3, 3), random.uniform(6, 10)))
    return _freeze(scene, seconds, random.choice((0, 1)))


def freeze_and_lose(scene: Scene, random: Random) -> bool:
    """The lock is lost while its holder cannot know, whatever it was asking the server for."""
    if scene.proxy is None:
        return False
    holders = scene.holders()
    scene.proxy.freeze()
    _connections_lost(scene, "freeze and lose")
    for session, _ in holders:
        scene.lane.end_session(session)
    time.sleep(random.uniform(0.3, 3))
    scene.proxy.thaw()
    scene.note("thaw")
    return bool(holders)


def half_open(scene: Scene, random: Random) -> bool:
    """One side of each connection is reset, and the other hears nothing of it for a while."""
    if scene.proxy is None:
        return False
    gone = random.choice((0, 1))
    seconds = random.choice((random.uniform(0.3, 3), random.uniform(6, 12)))
    side = ("clients", "server")[gone]
    _connections_lost(scene, f"half open for {seconds:.1f} s: gone is the side of the {side}")
    hit = scene.proxy.connections() > 0
    scene.proxy.halve(gone)
    time.sleep(seconds)
    scene.proxy.forget()
    scene.note("the other side is gone")
    return hit


def slow_network(scene: Scene, random: Random) -> bool:
    """Everything takes its time, each way."""
    if scene.proxy is None:
        return False
    seconds, latency = random.uniform(1, 5), random.uniform(0.2, 1.5)
    _connections_lost(scene, f"slow for {seconds:.1f} s: {latency:.1f} s each way")
    hit = scene.proxy.connections() > 0
    before, scene.proxy.latency = scene.proxy.latency, latency
    time.sleep(seconds)
    scene.proxy.latency = before
    scene.note("no longer slow")
    return hit


def no_names(scene: Scene, random: Random) -> bool:
    """The server's name cannot be looked up for a while."""
    named = [replica for replica in scene.replicas if replica.named and replica.alive()]
    for replica in named:
        replica.codes.add(LOST)
    scene.note("names are not found")
    scene.set_names(known=False)
    time.sleep(random.uniform(0.3, 4))
    scene.note("names are found")
    scene.set_names(known=True)
    return bool(named)


# -- what is around it --------------------------------------------------------------------


def restart_server(scene: Scene, random: Random) -> bool:
    """The server restarts, in order or after a crash."""
    crash = random.random() < 0.5
    _connections_lost(scene, f"restart{' after a crash' if crash else ''}")
    done = scene.lane.restart(crash=crash)
    scene.note("server is back")
    return done


def restart_pooler(scene: Scene, random: Random) -> bool:
    """PgBouncer is killed and started again."""
    if scene.bouncer is None:
        return False
    _connections_lost(scene, "restart pooler")
    if random.random() < 0.5 and scene.bouncer.pid is not None:
        with suppress(ProcessLookupError):
            os.kill(scene.bouncer.pid, signal.SIGKILL)
    scene.bouncer.restart()
    scene.note("pooler is back")
    return True


def new_password(scene: Scene, random: Random) -> bool:
    """The account's password changes under all that use it, and is changed back."""
    _connections_lost(scene, "new password")
    try:
        changed = scene.lane.set_password("another one")
        time.sleep(random.uniform(0.3, 3))
    finally:
        scene.lane.set_password(None)
    scene.note("old password")
    return changed


def full_disk(scene: Scene, random: Random) -> bool:
    """Not a byte is free, where the server or the file keeps its data."""
    _connections_lost(scene, "full disk")
    # The command of SQLite says so itself; and agtool cannot record the end of a run.
    try:
        filled = scene.lane.fill_disk()
        time.sleep(random.uniform(0.3, 3))
    finally:
        scene.lane.empty_disk()
    scene.note("free again")
    return filled


def no_memory(scene: Scene, random: Random) -> bool:
    """agtool, or its keeper, gets next to no memory any more."""
    replica = victim(scene, random)
    # Before that it is Python's own start, which without memory may import one module for ever.
    if replica is None or replica.struck or not replica.handles(signal.SIGTERM):
        return False
    pid = random.choice((replica.pid, replica.keeper() or replica.pid))
    replica.struck = replica.any_code = True
    scene.note(f"no memory for r{replica.number}, process {pid}")
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + random.choice((0, random.randrange(1 << 22)))
        resource.prlimit(pid, resource.RLIMIT_AS, (limit, limit))
    except OSError:  # it ended meanwhile
        return False
    return True


def step_clock(scene: Scene, random: Random) -> bool:
    """The clock of one replica's day jumps, hours back or days ahead."""
    clocked = [r for r in scene.replicas if r.clock is not None and r.alive()]
    for replica in clocked:
        step, seconds = random.choice(
            (("-3h", -3 * 3600), ("-90s", -90), ("+90s", 90), ("+5d", 5 * 86400))
        )
        replica.steps.append(seconds * SECOND)
        scene.note(f"the clock of r{replica.number} jumps by {step}")
        if replica.clock is not None:
            replica.clock.write_text(f"{step}\n")
    return bool(clocked)


FAULTS: dict[str, Fault] = {
    "kill_agtool": Fault(kill_agtool, 3, modelled=True),
    "kill_keeper": Fault(kill_keeper, 2, modelled=True),
    "kill_parent": Fault(kill_parent, 1, modelled=True),
    "kill_command": Fault(kill_command, 2, modelled=True),
    "kill_both": Fault(kill_both, 0.3, kills_both=True, modelled=True),
    "signal_agtool": Fault(signal_agtool, 2, modelled=True),
    "stop_agtool": Fault(stop_agtool, 1, modelled=True),
    "stop_long": Fault(stop_long, 0.2, modelled=True),
    "stop_and_lose": Fault(stop_and_lose, 1, served=True),
    "end_lock": Fault(end_lock, 3, served=True, modelled=True),
    "end_command": Fault(end_command, 1, served=True, modelled=True),
    "cut": Fault(cut, 2, served=True),
    "freeze": Fault(freeze, 1, served=True),
    "freeze_long": Fault(freeze_long, 0.2, served=True),
    "freeze_one_way": Fault(freeze_one_way, 0.7, served=True),
    "freeze_and_lose": Fault(freeze_and_lose, 1, served=True),
    "half_open": Fault(half_open, 0.7, served=True),
    "slow_network": Fault(slow_network, 0.7, served=True),
    "no_names": Fault(no_names, 0.7, served=True),
    "restart_server": Fault(restart_server, 0.6, alone=True, served=True),
    "restart_pooler": Fault(restart_pooler, 3, pooled=True, served=True),
    "new_password": Fault(new_password, 1, served=True, modelled=True),
    "full_disk": Fault(full_disk, 0.6, alone=True),
    "no_memory": Fault(no_memory, 1, kills_both=True),
    "step_clock": Fault(step_clock, 1, modelled=True),
}


def possible(engine: str) -> dict[str, Fault]:
    """The faults that an engine can have: a file has no server, and only a pooler can restart."""
    return {
        name: fault
        for name, fault in FAULTS.items()
        if (engine == "pgbouncer" or not fault.pooled) and (engine != "sqlite" or not fault.served)
    }
