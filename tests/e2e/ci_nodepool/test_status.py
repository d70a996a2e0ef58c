"""status, the refusals of taint and unlabel, apply and undo: a pool and its runner together."""

import json
from collections.abc import Callable
from pathlib import Path

from tests.cluster.api import Object
from tests.cluster.proxy import ApiProxy
from tests.cluster.server import Server
from tests.e2e.ci_nodepool.conftest import KEY, RECORD, SPOT, TAINT, MakeNodes, Nodepool
from tests.e2e.conftest import wait_until
from tests.gitlab_runner import DEFAULT_TEMPLATE, Chart

PLACED = f"""
    [runners.kubernetes.node_selector]
      "{KEY}" = "true"
"""
TOLERATING = f"""
    [runners.kubernetes.node_tolerations]
      "{KEY}=true" = "NoSchedule"
"""


def make_pod(nodepool: Nodepool, namespace: str, name: str, on: str, **spec: object) -> None:
    containers = [{"name": "c", "image": "none"}]
    body: Object = {"metadata": {"name": name}, "spec": {"containers": containers, **spec}}
    if on:
        body["spec"]["nodeName"] = on
    nodepool.api.post(f"/api/v1/namespaces/{namespace}/pods", body)


def test_a_taint_that_strands_jobs_is_refused(
    nodepool: Nodepool, fake_nodes: MakeNodes, runner: Callable[..., Chart]
) -> None:
    names = fake_nodes(2, SPOT)
    chart = runner(DEFAULT_TEMPLATE + PLACED)
    who = f"{chart.namespace}/{chart.name}"
    done = nodepool("taint", "--yes")
    assert done.exit_code == 5
    assert f"jobs of runner {who} are sent to these nodes and do not tolerate" in done.stderr
    assert "agtool ci-nodepool apply" in done.stderr
    assert nodepool.taints(names[0]) == []
    assert nodepool("taint", "--yes", "--force").exit_code == 0
    status = nodepool.json("status")
    assert status["exit_code"] == 1
    assert status["data"]["problems"][0]["code"] == "deadlock"
    assert status["data"]["runners"][0]["runner"] == who
    done = nodepool("status")
    assert "they wait for ever" in done.stdout
    assert f"patch-runner --runner {who}" in done.stdout


def test_a_runner_that_may_not_see_the_pods_of_its_jobs_is_told(
    nodepool: Nodepool,
    fake_nodes: MakeNodes,
    runner: Callable[..., Chart],
    control_plane_namespace: str,
) -> None:
    fake_nodes(1, SPOT)
    namespace = control_plane_namespace
    runner(DEFAULT_TEMPLATE.replace('"ci"', f'"{namespace}"') + PLACED + TOLERATING)
    rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
    rule = {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}
    named = {"metadata": {"name": "jobs"}}
    nodepool.api.post(f"{rbac}/roles", {**named, "rules": [rule]})
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "jobs"}
    account = {"kind": "ServiceAccount", "name": "default", "namespace": namespace}
    nodepool.api.post(f"{rbac}/rolebindings", {**named, "roleRef": role, "subjects": [account]})

    def advised() -> bool:
        advice = nodepool.json("status", "--skip-pods")["data"]["advice"]
        return "loss-unseen" in [each["code"] for each in advice]

    assert advised()
    rules = [{**rule, "verbs": ["list", "watch"]}]
    nodepool.api.patch(f"{rbac}/roles/jobs", {"rules": rules})
    wait_until(lambda: not advised(), "the right is in force")


def test_a_pool_is_not_emptied_under_a_runner(
    nodepool: Nodepool, fake_nodes: MakeNodes, runner: Callable[..., Chart]
) -> None:
    names = fake_nodes(2, SPOT)
    runner(DEFAULT_TEMPLATE + PLACED + TOLERATING)
    assert nodepool("unlabel", names[0], f"{KEY}-").exit_code == 0
    done = nodepool("unlabel", names[1], f"{KEY}-")
    assert done.exit_code == 5
    assert "no node would have it any more" in done.stderr
    assert nodepool("unlabel", names[1], f"{KEY}-", "--force").exit_code == 0
    assert nodepool.json("status")["data"]["problems"][0]["code"] == "no-nodes"


def test_apply_leaves_the_runner_alone_where_the_nodes_would_be_refused(
    nodepool: Nodepool, fake_nodes: MakeNodes, runner: Callable[..., Chart]
) -> None:
    fake_nodes(1, {"pool": "ci"}, prefix="bare")
    (name,) = fake_nodes(1, {"pool": "ci"})
    chart = runner(DEFAULT_TEMPLATE)
    apply = ("apply", "--runner", f"{chart.namespace}/{chart.name}", "--timeout", "1")

    assert nodepool(*apply, "-l", "pool==ci", "--dry-run").exit_code == 0
    done = nodepool(*apply, "-l", "pool=ci")
    assert done.exit_code == 2
    assert "there is nobody to ask: " in done.stderr
    assert "change 2 nodes?" in done.stderr
    theirs = {"key": "pool", "value": "theirs", "effect": "NoSchedule"}
    nodepool.api.patch(f"/api/v1/nodes/{name}", {"spec": {"taints": [theirs]}})
    done = nodepool(*apply, "-l", "pool=ci", "--yes")
    assert done.exit_code == 5
    assert f"node {name} has taint pool=theirs:NoSchedule already" in done.stderr
    config_map = f"/api/v1/namespaces/{chart.namespace}/configmaps/{chart.name}"
    assert nodepool.api.get(config_map)["data"]["config.template.toml"] == DEFAULT_TEMPLATE


def test_undo_that_fails_at_the_runner_tells_what_was_done(
    nodepool: Nodepool, fake_nodes: MakeNodes, runner: Callable[..., Chart]
) -> None:
    names = fake_nodes(2, SPOT, prefix="undone")
    chart = runner(DEFAULT_TEMPLATE + PLACED + TOLERATING)
    assert nodepool("taint", "--yes").exit_code == 0
    added = {"selector": SPOT, "tolerations": {f"{KEY}=true": "NoSchedule"}}
    record = json.dumps({"template": [{"before": "other", "insertions": [], **added}]})
    path = f"/api/v1/namespaces/{chart.namespace}/configmaps/{chart.name}"
    nodepool.api.patch(path, {"metadata": {"annotations": {RECORD: record}}})
    # Nobody rolls out a Deployment here.
    undone = nodepool.json("undo", "--yes", "--timeout", "1")
    assert undone["exit_code"] == 1
    assert [error["code"] for error in undone["errors"]] == ["rollout-failed"]
    assert undone["data"]["changed"] == names
    done = nodepool("undo", "--yes", "--timeout", "1")
    assert done.exit_code == 1
    assert "is not up after 1 s" in done.stderr
    assert "nothing to do" not in done.stdout


def test_undo_plans_to_remove_a_label_that_the_runner_will_no_longer_select(
    nodepool: Nodepool, fake_nodes: MakeNodes, runner: Callable[..., Chart]
) -> None:
    (name,) = fake_nodes(1, prefix="labelled")
    assert nodepool("label", name, "pool=ci").exit_code == 0
    chart = runner(DEFAULT_TEMPLATE + PLACED.replace(KEY, "pool").replace("true", "ci"))
    added = {"selector": {"pool": "ci"}, "tolerations": {}}
    record = json.dumps({"template": [{"before": "other", "insertions": [], **added}]})
    path = f"/api/v1/namespaces/{chart.namespace}/configmaps/{chart.name}"
    nodepool.api.patch(path, {"metadata": {"annotations": {RECORD: record}}})
    assert nodepool("unlabel", name, "pool-").exit_code == 5
    planned = nodepool.json("undo", "--dry-run")
    assert planned["exit_code"] == 0, planned
    assert planned["data"]["planned"] == [
        {"node": name, "changes": ["- label pool=ci"], "kept": []}
    ]
    assert [change["runner"] for change in planned["data"]["runners"]] == [
        f"{chart.namespace}/{chart.name}"
    ]


def test_everything_fits(
    nodepool: Nodepool, fake_nodes: MakeNodes, runner: Callable[..., Chart]
) -> None:
    fake_nodes(2, SPOT, prefix="fits")
    runner(DEFAULT_TEMPLATE + PLACED + TOLERATING)
    done = nodepool("taint", "--yes")
    assert done.exit_code == 0, done.stderr
    done = nodepool("status")
    assert done.exit_code == 0, done.stdout
    assert "Everything fits together." in done.stdout
    assert "2 nodes, 2 ready" in done.stdout


def test_what_is_wrong_with_the_runner_itself(
    nodepool: Nodepool, fake_nodes: MakeNodes, runner: Callable[..., Chart]
) -> None:
    fake_nodes(1, SPOT, [TAINT])
    chart = runner(DEFAULT_TEMPLATE + PLACED + TOLERATING)
    path = f"/apis/apps/v1/namespaces/{chart.namespace}/deployments/{chart.name}"
    spec = {"template": {"spec": {"nodeSelector": {"cloud.google.com/gke-spot": "true"}}}}
    nodepool.api.patch(path, {"spec": spec})
    status = nodepool.json("status")
    assert [problem["code"] for problem in status["data"]["problems"]] == ["wrong-knob"]


def test_who_is_affected(
    nodepool: Nodepool, fake_nodes: MakeNodes, control_plane_namespace: str
) -> None:
    (name,) = fake_nodes(1, SPOT)
    other = fake_nodes(1, prefix="other")[0]
    space = control_plane_namespace
    make_pod(nodepool, space, "stranger", name)
    make_pod(nodepool, space, "needs-the-pool", name, nodeSelector=SPOT)
    make_pod(nodepool, space, "waits", "", nodeSelector=SPOT)
    make_pod(nodepool, space, "tolerates", name, tolerations=[{"operator": "Exists"}])
    make_pod(nodepool, space, "elsewhere", other)
    template = {
        "metadata": {"labels": {"app": "logs"}},
        "spec": {"containers": [{"name": "c", "image": "none"}]},
    }
    daemonset = {
        "metadata": {"name": "logs"},
        "spec": {"selector": {"matchLabels": {"app": "logs"}}, "template": template},
    }
    nodepool.api.post(f"/apis/apps/v1/namespaces/{space}/daemonsets", daemonset)

    data = nodepool.json("taint", "--dry-run")["data"]
    assert [(a["name"], a["fate"]) for a in data["affected"]] == [
        ("needs-the-pool", "stranded"),
        ("waits", "waits"),
        ("stranger", "stays"),
        ("logs", "gone-on-new-nodes"),
    ]
    done = nodepool("taint", "--yes")
    assert done.exit_code == 0
    assert f"{space}/stranger" in done.stderr
    assert "the taint evicts nothing" in done.stderr
    assert nodepool("taint", "--dry-run", "other=x:NoExecute", "--yes").exit_code == 0
    evicted = nodepool.json("taint", "--dry-run", "other=x:NoExecute", name)["data"]["affected"]
    assert {a["name"] for a in evicted if a["fate"] == "evicted"} == {"stranger", "needs-the-pool"}

    status = nodepool.json("status")
    assert {p["code"] for p in status["data"]["problems"]} == {"strangers", "daemonsets"}
    assert "does not tolerate" in nodepool("status").stdout
    nodepool.api.delete(f"/apis/apps/v1/namespaces/{space}/daemonsets/logs")
    nodepool.api.delete(f"/api/v1/namespaces/{space}/pods")


def test_a_pod_that_slips_onto_a_node_before_its_taint(
    nodepool: Nodepool,
    fake_nodes: MakeNodes,
    api_proxy: Callable[..., ApiProxy],
    control_plane_namespace: str,
) -> None:
    (name,) = fake_nodes(1, SPOT, prefix="slip")  # no pod of another test is on it still
    make_pod(nodepool, control_plane_namespace, "early", name)
    proxy = api_proxy(nodepool.kubeconfig)
    proxy.latency = 0.3
    running = nodepool.agtool.start(
        "ci-nodepool",
        *("taint", "--yes", "--output", "json"),
        env={"KUBECONFIG": str(proxy.kubeconfig)},
    )
    # Pods have been looked at when DaemonSets are.
    wait_until(lambda: any("/daemonsets" in r.path for r in proxy.requests), "it has looked")
    make_pod(nodepool, control_plane_namespace, "late", name)
    data = json.loads(running.wait().stdout)["data"]
    assert [affected["name"] for affected in data["affected"]] == ["early"]
    assert [affected["name"] for affected in data["slipped"]] == ["late"]
    nodepool.api.delete(f"/api/v1/namespaces/{control_plane_namespace}/pods")


def test_status_tells_nodes_that_were_made_anew(nodepool: Nodepool, fake_nodes: MakeNodes) -> None:
    names = fake_nodes(3, SPOT)
    assert nodepool("taint", "--yes").exit_code == 0
    nodepool.api.delete(f"/api/v1/nodes/{names[0]}")
    fake_nodes(1, SPOT)
    status = nodepool.json("status")
    (problem,) = status["data"]["problems"]
    assert problem["code"] == "untainted-nodes"
    assert problem["message"].startswith("1 of 3 nodes")
    (pool,) = status["data"]["pools"]
    assert [node["by_agtool"] for node in pool["nodes"]].count([]) == 1


def test_status_of_a_cluster_without_a_pool_and_of_two(
    nodepool: Nodepool, fake_nodes: MakeNodes
) -> None:
    fake_nodes(1)
    done = nodepool("status")
    assert done.exit_code == 0, done.stdout
    assert "No node has the label" in done.stdout
    done = nodepool("status", "--preset", "aks-spot")
    assert "0 nodes" in done.stdout
    fake_nodes(1, SPOT, prefix="gke")
    fake_nodes(1, {"karpenter.sh/capacity-type": "spot"}, prefix="karpenter")
    presets = [pool["preset"] for pool in nodepool.json("status")["data"]["pools"]]
    assert presets == ["gke-preemptible", "karpenter-spot"]


def test_status_shows_what_may_be_seen(
    nodepool: Nodepool,
    fake_nodes: MakeNodes,
    control_plane: Server,
    restricted_user: Callable[..., Path],
) -> None:
    fake_nodes(1, SPOT, [TAINT])
    rule = {"apiGroups": [""], "resources": ["nodes"], "verbs": ["list"]}
    user = restricted_user(control_plane, [rule])
    done = nodepool("status", kubeconfig=user)
    assert done.exit_code == 0, done.stderr
    assert "not looked at: " in done.stdout
    assert "Everything that was looked at fits together." in done.stdout
    assert "may not list deployments" in done.stdout
    assert "may not list pods" in done.stdout
