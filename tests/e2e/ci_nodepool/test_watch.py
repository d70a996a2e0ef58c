"""watch: new nodes at once, whatever happens to the API server; twice, and with few rights."""

import http.client
import json
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from agtool.ci_nodepool.emit.manifest import RULES
from tests.cluster.control_plane import ControlPlane
from tests.cluster.proxy import ApiProxy
from tests.cluster.server import Server
from tests.e2e.ci_nodepool.conftest import KEY, RECORD, SPOT, TAINT, MakeNodes, Nodepool
from tests.e2e.conftest import Agtool, Running, wait_until

Watch = Callable[..., Running]


@pytest.fixture
def watch(agtool: Agtool, control_plane: Server) -> Watch:
    """Give the function that starts a watch on the control plane, and waits until it watches."""

    def start(*arguments: str, kubeconfig: Path | None = None) -> Running:
        running = agtool.start(
            "ci-nodepool",
            "watch",
            *arguments,
            env={"KUBECONFIG": str(kubeconfig or control_plane.kubeconfig)},
        )
        running.wait_for("watching")
        return running

    return start


def tainted(nodepool: Nodepool, name: str) -> Callable[[], bool]:
    return lambda: TAINT in nodepool.taints(name)


def test_a_new_node_is_tainted_within_a_second(
    nodepool: Nodepool, watch: Watch, fake_nodes: MakeNodes
) -> None:
    old = fake_nodes(2, SPOT)
    running = watch("--preset", "gke-preemptible")
    for name in old:
        wait_until(tainted(nodepool, name), "the old nodes are tainted")
    seconds = []
    for number in range(5):
        began = time.monotonic()
        (name,) = fake_nodes(1, SPOT, prefix=f"new-{number}")
        wait_until(tainted(nodepool, name), "the new node is tainted")
        seconds.append(time.monotonic() - began)
    assert min(seconds) < 1.0, seconds
    # It is ours, so that undo takes it back.
    assert KEY in nodepool.node(old[0])["metadata"]["annotations"][RECORD]
    running.send(signal.SIGTERM)
    done = running.wait()
    assert done.exit_code == 0
    assert "stopped by SIGTERM" in done.stderr


def test_it_waits_for_the_first_node_of_a_pool_that_scales_from_zero(
    nodepool: Nodepool, agtool: Agtool, fake_nodes: MakeNodes
) -> None:
    """And does not settle meanwhile for the label of a provider whose nodes will never come."""
    fake_nodes(1, {"pool": "other"})
    running = agtool.start("ci-nodepool", "watch", env={"KUBECONFIG": str(nodepool.kubeconfig)})
    running.wait_for("no node has the label of a provider's preemptible nodes: waiting for one")
    key = "eks.amazonaws.com/capacityType"
    (name,) = fake_nodes(1, {key: "SPOT"}, prefix="first")
    taint = {"key": key, "value": "SPOT", "effect": "NoSchedule"}
    wait_until(lambda: taint in nodepool.taints(name), "the first node is tainted")
    running.send(signal.SIGTERM)
    assert running.wait().exit_code == 0


def test_sigterm_ends_it_while_it_waits(nodepool: Nodepool, agtool: Agtool) -> None:
    running = agtool.start("ci-nodepool", "watch", env={"KUBECONFIG": str(nodepool.kubeconfig)})
    running.wait_for("waiting for one")
    running.send(signal.SIGTERM)
    done = running.wait()
    assert (done.exit_code, "stopped by SIGTERM" in done.stderr) == (0, True)


def test_what_is_removed_comes_back_and_a_fight_is_slow(
    nodepool: Nodepool, watch: Watch, fake_nodes: MakeNodes
) -> None:
    (name,) = fake_nodes(1, SPOT)
    running = watch("pool=ci", f"{KEY}=true:NoSchedule", "-l", f"{KEY}=true")
    for _ in range(3):
        wait_until(tainted(nodepool, name), "it is there again")
        assert nodepool.node(name)["metadata"]["labels"]["pool"] == "ci"
        nodepool.api.patch(f"/api/v1/nodes/{name}", {"spec": {"taints": None}})
    running.wait_for("somebody else undoes this each time")
    began = time.monotonic()
    wait_until(tainted(nodepool, name), "it comes back in the end")
    assert time.monotonic() - began > 1


def test_a_recreated_node_of_the_same_name(
    nodepool: Nodepool, watch: Watch, fake_nodes: MakeNodes
) -> None:
    (name,) = fake_nodes(1, SPOT)
    watch("--preset", "gke-preemptible")
    for _ in range(4):
        wait_until(tainted(nodepool, name), "it is tainted")
        nodepool.api.delete(f"/api/v1/nodes/{name}")
        fake_nodes(1, SPOT)
    wait_until(tainted(nodepool, name), "it is tainted")


def test_cut_connections_and_history_that_is_gone(
    nodepool: Nodepool, watch: Watch, fake_nodes: MakeNodes, api_proxy: Callable[..., ApiProxy]
) -> None:
    fake_nodes(1, SPOT)
    proxy = api_proxy(nodepool.kubeconfig)
    running = watch("--preset", "gke-preemptible", kubeconfig=proxy.kubeconfig)
    proxy.cut()
    (one,) = fake_nodes(1, SPOT, prefix="one")
    wait_until(tainted(nodepool, one), "it watches again after a cut")
    before = sum("watch=true" not in r.path for r in proxy.requests if r.method == "GET")
    proxy.answer_next(1, 410)
    proxy.cut()
    (two,) = fake_nodes(1, SPOT, prefix="two")
    wait_until(tainted(nodepool, two), "it lists and watches again after 410")
    after = sum("watch=true" not in r.path for r in proxy.requests if r.method == "GET")
    assert after > before
    proxy.refuse()
    proxy.cut()
    running.wait_for("trying again")
    (three,) = fake_nodes(1, SPOT, prefix="three")
    proxy.accept()
    wait_until(tainted(nodepool, three), "it watches again when the server is back")


def test_a_restart_of_the_api_server(
    nodepool: Nodepool, watch: Watch, fake_nodes: MakeNodes, control_plane: Server
) -> None:
    if not isinstance(control_plane, ControlPlane):
        pytest.skip("somebody else's API server is not restarted")
    fake_nodes(1, SPOT)
    running = watch("--preset", "gke-preemptible")
    control_plane.restart_apiserver()
    (name,) = fake_nodes(1, SPOT, prefix="after")
    wait_until(tainted(nodepool, name), "it watches again")
    assert running.running()


def test_two_watches_do_no_harm(nodepool: Nodepool, watch: Watch, fake_nodes: MakeNodes) -> None:
    (first,) = fake_nodes(1, SPOT)
    both = [watch("--preset", "gke-preemptible") for _ in range(2)]
    # Made at one go: what makes the others takes all taints away in a second step.
    labels = nodepool.node(first)["metadata"]["labels"]
    names = [f"twice-{number}" for number in range(40)]
    for name in names:
        nodepool.api.post("/api/v1/nodes", {"metadata": {"name": name, "labels": labels}})
    for name in names:
        wait_until(tainted(nodepool, name), "tainted")
    versions = nodepool.versions(names)
    time.sleep(1)
    assert nodepool.versions(names) == versions  # they agree, and rest
    said = "".join(running.stderr for running in both)
    assert all(said.count(f"node {name}: +") == 1 for name in names)


def test_undo_notices_a_watch(nodepool: Nodepool, watch: Watch, fake_nodes: MakeNodes) -> None:
    names = fake_nodes(2, SPOT)
    running = watch("--preset", "gke-preemptible")
    for name in names:
        wait_until(tainted(nodepool, name), "tainted")
    undone = nodepool.json("undo", "--yes")
    assert undone["exit_code"] == 5
    assert {f["subject"] for f in undone["data"]["failed"]} == {f"node {name}" for name in names}
    assert undone["data"]["changed"] == []
    (error,) = undone["errors"]
    assert (error["code"], "ci-nodepool watch" in error["message"]) == ("conflict", True)
    assert "Stop the watch first" in error["hint"]
    running.send(signal.SIGTERM)
    running.wait()
    undone = nodepool.json("undo", "--yes")
    assert undone["exit_code"] == 0
    assert undone["data"]["changed"] == names
    assert all(nodepool.taints(name) == [] for name in names)


def test_it_needs_no_more_rights_than_it_says(
    nodepool: Nodepool,
    watch: Watch,
    fake_nodes: MakeNodes,
    control_plane: Server,
    restricted_user: Callable[..., Path],
) -> None:
    (name,) = fake_nodes(1, SPOT)
    watch("--preset", "gke-preemptible", kubeconfig=restricted_user(control_plane, RULES))
    wait_until(tainted(nodepool, name), "tainted")
    nobody = restricted_user(control_plane, [])
    done = nodepool("watch", "--preset", "gke-preemptible", kubeconfig=nobody)
    assert done.exit_code == 5
    assert "may not list nodes" in done.stderr


def ask(port: int, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", path)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


def test_the_readiness_endpoint(
    nodepool: Nodepool, watch: Watch, fake_nodes: MakeNodes, api_proxy: Callable[..., ApiProxy]
) -> None:
    fake_nodes(1, SPOT)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = nodepool("watch", "--preset", "gke-spot", "--listen", f"127.0.0.1:{port}")
        assert done.exit_code == 3
        assert "Address already in use" in done.stderr
    proxy = api_proxy(nodepool.kubeconfig)
    running = watch(
        "--preset", "gke-preemptible", "--listen", f":{port}", kubeconfig=proxy.kubeconfig
    )
    wait_until(lambda: ask(port, "/readyz") == (200, "ok\n"), "it is ready")
    assert ask(port, "/healthz")[0] == 200
    assert ask(port, "/other")[0] == 404
    # Ready is who sees the pool; the repairs come then.
    wait_until(lambda: "repairs_total 1\n" in ask(port, "/metrics")[1], "the node is repaired")
    status, metrics = ask(port, "/metrics")
    assert status == 200
    for line in ("nodes 1", "repairs_total 1", "errors_total 0", "refused_nodes 0"):
        assert f"agtool_ci_nodepool_watch_{line}\n" in metrics
    proxy.refuse()
    proxy.cut()
    wait_until(lambda: ask(port, "/readyz")[0] == 503, "it is not ready without a server")
    assert "cannot reach" in ask(port, "/readyz")[1]
    assert ask(port, "/healthz")[0] == 200
    # Not between two attempts either, and the log does not fill.
    give_up = time.monotonic() + 6
    while time.monotonic() < give_up:
        assert ask(port, "/readyz")[0] == 503
        time.sleep(0.05)
    assert running.stderr.count(": trying again\n") == 1
    proxy.accept()
    wait_until(lambda: ask(port, "/readyz")[0] == 200, "it is ready again")


def test_it_is_not_ready_while_nodes_are_not_as_wanted(
    watch: Watch,
    fake_nodes: MakeNodes,
    control_plane: Server,
    restricted_user: Callable[..., Path],
) -> None:
    fake_nodes(1, SPOT)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    rules = [{**RULES[0], "verbs": ["list", "watch"]}]
    watch(
        "--preset",
        "gke-preemptible",
        "--listen",
        f"127.0.0.1:{port}",
        kubeconfig=restricted_user(control_plane, rules),
    )
    wait_until(lambda: ask(port, "/readyz")[0] == 503, "it is not ready")
    assert "may not patch nodes" in ask(port, "/readyz")[1]
    assert ask(port, "/healthz")[0] == 200


def test_ctrl_c_and_wrong_input(nodepool: Nodepool, watch: Watch, fake_nodes: MakeNodes) -> None:
    fake_nodes(1, SPOT)
    running = watch()
    running.send(signal.SIGINT)
    assert running.wait().exit_code == 130
    for arguments, says in (
        (("k-",), "only keeps"),
        (("k=v:Never",), "unknown effect"),
        (("--listen", "8080"), "not valid"),
        (("-l", "pool=none", "--preset", "oke-preemptible"), "nothing to keep"),
    ):
        done = nodepool("watch", *arguments)
        assert done.exit_code == 2
        assert says in done.stderr
    assert json.loads(nodepool("undo", "--yes", "--output", "json").stdout)["exit_code"] == 0
