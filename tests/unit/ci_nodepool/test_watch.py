"""How `watch` goes on after what seldom happens, and what its probes are told."""

import errno
import http.client
import json
import os
import re
import signal
import socket
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import yaml  # type: ignore[import-untyped]  # its stubs would be one more package for this line

from agtool.ci_nodepool.model import Node, Taint
from agtool.ci_nodepool.pool.plan import Change, Wanted, plan_node
from agtool.ci_nodepool.watch import keep as loop
from agtool.ci_nodepool.watch.health import serve
from agtool.ci_nodepool.watch.keep import State, Stopped, keep, stoppable
from agtool.ci_nodepool.watch.metrics import Metrics
from agtool.ci_nodepool.watch.reconcile import Reconciler
from agtool.core.errors import UnreachableError
from agtool.core.kube.errors import GoneError
from agtool.core.kube.session import Session

AWAY = UnreachableError("nobody there")


class Told:
    """A session that answers to lists and watches as it is told, then tells `keep` to end.

    Attributes:
        answers: names of nodes for a list, () for a watch that ends; or what is raised.
        asked: what for, in this order.
    """

    def __init__(self, *answers: tuple[str, ...] | Exception) -> None:
        self._answers = iter(answers)
        self.asked: list[str] = []

    def lists(self, *_: object, **__: object) -> list[dict[str, Any]]:
        self.asked.append("list")
        items = [{"metadata": {"name": name}} for name in self._next()]
        return [{"metadata": {"resourceVersion": "1"}, "items": items}]

    def watch(self, *_: object, **__: object) -> Iterator[dict[str, Any]]:
        self.asked.append("watch")
        self._next()
        return iter(())

    def _next(self) -> tuple[str, ...]:
        answer = next(self._answers, Stopped())
        if isinstance(answer, BaseException):
            raise answer
        return answer


def kept(session: Told, state: State) -> list[str]:
    """Return the log of `keep` on that session, which changes nothing."""
    log: list[str] = []
    with pytest.raises(Stopped):
        keep(cast("Session", session), "", Change, state, log.append)
    return log


class Garbage:
    """Something that SIGTERM meets while Python collects it."""

    def __del__(self) -> None:
        os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_sigterm_ends_it_where_python_swallows_the_exception() -> None:
    here, there = socket.socketpair()
    with here, there:
        here.settimeout(60)  # would end it without Stopped
        with pytest.raises(Stopped), stoppable():  # noqa: PT012  # all of it stands in its way
            garbage = Garbage()
            del garbage  # "Exception ignored in", and no more
            here.recv(1)  # as of a watch in which nothing changes
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_an_api_server_that_is_away_for_long_is_no_reason_to_be_restarted() -> None:
    state = State(last_turn=-1e9)
    assert state.not_alive()
    assert kept(Told(AWAY, AWAY), state) == ["nobody there: trying again"]
    assert not state.not_alive()
    assert state.not_ready() == "nobody there"


def test_nodes_that_went_unseen_are_forgotten() -> None:
    session = Told(("a", "b"), (), AWAY, GoneError("too old"), ("a",), ())
    assert kept(session, State()) == [
        "watching 2 nodes",
        "nobody there: trying again",
        "watching 1 node",
    ]
    assert session.asked == ["list", *["watch"] * 3, "list", *["watch"] * 2]


def test_all_is_listed_again_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "RESYNC", 0)
    session = Told(("a",), (), ("a",), ())
    kept(session, State())
    assert session.asked == ["list", "watch"] * 2 + ["list"]


def test_what_was_done_is_counted_for_prometheus() -> None:
    metrics = Metrics()
    metrics.saw(3)
    metrics.refused("a", now=True)
    metrics.refused("b", now=True)
    metrics.refused("b", now=False)
    metrics.failed()
    metrics.repaired("2020-01-01T00:00:00Z")  # it was there before
    metrics.repaired("2999-01-01T00:00:00Z")  # by a clock that is ahead of ours
    metrics.repaired("")
    lines = metrics.text().splitlines()
    prefix = "agtool_ci_nodepool_watch"
    for line in (
        f"{prefix}_nodes 3",
        f"{prefix}_refused_nodes 1",
        f"{prefix}_repairs_total 3",
        f"{prefix}_errors_total 1",
        f'{prefix}_seconds_to_taint_bucket{{le="1"}} 1',
        f'{prefix}_seconds_to_taint_bucket{{le="+Inf"}} 1',
        f"{prefix}_seconds_to_taint_sum 0",
        f"{prefix}_seconds_to_taint_count 1",
    ):
        assert line in lines
    names = {line.split()[2] for line in lines if line.startswith("# TYPE")}
    assert {line.split()[2] for line in lines if line.startswith("# HELP")} == names


def test_little_is_kept_of_a_node() -> None:
    """Thousands of nodes that wait for their taint must fit into a small pod, labels aside."""
    metadata = {
        "uid": "0" * 36,
        "resourceVersion": "12345678",
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "labels": {f"example.io/label-{each}": f"value-{each}" * 3 for each in range(30)},
    }
    wanted = Wanted(taints=(Taint("dedicated", "ci", "NoSchedule"),))
    made = [json.dumps({"metadata": {**metadata, "name": f"node-{each}"}}) for each in range(300)]
    log: list[str] = []
    silent = Reconciler(
        cast("Session", None), lambda node: plan_node(node, wanted), log.append, Metrics()
    )  # its threads, which would change the nodes, are not started
    first = Node.from_api(json.loads(made[0]))  # the text of labels, which all nodes share
    tracemalloc.start()
    try:
        for each in made:
            silent.see(Node.from_api(json.loads(each)))
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(silent.known()) == 300
    assert first.labels
    assert kept / 300 < 1000, "bytes for a node; with its labels it is twice that"


MONITORING = Path(__file__).parents[3] / "deploy/ci-nodepool-watch/monitoring"


@pytest.mark.parametrize("name", ["dashboard.json", "alerts.yaml"])
def test_the_dashboard_and_the_alerts_ask_for_what_there_is(name: str) -> None:
    text = (MONITORING / name).read_text(encoding="utf-8")
    assert yaml.safe_load(text)
    asked = set(re.findall(r"agtool_ci_nodepool_watch_\w+", text))
    there = set(re.findall(r"^(agtool_ci_nodepool_watch_\w+)", Metrics().text(), re.MULTILINE))
    assert asked
    assert asked <= there


class WithoutIPv6(socket.socket):
    """A socket where the kernel was started with ipv6.disable=1."""

    def __init__(self, family: int = -1, *more: Any, **named: Any) -> None:
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
        super().__init__(family, *more, **named)


class BoundToOneKind(socket.socket):
    """A socket where the sysctl net.ipv6.bindv6only is 1."""

    def __init__(self, family: int = -1, *more: Any, **named: Any) -> None:
        super().__init__(family, *more, **named)
        if family == socket.AF_INET6:
            self.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)


@pytest.mark.parametrize("kind", [socket.socket, WithoutIPv6, BoundToOneKind])
def test_probes_over_ipv4_are_answered_whatever_becomes_of_ipv6(
    monkeypatch: pytest.MonkeyPatch, kind: type[socket.socket]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with monkeypatch.context() as patched:
        patched.setattr(socket, "socket", kind)
        serving = serve(f":{port}", {"/readyz": lambda: ""})
        serving.__enter__()
    try:
        asking = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        asking.request("GET", "/readyz")
        with asking.getresponse() as answer:
            assert (answer.status, answer.read()) == (200, b"ok\n")
        asking.close()
    finally:
        serving.__exit__(None, None, None)
