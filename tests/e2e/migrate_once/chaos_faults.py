"""The faults that a round of chaos chooses from; each says what it makes possible."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from random import Random

from tests.e2e.migrate_once.chaos_replica import Replica, Scene

LOST = 125
BROKEN_SQL = 7
KILLED = 128 + signal.SIGKILL


@dataclass(frozen=True)
class Fault:
    """strike: do it, at once or for a while; returns whether there was something to strike.

    weight: how often it is chosen. alone: it strikes the server that other rounds use too.
    pooled: it needs a pooler. slow: it may take a successor time_to_die seconds to begin.
    """

    strike: Callable[[Scene, Random], bool]
    weight: float
    alone: bool = False
    pooled: bool = False
    slow: bool = False


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
        scene.signals.append((str(replica.number), at))
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
    pid, replica = holders[0]

    def lose() -> None:
        scene.codes.update((LOST, BROKEN_SQL))
        scene.query("SELECT pg_terminate_backend(%s)", pid)

    return _stop(scene, replica, random.uniform(0.2, 4), lose)


def terminate_lock(scene: Scene, _random: Random) -> bool:
    """pg_terminate_backend of the lock's session."""
    holders = scene.holders()
    for pid, replica in holders:
        scene.note(f"terminate_lock r{replica.number}")
        replica.codes.update((LOST, BROKEN_SQL))
        scene.query("SELECT pg_terminate_backend(%s)", pid)
    return bool(holders)


def terminate_command(scene: Scene, _random: Random) -> bool:
    """pg_terminate_backend of the command's session."""
    scene.note("terminate_command")
    scene.codes.add(BROKEN_SQL)
    rows = scene.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE application_name LIKE 'agtool:%%' AND datname = %s",
        scene.database,
    )
    return bool(rows)


def _connections_lost(scene: Scene, what: str) -> None:
    scene.note(what)
    scene.codes.update((LOST, BROKEN_SQL))


def cut(scene: Scene, _random: Random) -> bool:
    """Every connection through the proxy is reset."""
    _connections_lost(scene, "cut")
    hit = scene.proxy.connections() > 0
    scene.proxy.cut()
    return hit


def _freeze(scene: Scene, seconds: float) -> bool:
    _connections_lost(scene, f"freeze for {seconds:.1f} s")
    hit = scene.proxy.connections() > 0
    scene.proxy.freeze()
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


def freeze_and_lose(scene: Scene, random: Random) -> bool:
    """The lock is lost while its holder cannot know, whatever it was asking the server for."""
    holders = scene.holders()
    scene.proxy.freeze()
    _connections_lost(scene, "freeze and lose")
    for pid, _ in holders:
        scene.query("SELECT pg_terminate_backend(%s)", pid)
    time.sleep(random.uniform(0.3, 3))
    scene.proxy.thaw()
    scene.note("thaw")
    return bool(holders)


def restart_server(scene: Scene, random: Random) -> bool:
    """PostgreSQL restarts, in order or after a crash."""
    mode = random.choice(("fast", "immediate"))
    _connections_lost(scene, f"restart {mode}")
    if mode == "fast":
        scene.server.restart("fast")
    else:
        scene.server.restart("immediate")
    scene.note("server is back")
    return True


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


FAULTS: dict[str, Fault] = {
    "kill_agtool": Fault(kill_agtool, 3),
    "kill_keeper": Fault(kill_keeper, 2),
    "kill_parent": Fault(kill_parent, 1),
    "kill_command": Fault(kill_command, 2),
    "kill_both": Fault(kill_both, 0.3, slow=True),
    "signal_agtool": Fault(signal_agtool, 2),
    "stop_agtool": Fault(stop_agtool, 1),
    "stop_long": Fault(stop_long, 0.2, slow=True),
    "stop_and_lose": Fault(stop_and_lose, 1, slow=True),
    "terminate_lock": Fault(terminate_lock, 3),
    "terminate_command": Fault(terminate_command, 1),
    "cut": Fault(cut, 2),
    "freeze": Fault(freeze, 1),
    "freeze_long": Fault(freeze_long, 0.2, slow=True),
    "freeze_and_lose": Fault(freeze_and_lose, 1, slow=True),
    "restart_server": Fault(restart_server, 0.6, alone=True),
    "restart_pooler": Fault(restart_pooler, 3, pooled=True),
}
