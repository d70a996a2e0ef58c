"""taint, untaint, label, unlabel: exact, idempotent, and careful with what is not theirs."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cluster.api import JSON_PATCH
from tests.cluster.proxy import ApiProxy
from tests.cluster.server import Server
from tests.e2e.ci_nodepool.conftest import KEY, RECORD, SPOT, TAINT, MakeNodes, Nodepool

FOREIGN = {"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"}


def test_taint_is_exact_and_idempotent(
    nodepool: Nodepool, fake_nodes: MakeNodes, api_proxy: Callable[..., ApiProxy]
) -> None:
    names = fake_nodes(3, SPOT, [FOREIGN])
    others = fake_nodes(1, prefix="other")
    done = nodepool("taint", "--yes")
    assert done.exit_code == 0, done.stderr
    assert "3 nodes changed" in done.stdout
    for name in names:
        assert nodepool.taints(name) == [FOREIGN, TAINT]
    assert nodepool.taints(others[0]) == []

    proxy = api_proxy(nodepool.kubeconfig)
    again = nodepool("taint", "--yes", kubeconfig=proxy.kubeconfig)
    assert again.exit_code == 0, again.stderr
    assert "3 nodes already as wanted" in again.stdout
    assert {request.method for request in proxy.requests} == {"GET"}


@pytest.mark.parametrize(
    "spec",
    [f'{KEY}="true":NoSchedule', f"'{KEY}=true:NoSchedule'", f"{KEY}=true:NoSchedule"],
)
def test_the_form_that_people_paste(nodepool: Nodepool, fake_nodes: MakeNodes, spec: str) -> None:
    (name,) = fake_nodes(1)
    done = nodepool("taint", name, spec)
    assert done.exit_code == 0, done.stderr
    assert nodepool.taints(name) == [TAINT]


def test_removal_forms_and_absence(nodepool: Nodepool, fake_nodes: MakeNodes) -> None:
    (name,) = fake_nodes(1)
    three = ("k=a:NoSchedule", "k=a:NoExecute", "other:NoSchedule")
    assert nodepool("taint", name, *three).exit_code == 0
    assert nodepool("taint", name, "k:NoExecute-").exit_code == 0
    assert [t["effect"] for t in nodepool.taints(name)] == ["NoSchedule", "NoSchedule"]
    assert nodepool("untaint", name, "k-", "other:NoSchedule").exit_code == 0
    assert nodepool.taints(name) == []
    before = nodepool.versions([name])
    done = nodepool("untaint", name, "k-", "never-there")
    assert done.exit_code == 3  # it may be a node's name
    assert "KEY-" in done.stderr
    done = nodepool("untaint", name, "k-", "never-there-")
    assert done.exit_code == 0
    assert "already as wanted" in done.stdout
    assert nodepool.versions([name]) == before


def test_another_value_is_not_overwritten_unasked(
    nodepool: Nodepool, fake_nodes: MakeNodes
) -> None:
    theirs = {"key": "k", "value": "theirs", "effect": "NoSchedule", "timeAdded": None}
    (name,) = fake_nodes(1, {"pool": "theirs"}, [{k: v for k, v in theirs.items() if v}])
    for arguments in (("taint", name, "k=ours:NoSchedule"), ("label", name, "pool=ours")):
        done = nodepool(*arguments)
        assert done.exit_code == 5
        assert "already" in done.stderr
        assert "--overwrite" in done.stderr
        assert nodepool(*arguments, "--overwrite").exit_code == 0
    assert nodepool.taints(name)[0]["value"] == "ours"
    assert nodepool.node(name)["metadata"]["labels"]["pool"] == "ours"
    done = nodepool("undo", name)
    assert done.exit_code == 0, done.stderr
    assert nodepool.taints(name)[0]["value"] == "theirs"
    assert nodepool.node(name)["metadata"]["labels"]["pool"] == "theirs"


def test_dry_run_shows_and_changes_nothing(nodepool: Nodepool, fake_nodes: MakeNodes) -> None:
    names = fake_nodes(2, SPOT)
    before = nodepool.versions(names)
    done = nodepool("taint", "--dry-run")
    assert done.exit_code == 0, done.stderr
    assert f"2 nodes: {', '.join(names)}\n  + taint {KEY}=true:NoSchedule\n" in done.stdout
    document = nodepool.json("taint", "--dry-run")
    assert document["data"]["planned"] == [
        {"node": name, "changes": [f"+ taint {KEY}=true:NoSchedule"], "kept": []} for name in names
    ]
    assert nodepool.versions(names) == before


def test_more_than_was_named_needs_a_yes(nodepool: Nodepool, fake_nodes: MakeNodes) -> None:
    names = fake_nodes(2, SPOT)
    done = nodepool("taint")
    assert done.exit_code == 2
    assert "--yes" in done.stderr
    assert nodepool.taints(names[0]) == []
    assert nodepool("taint", names[0]).exit_code == 0
    assert nodepool.taints(names[0]) == [TAINT]
    assert nodepool.taints(names[1]) == []


def test_labels(nodepool: Nodepool, fake_nodes: MakeNodes) -> None:
    names = fake_nodes(2, SPOT)
    assert nodepool("label", "-l", f"{KEY}=true", 'pool="ci"', "--yes").exit_code == 0
    assert [nodepool.node(n)["metadata"]["labels"]["pool"] for n in names] == ["ci", "ci"]
    assert nodepool("unlabel", names[0], "pool-").exit_code == 0
    assert "pool" not in nodepool.node(names[0])["metadata"]["labels"]
    assert RECORD not in nodepool.node(names[0])["metadata"].get("annotations", {})
    assert nodepool("unlabel", names[0], "pool").exit_code == 3  # no node of that name


def test_json_says_all(nodepool: Nodepool, fake_nodes: MakeNodes) -> None:
    names = fake_nodes(2, SPOT)
    document = nodepool.json("taint", "--yes")
    assert document["command"] == "ci-nodepool taint"
    assert document["status"] == "ok"
    assert sorted(document["data"]["changed"]) == names
    assert document["data"]["pool"] == {
        "nodes": [],
        "selector": f"{KEY}=true",
        "preset": "gke-preemptible",
    }


# -- undo -------------------------------------------------------------------------------------


def test_undo_removes_what_agtool_added_and_no_more(
    nodepool: Nodepool, fake_nodes: MakeNodes
) -> None:
    names = fake_nodes(3, {**SPOT, "pool": "before"}, [FOREIGN])
    assert nodepool("label", *names, "team=ci").exit_code == 0
    assert nodepool("taint", *names, f"{KEY}=true:NoSchedule", "other:NoSchedule").exit_code == 0
    # Somebody changes what was ours, and adds what is not.
    path = f"/api/v1/nodes/{names[1]}"
    taints = [t if t["key"] != "other" else {**t, "value": "x"} for t in nodepool.taints(names[1])]
    nodepool.api.patch(path, {"spec": {"taints": [*taints, {"key": "new", "effect": "NoExecute"}]}})
    nodepool.api.patch(path, {"metadata": {"labels": {"team": "theirs"}}})

    done = nodepool("undo", "--yes")
    assert done.exit_code == 0, done.stderr
    assert "3 nodes changed" in done.stdout
    assert "kept taint other=x:NoSchedule" in done.stdout
    assert "kept label team=theirs" in done.stdout
    for name in (names[0], names[2]):
        node = nodepool.node(name)
        assert node["spec"]["taints"] == [FOREIGN]
        assert "team" not in node["metadata"]["labels"]
        assert node["metadata"]["labels"]["pool"] == "before"
        assert RECORD not in node["metadata"].get("annotations", {})
    assert [t["key"] for t in nodepool.taints(names[1])] == [FOREIGN["key"], "other", "new"]
    done = nodepool("undo")
    assert done.exit_code == 0, done.stderr
    assert "nothing to do" in done.stdout


def test_what_was_there_before_survives_undo(nodepool: Nodepool, fake_nodes: MakeNodes) -> None:
    (name,) = fake_nodes(1, SPOT, [TAINT])
    assert nodepool("taint", name).exit_code == 0
    assert nodepool("undo", name).exit_code == 0
    assert nodepool.taints(name) == [TAINT]


# -- errors -----------------------------------------------------------------------------------


def test_no_node_matches(nodepool: Nodepool, fake_nodes: MakeNodes) -> None:
    fake_nodes(1)
    done = nodepool("taint", "--yes")
    assert done.exit_code == 3
    assert f"no node has the label {KEY}=true" in done.stderr
    done = nodepool("taint", "-l", "pool=none", "k:NoSchedule")
    assert done.exit_code == 3
    assert "no node has the label pool=none" in done.stderr
    done = nodepool("taint", "no-such-node", "k:NoSchedule")
    assert done.exit_code == 3
    assert 'nodes "no-such-node" not found' in done.stderr


def test_two_providers_need_a_choice(nodepool: Nodepool, fake_nodes: MakeNodes) -> None:
    fake_nodes(1, SPOT)
    (other,) = fake_nodes(1, {"eks.amazonaws.com/capacityType": "SPOT"}, prefix="eks")
    done = nodepool("taint", "--yes")
    assert done.exit_code == 2
    assert "gke-preemptible, eks-spot" in done.stderr
    assert nodepool("taint", "--yes", "--preset", "eks-spot").exit_code == 0
    assert nodepool.taints(other) == [
        {"key": "eks.amazonaws.com/capacityType", "value": "SPOT", "effect": "NoSchedule"}
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["taint", "n", "-bad=v:NoSchedule"], 2, ""),
        (["taint", "n", "bad/k/x=v:NoSchedule"], 2, "invalid key"),
        (["taint", "n", "k=bad value:NoSchedule"], 2, "invalid value"),
        (["taint", "n", "k=v"], 2, "no effect"),
        (["label", "n", "k=v", "k-"], 2, "twice"),
        (["taint", "n", "-l", "a=b", "k=v:NoSchedule"], 2, "selector"),
        (["taint", "--as-group", "g"], 2, "it needs --as USER"),
        (["taint", "--kubeconfig", "/nowhere"], 3, "there is no kubeconfig /nowhere"),
        (["taint", "--context", "nowhere"], 3, "has no context 'nowhere'"),
        (["taint", "-l", "a in"], 2, "'a in' is not a valid selector"),
        (["taint", "-l", "", "k=v:NoSchedule"], 2, "--selector': it is empty"),
        (["undo", "-l", " ", "--yes"], 2, "--selector': it is empty"),
        (["patch-runner", "--runner", ""], 2, "--runner': it is empty"),
        (["patch-runner", "--timeout", "0"], 2, "--timeout': it must be longer than 0"),
        (["apply", "--timeout", "soon"], 2, "'soon' is not a duration"),
        (["undo", "--timeout", "-1"], 2, "--timeout"),
        (["status", "-n", "Bad NS"], 2, "not a valid name of a namespace"),
        (["taint", "-n", "gitlab"], 2, "-n"),
        (["label", "-n", "gitlab"], 2, "-n"),
        (["untaint", "-n", "gitlab"], 2, "-n"),
        (["unlabel", "-n", "gitlab"], 2, "-n"),
        (["watch", "-n", "gitlab"], 2, "-n"),
    ],
)
def test_wrong_input(nodepool: Nodepool, arguments: list[str], code: int, says: str) -> None:
    done = nodepool(*arguments)
    assert done.exit_code == code, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_permission_is_named(
    nodepool: Nodepool,
    fake_nodes: MakeNodes,
    control_plane: Server,
    restricted_user: Callable[..., Path],
) -> None:
    names = fake_nodes(2, SPOT)
    nobody = restricted_user(control_plane, [])
    done = nodepool("taint", "--yes", kubeconfig=nobody)
    assert done.exit_code == 5
    assert "may not list nodes at the cluster scope" in done.stderr
    assert '{"apiGroups": [""], "resources": ["nodes"], "verbs": ["list"]}' in done.stderr

    rule = {"apiGroups": [""], "resources": ["nodes"], "verbs": ["list", "get"]}
    reader = restricted_user(control_plane, [rule])
    done = nodepool("taint", "--yes", kubeconfig=reader)
    assert done.exit_code == 5
    assert "may not patch nodes" in done.stderr
    assert "cannot look for runners" in done.stderr  # told, and no reason to stop
    assert [nodepool.taints(name) for name in names] == [[], []]
    document = nodepool.json("taint", "--yes", kubeconfig=reader)
    assert document["errors"][0]["code"] == "denied"
    assert len(document["data"]["failed"]) + len(document["data"]["not_started"]) == 2


def test_as_another_user(nodepool: Nodepool, fake_nodes: MakeNodes) -> None:
    fake_nodes(1, SPOT)
    done = nodepool("taint", "--yes", "--as", "nobody", "--as-group", "some", "--as-group", "more")
    assert done.exit_code == 5
    assert "nobody may not list nodes" in done.stderr


def test_an_unreachable_cluster(nodepool: Nodepool, api_proxy: Callable[..., ApiProxy]) -> None:
    proxy = api_proxy(nodepool.kubeconfig)
    proxy.refuse()
    done = nodepool("taint", "--yes", kubeconfig=proxy.kubeconfig)
    assert done.exit_code == 4
    assert "cannot reach https://127.0.0.1" in done.stderr
    assert done.seconds < 20


def test_a_record_that_somebody_spoilt_harms_nothing(
    nodepool: Nodepool, fake_nodes: MakeNodes
) -> None:
    (name,) = fake_nodes(1, SPOT, [FOREIGN])
    add = [{"op": "add", "path": "/metadata/annotations", "value": {RECORD: "{nonsense"}}]
    nodepool.api.request("PATCH", f"/api/v1/nodes/{name}", add, content_type=JSON_PATCH)
    assert nodepool("taint", name).exit_code == 0
    assert nodepool.taints(name) == [FOREIGN, TAINT]
    assert nodepool("undo", name).exit_code == 0
    assert nodepool.taints(name) == [FOREIGN]
