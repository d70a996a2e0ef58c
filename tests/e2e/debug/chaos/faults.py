"""The faults that befall a session; each says where it can, and what it makes possible."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Literal

from tests.cluster.api import Object, Refused
from tests.e2e.debug.chaos.watcher import first_of, kill, processes_of
from tests.e2e.debug.chaos.world import insist

if TYPE_CHECKING:
    from tests.e2e.debug.chaos.session import Session

Way = Literal["new", "beside", "keep", "attach"]
"""A new pod, a container beside another, a pod that is kept, or one that was kept before."""

Streams = Literal["none", "pipe", "terminal", "shell"]
"""Nothing to read, a pipe, a command on a terminal, a shell on one."""

WAYS: tuple[Way, ...] = ("new", "new", "new", "beside", "keep", "attach")
STREAMS: tuple[Streams, ...] = ("none", "pipe", "terminal", "shell")


@dataclass(frozen=True)
class Fault:
    """strike: do it, now or for a while; returns whether there was something to strike.

    weight: how often it is chosen. proxied: agtool goes through a proxy of its own. ways, streams:
    where it can be. lives: seconds for which the token is taken, from and to.
    """

    name: str
    strike: Callable[[Session, Random], bool]
    weight: float
    proxied: bool = False
    ways: tuple[Way, ...] = WAYS
    streams: tuple[Streams, ...] = STREAMS
    lives: tuple[float, float] | None = None


def nothing(_: Session, __: Random) -> bool:
    """Let it be."""
    return True


def sent(*numbers: signal.Signals) -> Callable[[Session, Random], bool]:
    """Signals to agtool, one a moment after the other."""

    def send(session: Session, random: Random) -> bool:
        struck = session.agtool.send(numbers[0])
        for number in numbers[1:]:
            time.sleep(random.uniform(0, 0.3))
            session.agtool.send(number)
        return struck

    return send


def close(session: Session, _: Random) -> bool:
    """Close the terminal, or the pipe that the output goes to."""
    return session.agtool.hang_up()


def suspend(session: Session, random: Random) -> bool:
    """SIGSTOP, as the lid of a notebook that is closed, for longer than some wait."""
    if not session.agtool.send(signal.SIGSTOP):
        return False
    try:
        time.sleep(random.choice((1, 5, 25)))
    finally:
        session.agtool.send(signal.SIGCONT)
    return True


def cut(session: Session, _: Random) -> bool:
    """Reset all connections; new ones are taken."""
    assert session.proxy
    there = session.agtool.code is None
    session.proxy.cut()
    return there


def cut_one(session: Session, _: Random) -> bool:
    """Reset the newest connection: that of the lifeline, or of the command."""
    assert session.proxy
    there = session.agtool.code is None
    session.proxy.cut(newest=1)
    return there


def outage(session: Session, random: Random) -> bool:
    """Reset all connections, and refuse new ones for a while."""
    assert session.proxy
    there = session.agtool.code is None
    session.proxy.refuse()
    session.proxy.cut()
    _while_it_runs(session, random.choice((1, 6, 40)))
    session.proxy.accept()
    return there


def freeze(session: Session, random: Random) -> bool:
    """Let nothing pass, in one direction or both, and nobody gets an error."""
    assert session.proxy
    there = session.agtool.code is None
    session.proxy.freeze(*random.choice(((), (0,), (1,))))
    _while_it_runs(session, random.choice((1, 5, 5, 20, 80)))
    session.proxy.thaw()
    return there


def token_revoked(session: Session, _: Random) -> bool:
    """No token is taken any more."""
    session.world.revoke(session.choice.jobs, session.login.secret)
    return session.agtool.code is None


def token_rotated(session: Session, _: Random) -> bool:
    """Another token stands in the file, and the old one is taken no more."""
    name = f"{session.login.secret}-2"
    session.login.token.write_text(session.world.new_token(session.choice.jobs, name))
    session.world.revoke(session.choice.jobs, session.login.secret)
    return session.agtool.code is None


def _was_there(request: Callable[[], object]) -> bool:
    """Make a request until the API server answers; whether what it is about is there."""
    try:
        insist(request)
    except Refused as error:
        if error.status != 404:
            raise
        return False
    return True


def _delete(session: Session, path: str, options: Object) -> bool:
    return _was_there(lambda: session.world.api.delete(path, options))


def delete_pod(session: Session, random: Random) -> bool:
    """Somebody deletes the pod."""
    options = random.choice(({}, {"gracePeriodSeconds": 0}))
    return bool(session.pod) and _delete(session, session.pod_path, options)


def delete_owner(session: Session, _: Random) -> bool:
    """Somebody deletes the Job, and all that it owns goes with it."""
    namespace = session.world.namespaces[session.choice.jobs]
    path = f"/apis/batch/v1/namespaces/{namespace}/jobs/{session.pod}"
    return bool(session.pod) and _delete(session, path, {"propagationPolicy": "Background"})


def _evict(session: Session, namespace: str, pod: str) -> bool:
    path = f"/api/v1/namespaces/{namespace}/pods/{pod}/eviction"
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod}}
    return _was_there(lambda: session.world.api.post(path, body))


def evict(session: Session, _: Random) -> bool:
    """The pod is evicted, as a drain does it."""
    namespace = session.world.namespaces[session.choice.jobs]
    return bool(session.pod) and _evict(session, namespace, session.pod)


def drain(session: Session, random: Random) -> bool:
    """The node takes no pods, and those of all sessions are evicted."""
    world = session.world
    node = f"/api/v1/nodes/{world.cluster.node}"
    with world.befalls_all("drain"):
        insist(lambda: world.api.patch(node, {"spec": {"unschedulable": True}}))
        try:
            for namespace in world.namespaces.values():
                pods = f"/api/v1/namespaces/{namespace}/pods"
                for pod in insist(lambda pods=pods: world.api.get(pods))["items"]:  # type: ignore[misc]
                    _evict(session, namespace, pod["metadata"]["name"])
            time.sleep(random.uniform(0, 4))
        finally:
            insist(lambda: world.api.patch(node, {"spec": {"unschedulable": None}}))
    return True


def restart(session: Session, random: Random) -> bool:
    """kube-apiserver is killed, and started again."""
    with session.world.befalls_all("restart"):
        session.world.cluster.stop_apiserver()
        time.sleep(random.choice((0, 0, 5)))
        session.world.cluster.start_apiserver()
    return True


def kill_main(session: Session, _: Random) -> bool:
    """SIGKILL to the first process of the pod, and so to all in it."""
    return bool(session.pod) and kill(first_of(session.pod), signal.SIGKILL)


def kill_command(session: Session, random: Random) -> bool:
    """SIGKILL to one of the session's processes."""
    found = [
        each.pid
        for each in processes_of(session.name)
        if not each.first and "agtool-lifeline" not in each.command
    ]
    return bool(found) and kill(random.choice(found), signal.SIGKILL)


def _while_it_runs(session: Session, seconds: float) -> None:
    """Return after so many seconds, or when agtool has ended."""
    give_up = time.monotonic() + seconds
    while session.agtool.code is None and time.monotonic() < give_up:
        time.sleep(0.05)


FAULTS = {
    fault.name: fault
    for fault in (
        Fault("nothing", nothing, 6),
        Fault("kill", sent(signal.SIGKILL), 14),
        Fault("term", sent(signal.SIGTERM), 5),
        Fault("int", sent(signal.SIGINT), 4),
        Fault("int_twice", sent(signal.SIGINT, signal.SIGINT), 4),
        Fault("hup", sent(signal.SIGHUP), 4),
        Fault("close_terminal", close, 6, streams=("terminal", "shell")),
        Fault("close_output", close, 3, streams=("none", "pipe")),
        Fault("suspend", suspend, 3),
        Fault("cut", cut, 6, proxied=True),
        Fault("cut_one", cut_one, 4, proxied=True),
        Fault("outage", outage, 4, proxied=True),
        Fault("freeze", freeze, 4, proxied=True),
        Fault("restart", restart, 1.5),
        Fault("token_expires", nothing, 4, lives=(0, 15)),
        Fault("token_revoked", token_revoked, 4),
        Fault("token_rotated", token_rotated, 3),
        Fault("evict", evict, 6),
        Fault("delete_pod", delete_pod, 5),
        Fault("delete_owner", delete_owner, 3, ways=("new", "keep", "attach")),
        Fault("drain", drain, 2.5),
        Fault("kill_main", kill_main, 6),
        Fault("kill_command", kill_command, 5),
        Fault("oom", nothing, 4, ways=("new", "keep")),
    )
}
