"""Many nodes beside other writers: nothing of theirs is lost, and the end is known."""

import itertools
import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.cluster.api import Api, Refused
from tests.cluster.proxy import ApiProxy
from tests.e2e.ci_nodepool.conftest import KEY, SPOT, TAINT, MakeNodes, Nodepool
from tests.e2e.conftest import wait_until


def patches(proxy: ApiProxy, count: int) -> bool:
    """Whether so many PATCHes have come."""
    return sum(request.method == "PATCH" for request in proxy.requests) >= count


WRITES = int(os.environ.get("AGTOOL_CHAOS_WRITES") or 150)
"""Of other controllers, in the race; for thousands see `make chaos-taints`."""

OF_EACH = 10
"""Taints that each of them has on a node."""


class OtherWriters:
    """Controllers that change taints of nodes all the time, properly; use as a context.

    Attributes:
        there: what must be there, by node: the keys that each controller has not removed again.
        wrong: what was lost, or came back, at a look of its owner.
        writes, conflicts: how many the API took, and how many it refused for an old
            resourceVersion.
    """

    def __init__(self, kubeconfig: Path, names: list[str]) -> None:
        self._api = Api(kubeconfig)
        self._names = names
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._write, args=(n,)) for n in range(2)]
        self.there = [{name: list[str]() for name in names} for _ in self._threads]
        self.wrong: list[str] = []
        self._writes = [0 for _ in self._threads]
        self._conflicts = [0 for _ in self._threads]

    def __enter__(self) -> "OtherWriters":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._api.close()

    @property
    def writes(self) -> int:
        return sum(self._writes)

    @property
    def conflicts(self) -> int:
        return sum(self._conflicts)

    def _write(self, who: int) -> None:
        """Add a taint to each node in turn, and remove the oldest of one's own."""
        for number in itertools.count():
            name = self._names[number % len(self._names)]
            before = self.there[who][name]
            after = [*before, f"controller-{who}/t{number}"][-OF_EACH:]
            if self._stop.is_set():
                return
            while self.there[who][name] is not after:
                # A write whose answer was lost is written again: it is the same.
                with suppress(httpx.TransportError):
                    if self._try(who, name, before, after):
                        self.there[who][name] = after

    def _try(self, who: int, name: str, before: list[str], after: list[str]) -> bool:
        """Write once what is read; whether the API took it."""
        node = self._api.get(f"/api/v1/nodes/{name}")
        taints = node["spec"].get("taints", [])
        mine = {t["key"] for t in taints if t["key"].startswith(f"controller-{who}/")}
        if mine not in (set(before), set(after)):
            self.wrong.append(f"{name} has {sorted(mine)}, and should have {before}")
        taints = [t for t in taints if t["key"] not in mine]
        taints += [{"key": key, "effect": "PreferNoSchedule"} for key in after]
        metadata = {"resourceVersion": node["metadata"]["resourceVersion"]}
        try:
            self._api.patch(
                f"/api/v1/nodes/{name}", {"metadata": metadata, "spec": {"taints": taints}}
            )
        except Refused as error:
            if error.status != 409:
                raise
            self._conflicts[who] += 1
            return False
        self._writes[who] += 1
        return True


@pytest.mark.timeout(1800)
def test_no_taint_of_another_controller_is_lost(
    nodepool: Nodepool, fake_nodes: MakeNodes, api_proxy: Callable[..., ApiProxy]
) -> None:
    """And none that another one has removed comes back."""
    names = fake_nodes(8, SPOT)
    proxy = api_proxy(nodepool.kubeconfig)
    # Between a read and its write the others have some time.
    proxy.latency = 0.01
    commands = 0
    with OtherWriters(nodepool.kubeconfig, names) as others:
        while commands % 2 == 0 or commands < 11 or others.writes < WRITES:
            done = nodepool(
                ("taint", "untaint")[commands % 2], "--yes", kubeconfig=proxy.kubeconfig
            )
            assert done.exit_code == 0, done.stderr
            commands += 1
    assert not others.wrong
    for name in names:
        expected = {KEY, *(key for there in others.there for key in there[name])}
        keys = [taint["key"] for taint in nodepool.taints(name)]
        assert sorted(keys) == sorted(expected)
    # It was a race: agtool had to read nodes again, many times.
    again = [r for r in proxy.requests if r.method == "GET" and r.path.startswith("/api/v1/nodes/")]
    assert len(again) > 10
    ours = sum(request.method == "PATCH" for request in proxy.requests)
    print(  # noqa: T201  # the figures are the point
        f"{commands} commands, {ours} writes of agtool, {len(again)} of which it had to repeat; "
        f"{others.writes} writes of two others, {others.conflicts} refused"
    )


def test_a_node_that_is_deleted_meanwhile_is_told_and_not_fatal(
    nodepool: Nodepool, fake_nodes: MakeNodes, api_proxy: Callable[..., ApiProxy]
) -> None:
    names = fake_nodes(60, SPOT)
    proxy = api_proxy(nodepool.kubeconfig)
    proxy.latency = 0.2
    running = nodepool.agtool.start(
        "ci-nodepool", "taint", "--yes", env={"KUBECONFIG": str(proxy.kubeconfig)}
    )
    wait_until(partial(patches, proxy, 1), "it has begun")
    # The last one is not among the first 32.
    nodepool.api.delete(f"/api/v1/nodes/{names[-1]}")
    # This one is another node of the same name.
    node = nodepool.node(names[-2])
    nodepool.api.delete(f"/api/v1/nodes/{names[-2]}")
    node["metadata"] = {"name": names[-2], "labels": node["metadata"]["labels"]}
    nodepool.api.post("/api/v1/nodes", node)
    done = running.wait()
    assert done.exit_code == 0, done.stderr
    assert "58 nodes changed" in done.stdout
    assert f"deleted or replaced meanwhile: 2 nodes: {names[-2]}, {names[-1]}" in done.stdout
    assert TAINT not in nodepool.taints(names[-2])


def test_an_overloaded_server_is_waited_for_as_it_asks(
    nodepool: Nodepool, fake_nodes: MakeNodes, api_proxy: Callable[..., ApiProxy]
) -> None:
    names = fake_nodes(5, SPOT)
    proxy = api_proxy(nodepool.kubeconfig)
    proxy.answer_next(1, 429, {"Retry-After": "2"})
    proxy.answer_next(2, 503)
    proxy.answer_next(1, 500, {"Retry-After": "1"})
    done = nodepool("taint", "--yes", kubeconfig=proxy.kubeconfig)
    assert done.exit_code == 0, done.stderr
    assert done.seconds > 3
    assert all(nodepool.taints(name) == [TAINT] for name in names)


def test_a_server_that_goes_away_is_told_and_a_rerun_finishes(
    nodepool: Nodepool, fake_nodes: MakeNodes, api_proxy: Callable[..., ApiProxy]
) -> None:
    names = fake_nodes(100, SPOT)
    proxy = api_proxy(nodepool.kubeconfig)
    proxy.latency = 0.1
    with counting_answers(proxy, 40, 400):
        done = nodepool.json("taint", "--yes", "--skip-pods", kubeconfig=proxy.kubeconfig)
    data = done["data"]
    assert done["exit_code"] == 5
    assert done["errors"][0]["code"] == "rejected"
    assert "again" in done["errors"][0]["hint"]
    failed = [finding["subject"].removeprefix("node ") for finding in data["failed"]]
    told = [*data["changed"], *failed, *data["not_started"]]
    assert sorted(told) == names
    assert {n for n in names if TAINT in nodepool.taints(n)} == set(data["changed"])
    again = nodepool.json("taint", "--yes")
    assert sorted(again["data"]["changed"]) == sorted({*names} - {*data["changed"]})
    assert all(nodepool.taints(name) == [TAINT] for name in names)


@contextmanager
def counting_answers(proxy: ApiProxy, after: int, status: int) -> Iterator[None]:
    """From some number of PATCHes on, the next ten requests are answered with `status`."""

    def watch() -> None:
        wait_until(partial(patches, proxy, after), "patches")
        proxy.answer_next(10, status)

    thread = threading.Thread(target=watch)
    thread.start()
    yield
    thread.join()


def test_a_lost_connection_in_the_middle_is_mended(
    nodepool: Nodepool, fake_nodes: MakeNodes, api_proxy: Callable[..., ApiProxy]
) -> None:
    names = fake_nodes(80, SPOT)
    proxy = api_proxy(nodepool.kubeconfig)
    proxy.latency = 0.1
    running = nodepool.agtool.start(
        "ci-nodepool", "taint", "--yes", env={"KUBECONFIG": str(proxy.kubeconfig)}
    )
    for count in (10, 50):
        wait_until(partial(patches, proxy, count), "patches")
        proxy.cut()
    done = running.wait()
    assert done.exit_code == 0, done.stderr
    assert "80 nodes changed" in done.stdout  # those whose answer was lost are ours too
    assert all(nodepool.taints(name) == [TAINT] for name in names)


def test_a_change_whose_answer_is_lost_is_ours(
    nodepool: Nodepool, fake_nodes: MakeNodes, api_proxy: Callable[..., ApiProxy]
) -> None:
    names = fake_nodes(8, SPOT)
    proxy = api_proxy(nodepool.kubeconfig)
    proxy.lose_answers(5, "PATCH")
    done = nodepool.json("taint", "--yes", kubeconfig=proxy.kubeconfig)
    assert done["exit_code"] == 0
    assert done["data"]["changed"] == names
    assert done["data"]["unchanged"] == []
    assert sum(request.method == "PATCH" for request in proxy.requests) == 13
    assert all(nodepool.taints(name) == [TAINT] for name in names)


def test_ctrl_c_ends_between_nodes_with_an_exact_report(
    nodepool: Nodepool, fake_nodes: MakeNodes, api_proxy: Callable[..., ApiProxy]
) -> None:
    names = fake_nodes(150, SPOT)
    proxy = api_proxy(nodepool.kubeconfig)
    proxy.latency = 0.2
    running = nodepool.agtool.start(
        "ci-nodepool",
        "taint",
        "--yes",
        "--output",
        "json",
        env={"KUBECONFIG": str(proxy.kubeconfig)},
    )
    wait_until(partial(patches, proxy, 50), "patches")
    running.send(signal.SIGINT)
    done = running.wait()
    assert done.exit_code == 130
    data = json.loads(done.stdout)["data"]
    tainted = {name for name in names if TAINT in nodepool.taints(name)}
    assert set(data["changed"]) == tainted
    assert 50 <= len(tainted) < 150
    assert sorted([*data["changed"], *data["not_started"]]) == names
    done = nodepool("taint", "--yes")
    assert f"{150 - len(tainted)} nodes changed" in done.stdout
    assert f"{len(tainted)} nodes already as wanted" in done.stdout


def test_two_at_once_agree(nodepool: Nodepool, fake_nodes: MakeNodes) -> None:
    names = fake_nodes(100, SPOT)
    arguments = ("ci-nodepool", "taint", "--yes", "--output", "json")
    env = {"KUBECONFIG": str(nodepool.kubeconfig)}
    both = [nodepool.agtool.start(*arguments, env=env) for _ in range(2)]
    documents = [json.loads(running.wait().stdout) for running in both]
    assert [document["exit_code"] for document in documents] == [0, 0]
    changed = [name for document in documents for name in document["data"]["changed"]]
    assert set(changed) == set(names)
    assert all(nodepool.taints(name) == [TAINT] for name in names)


def test_a_long_list_comes_in_pages(
    nodepool: Nodepool, fake_nodes: MakeNodes, api_proxy: Callable[..., ApiProxy]
) -> None:
    names = fake_nodes(600, SPOT)
    proxy = api_proxy(nodepool.kubeconfig)
    document = nodepool.json("label", "pool=ci", "--dry-run", "--preset", "gke-preemptible",
                             kubeconfig=proxy.kubeconfig)  # fmt: skip
    assert [each["node"] for each in document["data"]["planned"]] == names
    pages = [r.path for r in proxy.requests if r.path.startswith("/api/v1/nodes?")]
    assert len(pages) == 2
    assert all("limit=500" in page for page in pages)
