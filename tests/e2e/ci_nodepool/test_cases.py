"""Configurations and nodes as teams have them, with the right answer to each.

tests/cases/ci_nodepool has them.
"""

import itertools
import json
import shlex
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]  # its stubs would be one more package for this line

from tests.cluster.api import Object
from tests.e2e.ci_nodepool.conftest import MakeNodes, Nodepool
from tests.e2e.conftest import wait_until
from tests.gitlab_runner import DEFAULT_TEMPLATE, Chart

CASES = Path(__file__).parents[2] / "cases" / "ci_nodepool"
GKE, KARPENTER = "cloud.google.com/gke-spot", "karpenter.sh/capacity-type"


def case(name: str) -> str:
    return (CASES / name).read_text(encoding="utf-8")


def taint(key: str, value: str, effect: str = "NoSchedule") -> Object:
    return {"key": key, "value": value, "effect": effect}


@pytest.fixture
def runner(nodepool: Nodepool, control_plane_namespace: str) -> Iterator[Callable[..., str]]:
    """Give the function that makes a runner of the chart, which nobody runs here; its name."""

    def make(template: str, release: str = "ci") -> str:
        chart = Chart("0.86.0", release, namespace=control_plane_namespace, template=template)
        path = f"namespaces/{chart.namespace}"
        nodepool.api.post(f"/api/v1/{path}/configmaps", chart.config_map)
        nodepool.api.post(f"/apis/apps/v1/{path}/deployments", chart.deployment)
        return f"{chart.namespace}/{chart.name}"

    yield make
    for kind in ("deployments", "statefulsets"):
        nodepool.api.delete(f"/apis/apps/v1/namespaces/{control_plane_namespace}/{kind}")
    nodepool.api.delete(f"/api/v1/namespaces/{control_plane_namespace}/configmaps")


@pytest.fixture
def nodes_of(fake_nodes: MakeNodes) -> Callable[[str], list[str]]:
    """Give the function that makes the nodes of a case."""

    def make(name: str) -> list[str]:
        made = []
        for node in json.loads(case(name))["items"]:
            labels = {
                k: v for k, v in node["metadata"]["labels"].items() if k != "kubernetes.io/hostname"
            }
            own = f"{node['metadata']['name']}"
            made += fake_nodes(1, labels, node["spec"]["taints"], prefix=own)
        return made

    return make


def codes(status: Object) -> list[str]:
    return [problem["code"] for problem in status["data"]["problems"]]


# -- affinity ------------------------------------------------------------------------------------


def test_required_affinity_is_where_jobs_are_sent(
    nodepool: Nodepool, fake_nodes: MakeNodes, runner: Callable[..., str]
) -> None:
    (name,) = fake_nodes(1, {"example.io/pipeline": "true"})
    fake_nodes(1, prefix="other")
    who = runner(case("affinity-only.toml"))
    done = nodepool("taint", name, "--preset", "karpenter-spot")
    assert done.exit_code == 5
    assert f"jobs of runner {who} are sent to these nodes and do not tolerate" in done.stderr
    assert nodepool.taints(name) == []
    # The hint, to the letter: jobs tolerate it then, and the same command is not refused.
    (command,) = [line for line in done.stderr.splitlines() if "patch-runner" in line]
    assert "-l example.io/pipeline" in command

    nodepool.api.patch(f"/api/v1/nodes/{name}", {"spec": {"taints": [taint(KARPENTER, "spot")]}})
    status = nodepool.json("status", "--skip-pods")
    assert codes(status)[0] == "deadlock"
    (row,) = [r for r in status["data"]["runners"] if r["runner"] == who]
    assert row["where"] == "nodes with example.io/pipeline"


def test_a_selector_that_contradicts_the_affinity_is_refused(
    nodepool: Nodepool, fake_nodes: MakeNodes, runner: Callable[..., str]
) -> None:
    fake_nodes(1, {"example.io/pipeline": "true"})
    fake_nodes(1, {KARPENTER: "spot"}, prefix="spot")
    who = runner(case("affinity-only.toml"))
    done = nodepool("apply", "--preset", "karpenter-spot", "--runner", who, "--yes")
    assert done.exit_code == 5
    assert "selector and affinity contradict" in done.stderr


def test_a_wish_with_a_fallback_is_no_error(
    nodepool: Nodepool, fake_nodes: MakeNodes, runner: Callable[..., str]
) -> None:
    fake_nodes(1, prefix="on-demand")
    who = runner(case("preferred.toml"))
    assert codes(nodepool.json("status")) == []
    fake_nodes(2, {GKE: "true"}, [taint(GKE, "true")])
    status = nodepool.json("status")
    assert codes(status) == []
    (row,) = status["data"]["runners"]
    assert (row["runner"], row["where"], row["prefers"]) == (who, "any node", f"{GKE}=true")


def test_a_wish_is_made(
    nodepool: Nodepool, fake_nodes: MakeNodes, runner: Callable[..., str]
) -> None:
    fake_nodes(1, prefix="on-demand")
    names = fake_nodes(2, {GKE: "true"})
    who = runner(DEFAULT_TEMPLATE)
    planned = nodepool.json("apply", "--prefer", "--runner", who, "--dry-run")
    assert planned["exit_code"] == 0, planned
    assert planned["data"]["runner"]["entries"] == {
        "node_selector": {},
        "node_tolerations": {f"{GKE}=true": "NoSchedule"},
        "preferred": {GKE: "true"},
    }
    assert [each["node"] for each in planned["data"]["planned"]] == names
    assert "preferred_during_scheduling" in planned["data"]["runner"]["helm_values"]


def test_nodes_that_several_presets_describe_are_one_pool(
    nodepool: Nodepool, fake_nodes: MakeNodes, runner: Callable[..., str]
) -> None:
    both = {"cloud.google.com/gke-preemptible": "true", GKE: "true"}
    fake_nodes(2, both, [taint(GKE, "true")])
    fake_nodes(1, prefix="on-demand")
    runner(case("preferred.toml"), "one")
    runner(case("preferred.toml"), "two")
    status = nodepool.json("status")
    (pool,) = status["data"]["pools"]
    assert pool["presets"] == ["gke-preemptible", "gke-spot"]
    assert codes(status) == []
    assert nodepool("status").stdout.count("2 nodes, 2 ready") == 1


def test_a_wish_for_nodes_whose_taint_is_not_tolerated(
    nodepool: Nodepool, fake_nodes: MakeNodes, runner: Callable[..., str]
) -> None:
    fake_nodes(1, prefix="on-demand")
    fake_nodes(2, {GKE: "true"}, [taint(GKE, "true")])
    without = case("preferred.toml").partition("    [runners.kubernetes.node_tolerations]")[0]
    runner(without)
    status = nodepool.json("status")
    assert codes(status) == ["vain-wish"]
    follow(nodepool, status["data"]["problems"][0]["hint"], "--dry-run")


# -- pod_spec and what is ignored ----------------------------------------------------------------


def test_tolerations_in_a_patch_count_with_its_flag_only(
    nodepool: Nodepool, fake_nodes: MakeNodes, runner: Callable[..., str]
) -> None:
    fake_nodes(2, {KARPENTER: "spot"}, [taint(KARPENTER, "spot")])
    text = case("pod-spec-strategic.toml")
    runner(text)
    runner(text.replace("environment =", "#"), "off")
    lost = '    [runners.kubernetes.node_tolerations]\n      "a=b" = "NoSchedule"\n'
    runner(
        text.replace(
            "    [[runners.kubernetes.pod_spec]]", lost + "    [[runners.kubernetes.pod_spec]]"
        ),
        "lost",
    )
    found = {
        (problem["code"], problem["subject"].rpartition("/")[2].removesuffix("-gitlab-runner"))
        for problem in nodepool.json("status")["data"]["problems"]
    }
    assert found == {
        ("deadlock", "off"),
        ("ignored-setting", "off"),
        ("lost-tolerations", "lost"),
    }


def test_a_toleration_that_a_patch_would_take_away_is_not_written(
    nodepool: Nodepool, fake_nodes: MakeNodes, runner: Callable[..., str]
) -> None:
    fake_nodes(1, {"pool": "ci"})
    who = runner(
        case("pod-spec-strategic.toml").replace(f'"{KARPENTER}" = "spot"', '"pool" = "ci"')
    )
    done = nodepool("patch-runner", "--runner", who, "-l", "pool=ci", "--yes")
    assert done.exit_code == 3
    assert "would be lost" in done.stderr
    assert "replaces the whole list of tolerations" in done.stderr


def test_tolerations_as_an_array_of_tables_are_none(
    nodepool: Nodepool, fake_nodes: MakeNodes, runner: Callable[..., str]
) -> None:
    fake_nodes(1, {"pool": "ci"})
    who = runner(case("tolerations-as-array.toml"))
    status = nodepool.json("status")
    (problem,) = [p for p in status["data"]["problems"] if p["code"] == "ignored-setting"]
    assert '"workload=ci" = "NoSchedule"' in problem["hint"]
    assert status["data"]["runners"][0]["tolerations"] == []
    done = nodepool("patch-runner", "--runner", who, "-l", "pool=ci", "--yes")
    assert done.exit_code == 3
    assert '"workload=ci" = "NoSchedule"' in done.stderr


# -- taints that pass, and taints that stay ------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "passing"),
    [
        ("nodes-scaling-down.json", "ToBeDeletedByClusterAutoscaler"),
        ("nodes-starting.json", "node.cilium.io/agent-not-ready"),
    ],
)
def test_a_passing_taint_is_named_and_proposed_to_nobody(
    nodepool: Nodepool, nodes_of: Callable[[str], list[str]], name: str, passing: str
) -> None:
    nodes_of(name)
    status = nodepool.json("status", "--preset", "gke-spot")
    assert status["data"]["problems"] == []
    (pool,) = status["data"]["pools"]
    assert [each["taint"].partition("=")[0] for each in pool["passing"]] == [passing]
    done = nodepool("status", "--preset", "gke-spot")
    assert passing in done.stdout
    assert f"taint {passing}" not in done.stdout


def test_a_pool_fits_where_every_node_has_a_passing_taint(
    nodepool: Nodepool, fake_nodes: MakeNodes, runner: Callable[..., str]
) -> None:
    leaving = taint("karpenter.sh/disrupted", "")
    fake_nodes(2, {GKE: "true"}, [taint(GKE, "true"), {k: v for k, v in leaving.items() if v}])
    who = runner(DEFAULT_TEMPLATE)
    done = nodepool("patch-runner", "--runner", who, "--preset", "gke-spot", "--dry-run")
    assert done.exit_code == 0, done.stderr


def test_a_taint_of_kubernetes_domain_can_be_the_pools(
    nodepool: Nodepool, nodes_of: Callable[[str], list[str]]
) -> None:
    nodes_of("nodes-lifecycle-label.json")
    status = nodepool.json("status", "-l", "node.kubernetes.io/lifecycle=spot")
    assert status["data"]["pools"][0]["taints"] == {
        "node.kubernetes.io/lifecycle=spot:NoSchedule": 1
    }


def test_a_taint_of_some_nodes_is_told_and_not_proposed(
    nodepool: Nodepool, fake_nodes: MakeNodes
) -> None:
    fake_nodes(2, {GKE: "true"}, [taint(GKE, "true")])
    fake_nodes(1, {GKE: "true"}, [taint(GKE, "true"), taint("gpu", "a")], prefix="gpu")
    (problem,) = nodepool.json("status")["data"]["problems"]
    assert problem["code"] == "some-tainted"
    assert "1 of 3" in problem["message"]
    assert "agtool ci-nodepool" not in problem["hint"]


def test_nodes_of_another_system_are_refused(
    nodepool: Nodepool, nodes_of: Callable[[str], list[str]], runner: Callable[..., str]
) -> None:
    nodes_of("nodes-windows.json")
    who = runner(DEFAULT_TEMPLATE)
    done = nodepool("patch-runner", "--preset", "gke-spot", "--runner", who, "--yes")
    assert done.exit_code == 5
    assert "node.kubernetes.io/os=windows:NoSchedule" in done.stderr


def test_the_hint_names_the_pools_own_taint_first(
    nodepool: Nodepool, nodes_of: Callable[[str], list[str]], runner: Callable[..., str]
) -> None:
    (name,) = nodes_of("nodes-arm.json")
    who = runner(DEFAULT_TEMPLATE)
    apply = ("apply", "--preset", "gke-spot", "--runner", who, "--yes")
    done = nodepool(*apply)
    assert done.exit_code == 5
    (line,) = [line for line in done.stderr.splitlines() if "Name the taints" in line]
    options = shlex.split(line.partition("pool:")[2].partition(". --force")[0])
    assert options == [
        "--taint",
        f"{GKE}=true:NoSchedule",
        "--taint",
        "kubernetes.io/arch=arm64:NoSchedule",
    ]
    planned = nodepool.json(*apply[:-1], *options, "--dry-run")
    assert planned["exit_code"] == 0, planned
    assert planned["data"]["planned"] == [
        {"node": name, "changes": [f"+ taint {GKE}=true:NoSchedule"], "kept": []}
    ]
    assert planned["data"]["runner"]["entries"]["node_tolerations"] == {
        f"{GKE}=true": "NoSchedule",
        "kubernetes.io/arch=arm64": "NoSchedule",
    }


def follow(nodepool: Nodepool, hint: str, *more: str) -> Object:
    """Run the command of a hint; its document."""
    (line,) = [each for each in hint.splitlines() if "agtool ci-nodepool " in each]
    words = shlex.split(line.partition("agtool ci-nodepool ")[2])
    document: Object = nodepool.json(*words, *more)
    assert document["exit_code"] == 0, (line, document)
    return document


PLACED = DEFAULT_TEMPLATE + f'    [runners.kubernetes.node_selector]\n      "{GKE}" = "true"\n'
TOLERATING = f'    [runners.kubernetes.node_tolerations]\n      "{GKE}=true" = "NoSchedule"\n'
OWN, MORE = taint(GKE, "true"), taint("more", "x")


@pytest.mark.parametrize(
    ("template", "nodes", "code"),
    [
        (DEFAULT_TEMPLATE, [[OWN], [OWN]], "not-sent"),
        (PLACED + TOLERATING, [[], []], "open-pool"),
        (PLACED + TOLERATING, [[OWN], []], "untainted-nodes"),
        (PLACED, [[OWN, MORE], [MORE, OWN]], "deadlock"),
        (PLACED, [[OWN], [taint("other", "x")]], "deadlock"),
        (PLACED, [[OWN], []], "blocked-nodes"),
    ],
)
def test_every_hint_that_prints_a_command_can_be_followed(
    nodepool: Nodepool,
    fake_nodes: MakeNodes,
    runner: Callable[..., str],
    *,
    template: str,
    nodes: list[list[Object]],
    code: str,
) -> None:
    for number, taints in enumerate(nodes):
        fake_nodes(1, {GKE: "true"}, taints, prefix=f"hint-{number}")
    fake_nodes(1, prefix="on-demand")
    runner(template)
    problems = nodepool.json("status", "--preset", "gke-spot")["data"]["problems"]
    (problem,) = [each for each in problems if each["code"] == code]
    # The first command is the way out; a second one keeps it so.
    document = follow(nodepool, problem["hint"].partition("\n")[0], "--dry-run")
    changes = document["data"].get("planned", []) + [
        each for each in document["data"].get("runners", []) if each["diff"]
    ]
    assert changes
    if code == "deadlock":
        (sent,) = document["data"]["runners"]
        wanted = {f"{t['key']}={t['value']}": t["effect"] for taints in nodes for t in taints}
        assert sent["entries"]["node_tolerations"] == wanted


def test_the_hint_for_nodes_by_name_can_be_followed(
    nodepool: Nodepool, fake_nodes: MakeNodes, runner: Callable[..., str]
) -> None:
    (name,) = fake_nodes(1, {GKE: "true"}, prefix="named")
    runner(PLACED)
    refused = nodepool.json("taint", name, "a=b:NoSchedule", "c:NoExecute")
    assert refused["exit_code"] == 5
    document = follow(nodepool, refused["errors"][0]["hint"], "--dry-run")
    assert document["data"]["entries"]["node_tolerations"] == {
        "a=b": "NoSchedule",
        "c=": "NoExecute",
    }


def test_a_refusal_that_comes_each_time_does_not_say_to_run_it_again(
    nodepool: Nodepool, fake_nodes: MakeNodes
) -> None:
    (name,) = fake_nodes(1, prefix="refused")
    policy = {
        "metadata": {"name": "no-taints"},
        "spec": {
            "matchConstraints": {
                "resourceRules": [
                    {
                        "apiGroups": [""],
                        "apiVersions": ["v1"],
                        "operations": ["UPDATE"],
                        "resources": ["nodes"],
                    }
                ]
            },
            "validations": [{"expression": "!has(object.spec.taints)", "message": "no taints"}],
        },
    }
    binding = {
        "metadata": {"name": "no-taints"},
        "spec": {"policyName": "no-taints", "validationActions": ["Deny"]},
    }
    group = "/apis/admissionregistration.k8s.io/v1"
    nodepool.api.post(f"{group}/validatingadmissionpolicies", policy)
    nodepool.api.post(f"{group}/validatingadmissionpolicybindings", binding)
    tries = itertools.count()
    try:
        # Another taint each time: what is there already is not written, and so not refused.
        wait_until(
            lambda: nodepool("taint", name, f"a{next(tries)}=b:NoSchedule").exit_code != 0,
            "it is in force",
        )
        done = nodepool("taint", name, "a=b:NoSchedule")
        assert "no taints" in done.stderr
        assert "It will answer so each time." in done.stderr
        assert "to finish the rest" not in done.stderr
    finally:
        nodepool.api.delete(f"{group}/validatingadmissionpolicybindings/no-taints")
        nodepool.api.delete(f"{group}/validatingadmissionpolicies/no-taints")


def test_check_takes_the_nodes_of_the_cluster(
    nodepool: Nodepool, nodes_of: Callable[[str], list[str]]
) -> None:
    nodes_of("nodes-scaling-down.json")
    document = nodepool.json("check", CASES / "kept-by-hand.yaml")
    assert [each["verdict"] for each in document["data"]["runners"]] == ["misfit"]


def test_the_hint_for_two_runners_names_both(
    nodepool: Nodepool, fake_nodes: MakeNodes, runner: Callable[..., str]
) -> None:
    fake_nodes(2, {GKE: "true"})
    one, two = runner(PLACED, "one"), runner(PLACED, "two")
    refused = nodepool.json("apply", "--runner", one, "--yes")
    assert refused["exit_code"] == 5
    planned = follow(nodepool, refused["errors"][0]["hint"], "--dry-run")
    assert [each["runner"] for each in planned["data"]["runners"]] == [one, two]
    everything = nodepool.json("apply", "--all-runners", "--preset", "gke-spot", "--dry-run")
    assert len(everything["data"]["runners"]) == 2


def test_the_hint_of_a_deadlock_by_affinity_can_be_followed(
    nodepool: Nodepool, fake_nodes: MakeNodes, runner: Callable[..., str]
) -> None:
    fake_nodes(1, {"example.io/pipeline": "a"}, [taint("dedicated", "ci")])
    runner(case("affinity-only.toml"))
    problem = nodepool.json("status")["data"]["problems"][0]
    assert problem["code"] == "deadlock"
    planned = follow(nodepool, problem["hint"], "--dry-run")
    assert planned["data"]["entries"]["node_selector"] == {}
    assert planned["data"]["entries"]["node_tolerations"] == {"dedicated=ci": "NoSchedule"}


def test_jobs_of_any_node_keep_one(
    nodepool: Nodepool, fake_nodes: MakeNodes, runner: Callable[..., str]
) -> None:
    names = fake_nodes(2, {"pool": "ci"})
    who = runner(DEFAULT_TEMPLATE)
    refused = nodepool.json("taint", *names, "a=b:NoSchedule", "--yes")
    (error,) = refused["errors"]
    assert (refused["exit_code"], error["code"]) == (5, "would-strand-jobs")
    assert (error["subject"], "have no other node" in error["message"]) == (f"runner {who}", True)
    assert "apply -l KEY=VALUE" in error["hint"]
    assert nodepool.taints(names[0]) == []

    refused = nodepool.json("taint", "-l", "pool=ci", "a=b:NoSchedule", "--yes")
    assert refused["exit_code"] == 5
    planned = follow(nodepool, refused["errors"][0]["hint"], "--dry-run")
    assert planned["data"]["runner"]["entries"]["node_selector"] == {"pool": "ci"}

    # One of two may be tainted, and both, once there is another.
    assert nodepool("taint", names[0], "a=b:NoSchedule").exit_code == 0
    assert nodepool.json("taint", names[1], "a=b:NoSchedule")["exit_code"] == 5
    fake_nodes(1, prefix="another")
    assert nodepool("taint", names[1], "a=b:NoSchedule").exit_code == 0


def test_what_cannot_be_judged_stops_a_change(
    nodepool: Nodepool, fake_nodes: MakeNodes, runner: Callable[..., str]
) -> None:
    names = fake_nodes(2, {"pool": "ci"})
    who = runner(DEFAULT_TEMPLATE + '    scheduler_name = "mine"\n')
    refused = nodepool.json("taint", names[0], "a=b:NoSchedule")
    assert (refused["exit_code"], refused["errors"][0]["code"]) == (5, "cannot-judge-jobs")
    assert nodepool("taint", names[0], "a=b:NoSchedule", "--force").exit_code == 0
    done = nodepool("patch-runner", "--runner", who, "-l", "pool=ci", "--dry-run")
    assert done.exit_code == 5
    assert "the scheduler mine places them" in done.stderr


def test_pods_that_tolerate_an_evicting_taint_for_a_time_are_listed(
    nodepool: Nodepool, fake_nodes: MakeNodes, control_plane_namespace: str
) -> None:
    (name,) = fake_nodes(1, {"pool": "ci"}, prefix="evict")
    toleration = {"key": "a", "operator": "Exists", "tolerationSeconds": 60, "effect": "NoExecute"}
    spec = {
        "nodeName": name,
        "containers": [{"name": "c", "image": "none"}],
        "tolerations": [toleration],
    }
    path = f"/api/v1/namespaces/{control_plane_namespace}/pods"
    nodepool.api.post(path, {"metadata": {"name": "patient"}, "spec": spec})
    planned = nodepool.json("taint", name, "a=b:NoExecute", "--dry-run")
    (affected,) = planned["data"]["affected"]
    assert (affected["name"], affected["fate"], affected["seconds"]) == (
        "patient",
        "evicted-later",
        60,
    )
    nodepool.api.delete(path)


# -- runners kept by hand ------------------------------------------------------------------------


def kept(nodepool: Nodepool, namespace: str, change: Callable[[list[Object]], None]) -> None:
    """Make the objects of kept-by-hand.yaml in a namespace."""
    objects = list(yaml.safe_load_all(case("kept-by-hand.yaml")))
    change(objects)
    for each in objects:
        each["metadata"]["namespace"] = namespace
        group = "/api/v1" if each["apiVersion"] == "v1" else f"/apis/{each['apiVersion']}"
        nodepool.api.post(f"{group}/namespaces/{namespace}/{each['kind'].lower()}s", each)


def as_it_is(_: list[Object]) -> None:
    pass


def in_a_secret(objects: list[Object]) -> None:
    config_map, deployment = objects
    config_map["kind"] = "Secret"
    config_map["stringData"] = config_map.pop("data")
    spec = deployment["spec"]["template"]["spec"]
    spec["volumes"] = [{"name": "config", "secret": {"secretName": "ci-config"}}]


def projected(objects: list[Object]) -> None:
    source = {
        "configMap": {"name": "ci-config", "items": [{"key": "config.toml", "path": "r.toml"}]}
    }
    spec = objects[1]["spec"]["template"]["spec"]
    spec["volumes"] = [{"name": "config", "projected": {"sources": [source]}}]
    spec["containers"][0]["volumeMounts"][0]["mountPath"] = "/conf"
    spec["containers"][0]["args"] = ["run", "--config", "/conf/r.toml"]


def in_a_stateful_set(objects: list[Object]) -> None:
    objects[1]["kind"] = "StatefulSet"
    objects[1]["spec"]["serviceName"] = "ci"


def by_a_shell(objects: list[Object]) -> None:
    container = objects[1]["spec"]["template"]["spec"]["containers"][0]
    container["image"] = "registry.example/tools"
    container.update(
        command=["/bin/sh", "-c"], args=["sleep 1; exec gitlab-runner run -c /c/a.toml"]
    )
    container["volumeMounts"][0]["mountPath"] = "/c"
    volume = objects[1]["spec"]["template"]["spec"]["volumes"][0]
    volume["configMap"]["items"] = [{"key": "config.toml", "path": "a.toml"}]


def copied_at_the_start(objects: list[Object]) -> None:
    spec = objects[1]["spec"]["template"]["spec"]
    spec["volumes"].append({"name": "etc", "emptyDir": {}})
    spec["containers"][0]["volumeMounts"][0]["name"] = "etc"
    mounts = [{"name": "config", "mountPath": "/from"}, {"name": "etc", "mountPath": "/to"}]
    copy = {"name": "copy", "image": "busybox", "command": ["cp"], "volumeMounts": mounts}
    spec["initContainers"] = [copy]


def by_sub_path_in_a_home(objects: list[Object]) -> None:
    mount = {
        "name": "config",
        "mountPath": "/home/gitlab-runner/.gitlab-runner/config.toml",
        "subPath": "config.toml",
    }
    objects[1]["spec"]["template"]["spec"]["containers"][0]["volumeMounts"] = [mount]


@pytest.mark.parametrize(
    "change",
    [
        as_it_is,
        in_a_secret,
        projected,
        in_a_stateful_set,
        by_a_shell,
        copied_at_the_start,
        by_sub_path_in_a_home,
    ],
)
def test_a_runner_kept_by_hand_is_found(
    nodepool: Nodepool,
    nodes_of: Callable[[str], list[str]],
    runner: Callable[..., str],
    control_plane_namespace: str,
    change: Callable[[list[Object]], None],
) -> None:
    del runner  # it takes the Deployments away
    nodes_of("nodes-scaling-down.json")
    kept(nodepool, control_plane_namespace, change)
    status = nodepool.json("status", "-n", control_plane_namespace)
    assert [r["runner"] for r in status["data"]["runners"]] == [f"{control_plane_namespace}/ci"]
    assert codes(status) == ["deadlock"]


def test_that_no_runner_was_found_is_said(nodepool: Nodepool, fake_nodes: MakeNodes) -> None:
    fake_nodes(1, {GKE: "true"}, [taint(GKE, "true")])
    assert "No GitLab runner was found." in nodepool("status").stdout


# -- jobs ----------------------------------------------------------------------------------------


def test_jobs_are_counted_by_pool(
    nodepool: Nodepool, fake_nodes: MakeNodes, control_plane_namespace: str
) -> None:
    """The events are written as the real controllers write them, which do not run here."""
    (name,) = fake_nodes(1, {GKE: "true"}, prefix="counted")
    space, name_of = control_plane_namespace, "runner-abc-project-7-concurrent-{}"
    pods = f"/api/v1/namespaces/{space}/pods"
    for number, (node, labels) in enumerate(
        ((name, {"job.runner.gitlab.com/pod": "x"}), ("", {"pod": "x"}), (name, {"pod": "web"}))
    ):
        containers = [{"name": each, "image": "none"} for each in ("build", "helper")]
        spec: Object = {
            "containers": containers[: 2 - (number == 2)],
            "nodeSelector": {GKE: "true"},
        }
        if node:
            spec["nodeName"] = node
        nodepool.api.post(
            pods, {"metadata": {"name": name_of.format(number), "labels": labels}, "spec": spec}
        )

    def happened(pod: str, reason: str, message: str) -> None:
        involved = {"kind": "Pod", "namespace": space, "name": pod, "uid": pod}
        now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        nodepool.api.post(
            f"/api/v1/namespaces/{space}/events",
            {
                "metadata": {"generateName": "e-"},
                "involvedObject": involved,
                "reason": reason,
                "message": message,
                "lastTimestamp": now,
            },
        )

    for number, reason in ((8, "TaintManagerEviction"), (9, "Preempted")):
        pod = name_of.format(number)
        happened(pod, "Scheduled", f"Successfully assigned {space}/{pod} to {name}")
        happened(pod, reason, f"Marking for deletion Pod {space}/{pod}")
    happened("web-1", "Preempted", "by another")
    (pool,) = nodepool.json("status", "--jobs", "--preset", "gke-spot")["data"]["pools"]
    assert pool["jobs"] == {
        "running": 1,
        "waiting": 1,
        "lost": {"a NoExecute taint": 1, "a pod of higher priority": 1},
    }
    assert "1 job on these nodes, 1 waiting" in nodepool("status", "--jobs").stdout
    nodepool.api.delete(pods)
